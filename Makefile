# make help   says what each target does.

prefix     = /usr/local
sbindir    = $(prefix)/sbin
bindir     = $(prefix)/bin
mandir     = $(prefix)/share/man
sysconfdir = /etc
DESTDIR    =

# What runs per connection and per message starts in a third of the time when it is static musl.
ifeq ($(origin CC),default)
CC = musl-gcc
endif
HOSTCC  = cc
CFLAGS  = -O2 -g
LDFLAGS =

O = .build
B = $O/bin

WARN = -Wall -Wextra -Wconversion -Wshadow -Wswitch-enum -Wmissing-prototypes -Wvla

# Hardening: a reason each.  What not every compiler has is asked for first.
has = $(shell $(CC) -Werror $(1) -x c -c /dev/null -o /dev/null 2>/dev/null && echo "$(1)")
HARDEN := -fPIE                                    # another address at each start
HARDEN += -fstack-protector-strong                 # a smashed stack ends the process
HARDEN += $(call has,-fstack-clash-protection)     # no jump over the guard page
HARDEN += $(call has,-fcf-protection=full)         # indirect jumps land where they may
HARDEN += $(or $(call has,-ftrivial-auto-var-init=zero),$(call has,-ftrivial-auto-var-init=pattern))
                                                   # no variable shows what lay there before
HARDEN += $(call has,-fzero-call-used-regs=used-gpr) # less left over for a gadget
HARDEN += -fno-delete-null-pointer-checks -fno-strict-overflow # no check is optimised away
HARDEN += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2    # glibc checks lengths; musl has no such thing
HARDEN_LD := -Wl,-z,relro,-z,now                   # relocated data is read only from the start
HARDEN_LD += -Wl,-z,noexecstack,-z,text            # no code on the stack, none patched
HARDEN_LD += -Wl,-z,separate-code                  # nothing but code is executable

ifneq ($(findstring musl,$(notdir $(CC))),)
# musl-gcc's own -static-pie makes a dynamic program without saying so; this makes a static one.
# Nor does musl-gcc see the kernel's headers.
TRIPLET := $(shell $(CC) -print-multiarch)
CRT      = $(or $(wildcard /usr/lib/$(TRIPLET:gnu=musl)),/usr/lib/musl/lib)
CPPHOST  = -idirafter /usr/include -idirafter /usr/include/$(TRIPLET)
LINK     = $(CC) $(LDFLAGS) -static -nostartfiles -Wl,-pie,--no-dynamic-linker $(HARDEN_LD) \
	$(CRT)/rcrt1.o $(CRT)/crti.o $(1) $(CRT)/crtn.o
else
PIE      = -static-pie
LINK     = $(CC) $(CFLAGS) $(PIE) $(LDFLAGS) $(HARDEN_LD) $(1)
endif

CPPFLAGS_ALL = -D_GNU_SOURCE -DDELIVER_PATH='"$(bindir)/deliver"' \
	-DCONFIG_PATH='"$(sysconfdir)/smtp-stdio.conf"' -I$O $(CPPHOST) $(CPPFLAGS)
COMPILE := $(CC) -std=c11 $(WARN) $(HARDEN) $(CPPFLAGS_ALL) $(CFLAGS) -MMD -MP

SANDBOX = sandbox/sandbox sandbox/landlock sandbox/identity sandbox/rlimits
DELIVER = deliver/main deliver/message deliver/mailbox deliver/maildir deliver/mbox deliver/output \
	deliver/fault
PURE    = smtp-stdio/smtp smtp-stdio/command smtp-stdio/address smtp-stdio/body smtp-stdio/reply \
	smtp-stdio/request
MONITOR = smtp-stdio/monitor smtp-stdio/commit smtp-stdio/recipient smtp-stdio/spool \
	smtp-stdio/spawn smtp-stdio/log smtp-stdio/received smtp-stdio/clock
SMTP    = smtp-stdio/main smtp-stdio/config smtp-stdio/peer smtp-stdio/session $(MONITOR) $(PURE)
objects = $(patsubst %,$O/obj/%.o,$(1))

all: $B/smtp-stdio $B/deliver

$B/smtp-stdio: $(call objects,$(SMTP) $(SANDBOX))
$B/deliver: $(call objects,$(DELIVER) $(SANDBOX))
$B/smtp-stdio $B/deliver:
	@mkdir -p $B
	$(call LINK,$^) -o $@

$O/obj/%.o: %.c $O/flags
	@mkdir -p $(@D)
	$(COMPILE) -c -o $@ $<

$O/obj/sandbox/sandbox.o: $O/policies.h
$O/policies.h: $O/compile
	$O/compile >$@.new && mv $@.new $@
$O/compile: sandbox/compile.c sandbox/policy.c sandbox/policy.h | $O/flags
	$(HOSTCC) -D_GNU_SOURCE -Wall -Wextra -o $@ sandbox/compile.c sandbox/policy.c -lseccomp

# Objects of another compiler or other flags are made anew.
$O/flags: .FORCE
	@mkdir -p $O
	@echo '$(subst ','\'',$(COMPILE))' | cmp -s - $@ || echo '$(subst ','\'',$(COMPILE))' >$@

clean:
	rm -rf $O

.FORCE:
.PHONY: all clean .FORCE
-include $(patsubst %,$O/obj/%.d,$(SMTP) $(DELIVER) $(SANDBOX))
