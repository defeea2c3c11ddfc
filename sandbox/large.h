/* large.h -- where variables lie. */
#ifndef LARGE_H
#define LARGE_H

/*
 * Of a variable that is large or hardly ever touched: behind all others, which the linker sorts by these
 * names.  The small ones that every process touches then share a few pages, each of which costs one 2 us
 * and 4 KiB of memory.
 */
#define LARGE __attribute__((section(".bss.zz_large")))

#endif
