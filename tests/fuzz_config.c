/*
 * fuzz_config.c -- the configuration: two sources, apart by a NUL; what smtp-stdio -T would print of
 * them reads back as the same settings, and numbers are what they say.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../smtp-stdio/config.h"
#include "fuzz.h"

enum {
	PRINTED_MAX = 4 * CONFIG_MAX
};

/* As print() in main.c. */
static size_t
print(const struct config *config, char out[PRINTED_MAX])
{
	size_t n = 0;

	for (unsigned key = 0; key < KEYWORDS; key++) {
		const char *const *values;
		size_t count = config_values(config, (enum keyword)key, &values);
		for (size_t i = 0; i < count; i++)
			n += (size_t)snprintf(out + n, PRINTED_MAX - n, "%s %s\n",
			    config_name((enum keyword)key), values[i]);
	}
	demand(n < PRINTED_MAX, "config: longer than its sources");
	return n;
}

/* Digits and a unit, in numbers that hold any of 30 digits; the bounds of limits.h. */
static void
check_number(const char *text, uint64_t number, uint64_t least, uint64_t most)
{
	static const struct {
		char unit;
		unsigned factor;
	} units[] = {{'K', 1024}, {'M', 1048576}, {'G', 1073741824}, {'s', 1}, {'m', 60},
	    {'h', 3600}, {'d', 86400}};
	unsigned __int128 n = 0;

	for (; *text >= '0' && *text <= '9'; text++)
		n = n * 10 + (unsigned)(*text - '0');
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (*text != 0 && *text == units[i].unit)
			n *= units[i].factor;
	demand(n == number, "config: a number is another");
	demand(number >= least && number <= most, "config: a number is out of bounds");
}

/* One line's, without its comment and the blanks around it. */
static void
check_value(const char *value)
{
	if (value == NULL)
		return;
	size_t len = strlen(value);
	demand(len >= 1 && len <= VALUE_MAX && strchr(value, '\n') == NULL,
	    "config: a value is empty, too long, or two lines");
	demand(strchr(" \t#", value[0]) == NULL && strchr(" \t\r", value[len - 1]) == NULL &&
		   strstr(value, " #") == NULL && strstr(value, "\t#") == NULL,
	    "config: a value with a comment, or blanks around it");
}

static void
check_settings(const struct config *c)
{
	static const struct {
		enum keyword key;
		uint64_t least, most;
	} numbers[] = {{KEY_MINIMUM_UID, UID_LEAST, UID_MOST},
	    {KEY_SIZE_LIMIT, SIZE_LEAST, SIZE_MOST},
	    {KEY_RECIPIENT_LIMIT, RECIPIENTS_LEAST, RECIPIENTS_MOST},
	    {KEY_MESSAGE_LIMIT, MESSAGES_LEAST, MESSAGES_MOST},
	    {KEY_SESSION_SIZE_LIMIT, SIZE_LEAST, OCTETS_MOST},
	    {KEY_ERROR_LIMIT, ERRORS_LEAST, ERRORS_MOST}, {KEY_MINIMUM_RATE, RATE_LEAST, RATE_MOST},
	    {KEY_GREET_DELAY, GREET_LEAST, GREET_MOST},
	    {KEY_COMMAND_TIMEOUT, SECONDS_LEAST, SECONDS_MOST},
	    {KEY_SESSION_TIMEOUT, SECONDS_LEAST, SECONDS_MOST},
	    {KEY_DELIVER_TIMEOUT, SECONDS_LEAST, DELIVER_MOST},
	    {KEY_FILTER_TIMEOUT, SECONDS_LEAST, FILTER_MOST},
	    {KEY_FILTER_SIZE_LIMIT, FILTER_SIZE_LEAST, SIZE_MOST},
	    {KEY_CHECK_TIMEOUT, SECONDS_LEAST, CHECK_MOST}};
	static const struct {
		enum keyword key;
		const char *one; /* the other is 0 */
	} words[] = {{KEY_VERIFY, "yes"}, {KEY_CREATE_MAILBOX, "yes"}, {KEY_LANDLOCK, "require"},
	    {KEY_PROTOCOL, "lmtp"}, {KEY_NEWLINES, "normalize"}};

	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		check_number(c->text[numbers[i].key], c->number[numbers[i].key], numbers[i].least,
		    numbers[i].most);
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		demand(
		    c->number[words[i].key] == (strcmp(c->text[words[i].key], words[i].one) == 0),
		    "config: one word is the other");
	demand(c->number[KEY_SESSION_SIZE_LIMIT] >= c->number[KEY_SIZE_LIMIT],
	    "config: a session takes less than a message");
	demand(c->filters_count <= FILTERS_MAX && c->checks_count <= FILTERS_MAX,
	    "config: more commands than there is room for");
	demand(c->filters_count == 0 ||
		   c->number[KEY_FILTER_TIMEOUT] + c->number[KEY_DELIVER_TIMEOUT] <= 530,
	    "config: a client hangs up before it hears");
	demand(c->users == (strcmp(c->text[KEY_USERS], "any") == 0         ? USERS_ANY
			       : strcmp(c->text[KEY_USERS], "passwd") == 0 ? USERS_PASSWD
			       : strcmp(c->text[KEY_USERS], "none") == 0   ? USERS_NONE
									   : USERS_DIRECTORY),
	    "config: other users");
	demand(c->domains_count <= DOMAINS_MAX && (c->users == USERS_ANY || c->domains_count > 0),
	    "config: domains");
	demand(c->users == USERS_ANY || c->users == USERS_NONE || c->text[KEY_POSTMASTER] != NULL,
	    "config: nobody reads the postmaster's mail");
	for (unsigned key = 0; key < KEYWORDS; key++)
		check_value(c->text[key]);
}

static void
same_values(
    const struct config *one, const struct config *other, enum keyword key, const char *wrong)
{
	const char *const *a, *const *b;
	size_t count = config_values(one, key, &a);

	demand(config_values(other, key, &b) == count, wrong);
	for (size_t i = 0; i < count; i++)
		demand(strcmp(a[i], b[i]) == 0, wrong);
}

static void
same(const struct config *one, const struct config *other)
{
	demand(one->users == other->users, "-T: other users");
	for (unsigned key = 0; key < KEYWORDS; key++) {
		demand(one->number[key] == other->number[key], "-T: another number");
		same_values(one, other, (enum keyword)key, "-T: another value");
	}
}

/* What the second source sets counts as it stands there alone, the rest as in the first. */
static void
overrides(const struct config *both, const unsigned char *data, size_t first, size_t second)
{
	static char texts[2][CONFIG_MAX + 1];
	const size_t lens[2] = {first, second};
	struct config alone[2] = {0};
	struct config_error error;

	for (int i = 0; i < 2; i++) {
		if (lens[i] > 0)
			memcpy(texts[i], i == 0 ? data : data + first + 1, lens[i]);
		demand(config_parse(&alone[i], i == 0 ? "file" : "-o", texts[i], lens[i], &error),
		    "config: good together and bad alone");
	}
	for (unsigned key = 0; key < KEYWORDS; key++) {
		const struct config *from = &alone[alone[1].source[key] != NULL];
		if (from->source[key] == NULL)
			continue;
		demand(
		    both->number[key] == from->number[key], "config: a number of the other source");
		if (key == KEY_USERS)
			demand(both->users == from->users, "config: users of the other source");
		same_values(both, from, (enum keyword)key, "config: a value of the other source");
	}
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static char texts[2][CONFIG_MAX + 1], printed[PRINTED_MAX];
	struct config config = {0}, reread = {0};
	struct config_error error;

	if (size > CONFIG_MAX)
		return 0;
	const unsigned char *nul = size > 0 ? memchr(data, 0, size) : NULL;
	size_t first = nul != NULL ? (size_t)(nul - data) : size;
	size_t second = nul != NULL ? size - first - 1 : 0;
	if (size > 0)
		memcpy(texts[0], data, first);
	if (second > 0)
		memcpy(texts[1], nul + 1, second);

	error.what = NULL;
	bool good = config_parse(&config, "file", texts[0], first, &error) &&
		    config_parse(&config, "-o", texts[1], second, &error) &&
		    config_finish(&config, "mx.test", &error);
	if (!good) {
		demand(error.what != NULL && strlen(error.key) < sizeof error.key,
		    "config: an error without a name");
		return 0;
	}
	check_settings(&config);
	overrides(&config, data, first, second);
	size_t len = print(&config, printed);
	demand(config_parse(&reread, "-T", printed, len, &error), "-T: cannot be read");
	demand(config_finish(&reread, "other.test", &error), "-T: contradicts itself");
	same(&config, &reread);
	return 0;
}
