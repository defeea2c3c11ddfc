# What make bench compares with, by the Makefile's own flags: make -f Makefile -f tests/bench/build.mk
bench-programs: $O/bench/floor $O/bench/load
$O/bench/floor: $(call objects,tests/bench/floor $(SANDBOX))
$O/bench/load: $(call objects,tests/bench/load)
$O/bench/floor $O/bench/load:
	@mkdir -p $O/bench
	$Q$(call LINK,$^) -o $@
.PHONY: bench-programs
