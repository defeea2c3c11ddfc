/*
 * targets.c -- what a file of aliases has for a name: "targets FILE NAME ...", the names in order of
 * preference, each user@domain, user or @domain; "targets -i FILE" reads an :include: file.
 *
 * Prints "none", or for each target its line, its kind and its text; after "wrong" there is no more.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../smtp-stdio/aliases.h"

static const char *const kinds[] = {
    [TARGET_END] = "end",
    [TARGET_USER] = "user",
    [TARGET_EXACT] = "exact",
    [TARGET_ADDRESS] = "address",
    [TARGET_COMMAND] = "command",
    [TARGET_FILE] = "file",
    [TARGET_INCLUDE] = "include",
    [TARGET_ERROR] = "error",
    [TARGET_WRONG] = "wrong",
};

static void
print(struct alias_entry *entry)
{
	static struct target target;
	enum target_kind kind;

	while ((kind = targets_next(&entry->targets, &target)) != TARGET_END) {
		(void)printf("%u %s ", target.line, kinds[kind]);
		if (kind == TARGET_ERROR)
			(void)printf("%c ", target.verdict);
		(void)puts(kind == TARGET_WRONG ? target.why : target.text);
	}
}

int
main(int argc, char **argv)
{
	static struct alias_entry entry;
	struct alias_name names[ALIAS_NAMES_MAX];
	bool include = argc == 3 && strcmp(argv[1], "-i") == 0;
	size_t count = (size_t)argc - 2;

	if (argc < 3 || count > ALIAS_NAMES_MAX)
		return 64;
	for (size_t i = 0; i < count && !include; i++) {
		char *at = strrchr(argv[i + 2], '@');
		bool domain = at != NULL && argv[i + 2][strlen(argv[i + 2]) - 1] != '"';
		if (domain)
			*at = 0;
		names[i] = (struct alias_name){argv[i + 2], domain ? at + 1 : NULL};
	}
	switch (include ? aliases_include(argv[2], &entry)
			: aliases_find(argv[1], names, count, &entry)) {
	case ALIAS_FOUND:
		print(&entry);
		break;
	case ALIAS_NONE:
		(void)puts("none");
		break;
	case ALIAS_WRONG:
		(void)printf("%u wrong %s\n", entry.line, entry.why);
		break;
	}
	return fflush(stdout) == 0 ? 0 : 74;
}
