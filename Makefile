# make help   says what each target does.

prefix      = /usr/local
sbindir     = $(prefix)/sbin
bindir      = $(prefix)/bin
libexecdir  = $(prefix)/libexec
datadir     = $(prefix)/share
mandir      = $(datadir)/man
docdir      = $(datadir)/doc/smtp-stdio
unitdir     = $(prefix)/lib/systemd/system
sysusersdir = $(prefix)/lib/sysusers.d
tmpfilesdir = $(prefix)/lib/tmpfiles.d
catalogdir  = $(prefix)/lib/systemd/catalog
sysconfdir  = /etc
DESTDIR     =

# What runs per connection and per message starts in a third of the time when it is static musl.
ifeq ($(origin CC),default)
CC = musl-gcc
endif
HOSTCC  = cc
CFLAGS  = -Os -g
LDFLAGS =

O = .build
B = $O/bin

# smtp-listen needs libsystemd, and so the libc of the system.
MUSL     = $(findstring musl,$(notdir $(CC)))
LISTENCC = $(if $(MUSL),$(HOSTCC),$(CC))

WARN = -Wall -Wextra -Wconversion -Wshadow -Wswitch-enum -Wmissing-prototypes -Wvla

FORTIFY = -D_FORTIFY_SOURCE=2
# Hardening: a reason each.  What not every compiler has is asked for first.
takes = $(1) -Werror $(2) -x c -c /dev/null -o /dev/null 2>/dev/null
has   = $(shell $(call takes,$(CC),$(1)) && $(call takes,$(LISTENCC),$(1)) && echo "$(1)")
HARDEN := -fPIE                                    # another address at each start
HARDEN += -fstack-protector-strong                 # a smashed stack ends the process
HARDEN += $(call has,-fstack-clash-protection)     # no jump over the guard page
HARDEN += $(call has,-fcf-protection=full)         # indirect jumps land where they may
HARDEN += $(or $(call has,-ftrivial-auto-var-init=zero),$(call has,-ftrivial-auto-var-init=pattern))
                                                   # no variable shows what lay there before
HARDEN += $(call has,-fzero-call-used-regs=used-gpr) # less left over for a gadget
HARDEN += -fno-delete-null-pointer-checks -fno-strict-overflow # no check is optimised away
HARDEN += -U_FORTIFY_SOURCE $(FORTIFY)             # glibc checks lengths; musl has no such thing
SMALL := -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables
HARDEN_LD := -Wl,-z,noexecstack,-z,text            # no code on the stack, none patched
HARDEN_LD += -Wl,--gc-sections                     # what nobody calls is not there
HARDEN_LD += -Wl,-z,now                            # nothing is looked up later
PROTECT   := -Wl,-z,relro                          # relocated data is read only from the start
PROTECT   += -Wl,-z,separate-code                  # nothing but code is executable

ifneq ($(MUSL),)
# musl-gcc's own -static-pie makes a dynamic program without saying so; this makes a static one.
# Nor does musl-gcc see the kernel's headers.  The start of a static program makes no relocated data
# read only.  Two segments are mapped sooner than four.  Pages are what a start pays for: code begins where the kernel
# maps 64 KiB at once, data begin a page, and the small ones come before the large (sandbox/large.h).
COMPACT  = -Wl,-z,norelro,-z,noseparate-code,-z,max-page-size=65536,--section-start=.data.rel.ro=0x40000,--sort-section=name
TRIPLET := $(shell $(CC) -print-multiarch)
CRT      = $(or $(wildcard /usr/lib/$(TRIPLET:gnu=musl)),/usr/lib/musl/lib)
CPPHOST  = -idirafter /usr/include -idirafter /usr/include/$(TRIPLET)
LINK     = $(CC) $(LDFLAGS) -static -nostartfiles -Wl,-pie,--no-dynamic-linker $(HARDEN_LD) $(COMPACT) \
	$(CRT)/rcrt1.o $(CRT)/crti.o $(1) $(CRT)/crtn.o
else
PIE      = -static-pie
LINK     = $(CC) $(CFLAGS) $(PIE) $(LDFLAGS) $(HARDEN_LD) $(PROTECT) $(1)
endif

CPPFLAGS_ALL = -D_GNU_SOURCE -DDELIVER_PATH='"$(bindir)/deliver"' \
	-DSMTP_STDIO_PATH='"$(sbindir)/smtp-stdio"' \
	-DCONFIG_PATH='"$(sysconfdir)/smtp-stdio.conf"' -I$O
FLAGS   := $(strip -std=c11 $(WARN) $(HARDEN) $(SMALL) $(CPPFLAGS_ALL) $(CPPFLAGS) $(CFLAGS) -MMD -MP)
COMPILE := $(CC) $(FLAGS) $(CPPHOST)
# make V=1 shows the commands.
Q = $(if $(V),,@echo '  $(@:$O/%=%)';)

SANDBOX = sandbox/sandbox sandbox/landlock sandbox/identity sandbox/rlimits sandbox/signals
DELIVER = deliver/main deliver/options deliver/message deliver/mailbox deliver/maildir deliver/mbox deliver/output \
	deliver/quota deliver/count deliver/entries deliver/keeper deliver/hand deliver/fault
PURE    = smtp-stdio/smtp smtp-stdio/verbs smtp-stdio/events smtp-stdio/command smtp-stdio/address \
	smtp-stdio/literal smtp-stdio/body smtp-stdio/chunk smtp-stdio/header smtp-stdio/reply smtp-stdio/help smtp-stdio/word
CODEC   = smtp-stdio/request smtp-stdio/utf8
MONITOR = smtp-stdio/monitor smtp-stdio/serve smtp-stdio/verify smtp-stdio/commit smtp-stdio/arguments smtp-stdio/recipient smtp-stdio/users smtp-stdio/nss \
	smtp-stdio/place smtp-stdio/aliases smtp-stdio/targets smtp-stdio/filter smtp-stdio/environment \
	smtp-stdio/spool \
	smtp-stdio/spawn smtp-stdio/log smtp-stdio/received smtp-stdio/clock smtp-stdio/stop
SMTP    = smtp-stdio/main smtp-stdio/config smtp-stdio/peer smtp-stdio/endpoint smtp-stdio/session $(MONITOR) $(PURE) $(CODEC)
CHECK_POLICY = smtp-stdio/check-policy smtp-stdio/request smtp-stdio/utf8 sandbox/sandbox sandbox/landlock \
	sandbox/rlimits sandbox/signals
LISTEN  = smtp-stdio/listen smtp-stdio/sockets smtp-stdio/sources smtp-stdio/endpoint smtp-stdio/journal \
	smtp-stdio/notify smtp-stdio/log smtp-stdio/clock sandbox/identity sandbox/signals
objects = $(patsubst %,$O/obj/%.o,$(1))

all: $B/smtp-stdio $B/deliver $B/check-policy $B/smtp-listen ## build the programs into .build/bin

$B/smtp-stdio: $(call objects,$(SMTP) $(SANDBOX) $(EXTRA))
$B/deliver: $(call objects,$(DELIVER) $(SANDBOX) $(EXTRA))
$B/check-policy: $(call objects,$(CHECK_POLICY) $(EXTRA))
# For the tests: a session taken over by an attacker, and a prober of both jails.
$B/hostile: $(call objects,tests/hostile $(filter-out %/session $(PURE),$(SMTP)) $(SANDBOX))
$B/probe: $(call objects,tests/probe $(filter-out deliver/main,$(DELIVER)) $(SANDBOX))
# One attempt to escape, made by the real process in its jail.
ESCAPE = $(addprefix $B/escape/,smtp-stdio deliver check-policy)
$B/escape/smtp-stdio: $(call objects,tests/escape $(SMTP) $(SANDBOX))
$B/escape/deliver: $(call objects,tests/escape $(DELIVER) $(SANDBOX))
$B/escape/check-policy: $(call objects,tests/escape $(CHECK_POLICY))
$(ESCAPE): WRAP = -Wl,--wrap=sandbox_filter,--wrap=waitpid
$B/smtp-stdio $B/deliver $B/check-policy $B/hostile $B/probe $(ESCAPE):
	@mkdir -p $(@D)
	$Q$(call LINK,$^ $(WRAP)) -o $@

$O/obj/%.o: %.c $O/flags
	@mkdir -p $(@D)
	$Q$(COMPILE) -c -o $@ $<

$B/smtp-listen: $(patsubst %,$O/listen/%.o,$(LISTEN) $(EXTRA))
	@mkdir -p $B
	$Q$(LISTENCC) $(CFLAGS) -pie $(LDFLAGS) $(HARDEN_LD) $(PROTECT) -Wl,--as-needed $^ -lsystemd -o $@
$O/listen/%.o: %.c $O/flags | $O/libsystemd
	@mkdir -p $(@D)
	$Q$(LISTENCC) $(FLAGS) -c -o $@ $<
$O/libsystemd:
	@echo '#include <systemd/sd-daemon.h>' | $(LISTENCC) $(CPPFLAGS) -E -x c - >/dev/null 2>&1 || \
	  { echo 'smtp-listen needs the headers of libsystemd; see tests/need build' >&2; exit 1; }
	@mkdir -p $O && : >$@

$O/obj/sandbox/sandbox.o: $O/policies.h
$O/policies.h: $O/compile
	$Q$O/compile >$@.new && mv $@.new $@
$O/compile: sandbox/compile.c sandbox/policy.c sandbox/policy.h | $O/flags
	$Q$(HOSTCC) -D_GNU_SOURCE -Wall -Wextra -o $@ sandbox/compile.c sandbox/policy.c -lseccomp

# Objects of another compiler or other flags are made anew.
$O/flags: .FORCE
	@mkdir -p $O
	@echo '$(LISTENCC): $(subst ','\'',$(COMPILE) $(LINK) $(PROTECT))' | cmp -s - $@ || \
	  echo '$(LISTENCC): $(subst ','\'',$(COMPILE) $(LINK) $(PROTECT))' >$@

demo:     ## one message through the real thing, from the connection to the mailbox
	@tests/need demo
	@$(MAKE) -s --no-print-directory all
	@tests/demo

serve:    ## receive on 127.0.0.1:2525 into ./mail/ until Ctrl-C, whoever it is for
	@tests/need demo
	@$(MAKE) -s --no-print-directory all
	@tests/serve

check:    ## run every test suite (CHECK="deliver jail" runs those two)
	@tests/need check
	@$(MAKE) -s --no-print-directory all $B/hostile $B/probe $(ESCAPE)
	@tests/run $(CHECK)

fuzz:     ## fuzz each part that reads what others wrote for SECONDS (60) with libFuzzer, then with AFL++
	@tests/need check
	@tests/fuzz $(or $(SECONDS),60)

lint:     ## read all of it by shellcheck, mandoc, codespell, cppcheck and three analyzers of C
	@tests/need lint
	@tests/lint

prove:    ## prove that the pure files make no run-time error, whatever they are given
	@tests/need prove
	@tests/prove

coverage: ## the lines of the pure files and the monitor that no test reaches, and why
	@tests/need check
	@tests/need coverage
	@tests/coverage

bench:    ## race against other mail systems and bare loops (QUICK=1; BENCH="--peers ours postfix")
	@tests/need bench
	@$(MAKE) -s --no-print-directory -f Makefile -f tests/bench/build.mk all bench-programs
	@tests/bench/run $(if $(QUICK),--quick) $(BENCH)

torture:  ## faults, power cuts, bad disks and a day's load (PARTS="calls power" does those two)
	@tests/need check
	@$(MAKE) -s --no-print-directory all $B/hostile $B/probe $(ESCAPE)
	@tests/torture/run $(PARTS)

dev:      ## build with -Werror and sanitizers into .build/dev
	$(MAKE) O=.build/dev CC=$(if $(filter musl-gcc,$(CC)),cc,$(CC)) PIE=-pie FORTIFY= EXTRA=tests/sanitized \
	  LDFLAGS="-Wl,--wrap=__asan_handle_no_return $(LDFLAGS)" \
	  CFLAGS="-O1 -g -Werror -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all" all

# What is installed, as DIRECTORY:FILE.
PROGRAMS = $(bindir):$B/deliver $(addprefix $(sbindir):,$B/smtp-stdio $B/smtp-listen) \
	$(libexecdir)/smtp-stdio:$B/check-policy
TEXTS    = $(addprefix $(mandir)/man8:,smtp-stdio/smtp-stdio.8 deliver/deliver.8 smtp-stdio/smtp-listen.8 \
	smtp-stdio/check-policy.8) \
	$(mandir)/man5:smtp-stdio/smtp-stdio.conf.5 $(mandir)/man7:smtp-stdio/smtp-stdio.7 \
	$(addprefix $(unitdir):units/smtp-,stdio.socket stdio@.service listen.socket listen.service) \
	$(patsubst %,$(unitdir)/%.d:units/10-hardening.conf,smtp-stdio@.service smtp-listen.service) \
	$(sysusersdir):units/sysusers.d/smtp-stdio.conf $(tmpfilesdir):units/tmpfiles.d/smtp-stdio.conf \
	$(addprefix $(datadir)/smtp-stdio:units/50-,system-users.conf forward.conf filter.conf) \
	$(catalogdir):smtp-stdio/smtp-listen.catalog \
	$(docdir):./README.md $(docdir):./LICENSE \
	$(addprefix $(docdir)/examples:units/,smtp-stdio.conf smtp-stdio.xinetd inetd.conf tcpserver.run s6.run smtp-stdio.fail2ban)
# In a text the paths become those of this installation.
PATHS    = -e 's,/usr/local/sbin,$(sbindir),g' -e 's,/usr/local/bin,$(bindir),g' \
	-e 's,/usr/local/libexec,$(libexecdir),g' -e 's,/usr/local/share,$(datadir),g' \
	-e 's,/etc/smtp-stdio.conf,$(sysconfdir)/smtp-stdio.conf,g'
# Of one item: the file here, and there.
HERE     = "$${item\#*:}"
THERE    = "$(DESTDIR)$${item%%:*}/$${item\#\#*/}"

install: all ## everything into $(DESTDIR)$(prefix)
	@set -e; for item in $(PROGRAMS); do install -D -m 755 $(HERE) $(THERE); done
	@set -e; for item in $(TEXTS); do \
		mode=644; [ ! -x $(HERE) ] || mode=755; \
		install -D -m $$mode $(HERE) $(THERE); sed $(PATHS) $(HERE) >$(THERE); done

uninstall: ## remove what install made
	@for item in $(PROGRAMS) $(TEXTS); do rm -f $(THERE); done
	@for dir in $(patsubst %,$(unitdir)/%.d,smtp-stdio@.service smtp-listen.service) \
		$(libexecdir)/smtp-stdio $(datadir)/smtp-stdio $(docdir)/examples $(docdir); do \
		[ ! -d $(DESTDIR)$$dir ] || rmdir --ignore-fail-on-non-empty $(DESTDIR)$$dir; done

deb:      ## a Debian package in .build; VERSION=, otherwise that of the tag or the commit
	@tests/need deb
	@VERSION='$(VERSION)' units/debian/build $O

clean:    ## remove what was built
	rm -rf $O

help:     ## this list
	@sed -n 's/^\([a-z]*\):[^#]*## /\1\t/p' Makefile | expand -t 10

.FORCE:
.PHONY: all demo serve check fuzz coverage lint prove bench torture dev install uninstall deb clean help .FORCE
-include $(patsubst %,$O/obj/%.d,$(SMTP) $(DELIVER) $(SANDBOX) smtp-stdio/check-policy tests/hostile tests/probe tests/escape)
-include $(patsubst %,$O/listen/%.d,$(LISTEN))
