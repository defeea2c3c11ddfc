/*
 * compile.c -- turn the lists of policy.c into BPF programs, as C, on standard output.
 *
 * Runs at build time only, on the build machine's compiler and libseccomp.  The programs kill the
 * process for every call that is not listed, for every other architecture and for the x32 numbers.
 */
#include <err.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "policy.h"

static scmp_filter_ctx
build(const struct policy *policy)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (ctx == NULL)
		errx(1, "seccomp_init failed");
	int e = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (e < 0)
		errx(1, "bad-architecture action: %s", strerror(-e));
	/* A tree: when a filter is loaded, the kernel runs it once for every call number there is.
	   deliver's then takes 34 us, as a list 47. */
	if ((e = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2)) < 0)
		errx(1, "binary tree: %s", strerror(-e));
	for (const char *const *call = policy->calls; *call != NULL; call++) {
		int number = seccomp_syscall_resolve_name(*call);
		if (number == __NR_SCMP_ERROR)
			errx(1, "%s: there is no system call %s", policy->name, *call);
		e = seccomp_rule_add_exact(ctx, SCMP_ACT_ALLOW, number, 0);
		if (e < 0)
			errx(1, "%s: %s: %s", policy->name, *call, strerror(-e));
	}
	return ctx;
}

static void
print(const struct policy *policy, FILE *bpf)
{
	struct sock_filter step;

	printf("static const struct sock_filter %s_filter[] = {\n", policy->name);
	while (fread(&step, sizeof step, 1, bpf) == 1)
		printf("\t{0x%02x, %u, %u, 0x%08x},\n", step.code, step.jt, step.jf, step.k);
	printf("};\n");
}

int
main(void)
{
	printf("/* Made from sandbox/policy.c by sandbox/compile.c. */\n");
	for (size_t i = 0; i < policies_count; i++) {
		FILE *bpf = tmpfile();
		if (bpf == NULL)
			err(1, "tmpfile");
		scmp_filter_ctx ctx = build(&policies[i]);
		int e = seccomp_export_bpf(ctx, fileno(bpf));
		if (e < 0)
			errx(1, "%s: export: %s", policies[i].name, strerror(-e));
		seccomp_release(ctx);
		rewind(bpf);
		print(&policies[i], bpf);
		if (ferror(bpf) || fclose(bpf) != 0)
			errx(1, "%s: cannot read the filter back", policies[i].name);
	}
	if (fflush(stdout) != 0)
		err(1, "standard output");
	return 0;
}
