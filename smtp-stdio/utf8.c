/* utf8.c -- see utf8.h. */
#include "utf8.h"

size_t
utf8_char(const unsigned char *in, size_t len)
{
	/* RFC 3629 4: what may stand first, how long that is, and the bounds of the second octet. */
	static const struct {
		unsigned char from, to, octets, least, most;
	} rows[] = {
	    {0x00, 0x7f, 1, 0, 0},
	    {0xc2, 0xc2, 2, 0xa0, 0xbf}, /* the controls are left out */
	    {0xc3, 0xdf, 2, 0x80, 0xbf},
	    {0xe0, 0xe0, 3, 0xa0, 0xbf},
	    {0xe1, 0xec, 3, 0x80, 0xbf},
	    {0xed, 0xed, 3, 0x80, 0x9f},
	    {0xee, 0xef, 3, 0x80, 0xbf},
	    {0xf0, 0xf0, 4, 0x90, 0xbf},
	    {0xf1, 0xf3, 4, 0x80, 0xbf},
	    {0xf4, 0xf4, 4, 0x80, 0x8f},
	};
	size_t row = 0;

	while (len > 0 && row < sizeof rows / sizeof *rows &&
	       (in[0] < rows[row].from || in[0] > rows[row].to))
		row++;
	if (len == 0 || row == sizeof rows / sizeof *rows || rows[row].octets > len)
		return 0;
	for (size_t i = 1; i < rows[row].octets; i++) {
		unsigned least = i == 1 ? rows[row].least : 0x80;
		unsigned most = i == 1 ? rows[row].most : 0xbf;
		if (in[i] < least || in[i] > most)
			return 0;
	}
	return rows[row].octets;
}

bool
utf8_printable(const unsigned char *in, size_t len)
{
	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_char(in + i, len - i);
		if (n == 0 || in[i] < ' ' || in[i] == 0x7f)
			return false;
	}
	return true;
}

bool
utf8_is_ascii(const unsigned char *in, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (in[i] >= 0x80)
			return false;
	return true;
}
