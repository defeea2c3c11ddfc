/* config.c -- see config.h. */
#include "config.h"

#include <string.h>
#include <strings.h>

#include "utf8.h"

enum kind {
	KIND_NAME,    /* a host, user or group name */
	KIND_DOMAINS, /* one or several */
	KIND_USERS,
	KIND_PATTERN,
	KIND_PATH,
	KIND_COMMAND,
	KIND_DELIMITER, /* a character, or none */
	KIND_FILTERS,   /* a command, of several */
	/* one of two words */
	KIND_YES,
	KIND_LANDLOCK,
	KIND_PROTOCOL,
	KIND_NEWLINES,
	KIND_OVER,
	KIND_NUMBER,
	KIND_SIZE,
	KIND_SECONDS,
};

/* Every keyword: its name, what its value is, its default, its bounds. */
static const struct row {
	const char *name;
	enum kind kind;
	const char *preset;
	uint64_t value, least, most;
} rows[KEYWORDS] = {
    [KEY_HOSTNAME] = {"Hostname", KIND_NAME, NULL, 0, 0, 0},
    [KEY_DOMAIN] = {"Domain", KIND_DOMAINS, NULL, 0, 0, 0},
    [KEY_USERS] = {"Users", KIND_USERS, "any", 0, 0, 0},
    [KEY_MAILBOX] = {"Mailbox", KIND_PATTERN, NULL, 0, 0, 0},
    [KEY_CREATE_MAILBOX] = {"CreateMailbox", KIND_YES, "yes", 1, 0, 0},
    [KEY_MINIMUM_UID] = {"MinimumUid", KIND_NUMBER, "1000", UID_DEFAULT, UID_LEAST, UID_MOST},
    [KEY_MAIL_GROUP] = {"MailGroup", KIND_NAME, NULL, 0, 0, 0},
    [KEY_POSTMASTER] = {"Postmaster", KIND_NAME, NULL, 0, 0, 0},
    [KEY_VERIFY] = {"Verify", KIND_YES, "no", 0, 0, 0},
    [KEY_EXPAND] = {"Expand", KIND_YES, "no", 0, 0, 0},
    [KEY_PROTOCOL] = {"Protocol", KIND_PROTOCOL, "smtp", 0, 0, 0},
    [KEY_NEWLINES] = {"Newlines", KIND_NEWLINES, "reject", 0, 0, 0},
    [KEY_DELIVER_PATH] = {"DeliverPath", KIND_PATH, DELIVER_PATH, 0, 0, 0},
    [KEY_DELIVER_COMMAND] = {"DeliverCommand", KIND_COMMAND, NULL, 0, 0, 0},
    [KEY_SESSION_USER] = {"SessionUser", KIND_NAME, "nobody", 0, 0, 0},
    [KEY_LANDLOCK] = {"Landlock", KIND_LANDLOCK, "try", 0, 0, 0},
    [KEY_SIZE_LIMIT] = {"SizeLimit", KIND_SIZE, "35M", SIZE_DEFAULT, SIZE_LEAST, SIZE_MOST},
    [KEY_RECIPIENT_LIMIT] = {"RecipientLimit", KIND_NUMBER, "100", RECIPIENTS_DEFAULT,
	RECIPIENTS_LEAST, RECIPIENTS_MOST},
    [KEY_MESSAGE_LIMIT] = {"MessageLimit", KIND_NUMBER, "1000", MESSAGES_DEFAULT, MESSAGES_LEAST,
	MESSAGES_MOST},
    [KEY_SESSION_SIZE_LIMIT] = {"SessionSizeLimit", KIND_SIZE, "1G", OCTETS_DEFAULT, SIZE_LEAST,
	OCTETS_MOST},
    [KEY_ERROR_LIMIT] = {"ErrorLimit", KIND_NUMBER, "20", ERRORS_DEFAULT, ERRORS_LEAST,
	ERRORS_MOST},
    [KEY_MINIMUM_RATE] = {"MinimumRate", KIND_NUMBER, "500", RATE_DEFAULT, RATE_LEAST, RATE_MOST},
    [KEY_GREET_DELAY] = {"GreetDelay", KIND_SECONDS, "0s", GREET_DEFAULT, GREET_LEAST, GREET_MOST},
    [KEY_COMMAND_TIMEOUT] = {"CommandTimeout", KIND_SECONDS, "5m", COMMAND_DEFAULT, SECONDS_LEAST,
	SECONDS_MOST},
    [KEY_SESSION_TIMEOUT] = {"SessionTimeout", KIND_SECONDS, "1h", SESSION_DEFAULT, SECONDS_LEAST,
	SECONDS_MOST},
    [KEY_DELIVER_TIMEOUT] = {"DeliverTimeout", KIND_SECONDS, "5m", DELIVER_DEFAULT, SECONDS_LEAST,
	DELIVER_MOST},
    [KEY_ALIASES] = {"Aliases", KIND_PATH, NULL, 0, 0, 0},
    [KEY_FORWARD_COMMAND] = {"ForwardCommand", KIND_COMMAND, "/usr/sbin/sendmail -i -f %s -- %r", 0,
	0, 0},
    [KEY_FORWARD_USER] = {"ForwardUser", KIND_NAME, "nobody", 0, 0, 0},
    [KEY_RECIPIENT_DELIMITER] = {"RecipientDelimiter", KIND_DELIMITER, "+", '+', 0, 0},
    [KEY_OVER_QUOTA] = {"OverQuota", KIND_OVER, "later", 0, 0, 0},
    [KEY_FILTER] = {"Filter", KIND_FILTERS, NULL, 0, 0, 0},
    [KEY_FILTER_USER] = {"FilterUser", KIND_NAME, "nobody", 0, 0, 0},
    [KEY_FILTER_TIMEOUT] = {"FilterTimeout", KIND_SECONDS, "2m", FILTER_DEFAULT, SECONDS_LEAST,
	FILTER_MOST},
    [KEY_FILTER_SIZE_LIMIT] = {"FilterSizeLimit", KIND_SIZE, "500K", FILTER_SIZE_DEFAULT,
	FILTER_SIZE_LEAST, SIZE_MOST},
    [KEY_CHECK] = {"Check", KIND_FILTERS, NULL, 0, 0, 0},
    [KEY_CHECK_TIMEOUT] = {"CheckTimeout", KIND_SECONDS, "100s", CHECK_DEFAULT, SECONDS_LEAST,
	CHECK_MOST},
};

const char *
config_name(enum keyword keyword)
{
	return rows[keyword].name;
}

size_t
config_values(const struct config *config, enum keyword keyword, const char *const **values)
{
	*values = keyword == KEY_DOMAIN   ? config->domains
		  : keyword == KEY_FILTER ? config->filters
		  : keyword == KEY_CHECK  ? config->checks
					  : &config->text[keyword];
	return keyword == KEY_DOMAIN   ? config->domains_count
	       : keyword == KEY_FILTER ? config->filters_count
	       : keyword == KEY_CHECK  ? config->checks_count
				       : config->text[keyword] != NULL;
}

/* Each check returns what is wrong with a value, or NULL. */

/* Letters, digits and a few signs; in a domain also U-labels (RFC 5890 2.3.2.1). */
static const char *
check_name(const char *value, size_t most, bool domain)
{
	size_t len = strlen(value);

	if (len > most)
		return "the name is too long";
	if (domain && !utf8_printable((const unsigned char *)value, len))
		return "not UTF-8";
	for (const char *c = value; *c != 0; c++)
		if (!((domain && (unsigned char)*c >= 0x80) || (*c >= 'a' && *c <= 'z') ||
			(*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
			strchr(".-_[]:", *c) != NULL))
			return "want a name of letters, digits and .-_";
	return value[0] == '-' || value[0] == '.' ? "the name begins with - or ." : NULL;
}

/* Digits, then at most one unit of "KMG" or "smhd". */
static const char *
check_number(const struct row *row, const char *value, uint64_t *number)
{
	static const struct {
		char unit;
		enum kind kind;
		uint64_t factor;
	} units[] = {{'K', KIND_SIZE, 1024}, {'M', KIND_SIZE, 1048576},
	    {'G', KIND_SIZE, 1073741824}, {'s', KIND_SECONDS, 1}, {'m', KIND_SECONDS, 60},
	    {'h', KIND_SECONDS, 3600}, {'d', KIND_SECONDS, 86400}};
	uint64_t n = 0, factor = 1;
	const char *c = value;

	for (; *c >= '0' && *c <= '9' && c - value < 12; c++)
		n = n * 10 + (uint64_t)(*c - '0');
	bool unit = false;
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (*c == units[i].unit && row->kind == units[i].kind && !unit) {
			factor = units[i].factor;
			unit = true;
		}
	if (c == value || c[unit] != 0)
		return row->kind == KIND_SIZE ? "want a number, with K, M or G behind it or nothing"
		       : row->kind == KIND_SECONDS
			   ? "want a number, with s, m, h or d behind it or nothing"
			   : "want a number";
	if (n > row->most / factor) /* n * factor may be beyond 64 bits */
		return "too large";
	*number = n * factor;
	return *number < row->least ? "too small" : NULL;
}

static const char *
check_pattern(const char *value)
{
	for (const char *c = value; *c != 0; c++) {
		if (*c == ' ' || *c == '\t')
			return "a path here has no blanks";
		if (*c == '%' && (*++c == 0 || strchr("ud%", *c) == NULL))
			return "a % that is not %u, %d or %%";
	}
	return NULL;
}

/* A pattern that was checked has %u in it. */
static bool
has_user(const char *pattern)
{
	while ((pattern = strchr(pattern, '%')) != NULL && pattern[1] != 'u')
		pattern += pattern[1] != 0 ? 2 : 1;
	return pattern != NULL;
}

/* Which of its two words the value is, as a number. */
static const char *
check_word(enum kind kind, const char *value, uint64_t *number)
{
	static const struct {
		enum kind kind;
		const char *words[2], *want;
	} pairs[] = {
	    {KIND_YES, {"no", "yes"}, "want yes or no"},
	    {KIND_LANDLOCK, {"try", "require"}, "want try or require"},
	    {KIND_PROTOCOL, {"smtp", "lmtp"}, "want smtp or lmtp"},
	    {KIND_NEWLINES, {"reject", "normalize"}, "want reject or normalize"},
	    {KIND_OVER, {"later", "never"}, "want later or never"},
	};
	size_t i = 0;

	while (pairs[i].kind != kind)
		i++;
	*number = strcmp(value, pairs[i].words[1]) == 0;
	return *number || strcmp(value, pairs[i].words[0]) == 0 ? NULL : pairs[i].want;
}

static const char *
check_users(struct config *config, const char *value)
{
	config->users = USERS_DIRECTORY;
	if (strcmp(value, "any") == 0)
		config->users = USERS_ANY;
	else if (strcmp(value, "passwd") == 0)
		config->users = USERS_PASSWD;
	else if (strcmp(value, "nss") == 0)
		config->users = USERS_NSS;
	else if (strcmp(value, "none") == 0)
		config->users = USERS_NONE;
	else if (value[0] != '/')
		return "want passwd, nss, any, none, or the absolute pattern of a directory";
	else if (!has_user(value))
		return "a directory pattern needs %u";
	return check_pattern(value);
}

static const char *
check_domains(struct config *config, char *value)
{
	char *rest = value;

	while (*rest != 0) {
		char *word = rest;
		rest += strcspn(rest, " \t");
		if (*rest != 0)
			*rest++ = 0;
		rest += strspn(rest, " \t");
		const char *wrong = check_name(word, DOMAIN_MAX, true);
		if (wrong != NULL)
			return wrong;
		if (config->domains_count == DOMAINS_MAX)
			return "too many domains";
		config->domains[config->domains_count++] = word;
	}
	return NULL;
}

/* ForwardCommand's `forward`: without the addresses it would take the message and send it to nobody, or
   to those whom its header names. */
static const char *
check_command(const char *value, bool forward)
{
	size_t words = 0, addresses = 0;

	if (value[0] != '/')
		return "want an absolute path";
	for (const char *c = value; *c != 0; c += strspn(c, " \t")) {
		size_t n = strcspn(c, " \t");
		words++;
		addresses += n == 2 && strncmp(c, "%r", n) == 0;
		c += n;
	}
	if (words > WORDS_MAX)
		return "too many words";
	return forward && addresses != 1 ? "want %r as one of the words, once" : NULL;
}

/* How many values a keyword has that may stand in several lines of one source; NULL: in one. */
static size_t *
count_of(struct config *config, enum keyword key)
{
	return key == KEY_DOMAIN   ? &config->domains_count
	       : key == KEY_FILTER ? &config->filters_count
	       : key == KEY_CHECK  ? &config->checks_count
				   : NULL;
}

static const char *
check_filter(struct config *config, enum keyword key, const char *value)
{
	size_t *count = count_of(config, key);

	if (*count == FILTERS_MAX)
		return "too many commands";
	(key == KEY_FILTER ? config->filters : config->checks)[(*count)++] = value;
	return check_command(value, false);
}

static const char *
check_delimiter(const char *value, uint64_t *number)
{
	*number = 0;
	if (strcmp(value, "none") == 0)
		return NULL;
	*number = (uint64_t)value[0];
	return value[1] == 0 && strchr("+-=_", value[0]) != NULL ? NULL
								 : "want one of + - = _, or none";
}

static const char *
check(struct config *config, enum keyword key, char *value)
{
	const struct row *row = &rows[key];

	switch (row->kind) {
	case KIND_NAME:
		return check_name(value, key == KEY_HOSTNAME ? DOMAIN_MAX : NAME_OCTETS, false);
	case KIND_DOMAINS:
		return check_domains(config, value);
	case KIND_USERS:
		return check_users(config, value);
	case KIND_PATTERN:
		return check_pattern(value);
	case KIND_PATH:
		return value[0] == '/' ? NULL : "want an absolute path";
	case KIND_COMMAND:
		return check_command(value, key == KEY_FORWARD_COMMAND);
	case KIND_DELIMITER:
		return check_delimiter(value, &config->number[key]);
	case KIND_FILTERS:
		return check_filter(config, key, value);
	case KIND_YES:
	case KIND_LANDLOCK:
	case KIND_PROTOCOL:
	case KIND_NEWLINES:
	case KIND_OVER:
		return check_word(row->kind, value, &config->number[key]);
	case KIND_NUMBER:
	case KIND_SIZE:
	case KIND_SECONDS:
		return check_number(row, value, &config->number[key]);
	}
	return "unknown keyword";
}

/* A new source begins anew. */
static const char *
set(struct config *config, const char *source, enum keyword key, char *value)
{
	bool again = config->source[key] != NULL && strcmp(config->source[key], source) == 0;
	size_t *count = count_of(config, key);

	if (again && count == NULL)
		return "set twice";
	if (!again && count != NULL)
		*count = 0;
	config->source[key] = source;
	config->text[key] = value;
	return check(config, key, value);
}

/* The line without its comment and the blanks around it.  A '#' begins a comment at the start of a
   line or after a blank. */
static char *
strip(char *line)
{
	line += strspn(line, " \t");
	char *c = line;
	while (*c != 0 && !(*c == '#' && (c == line || c[-1] == ' ' || c[-1] == '\t')))
		c++;
	*c = 0;
	size_t n = strlen(line);
	while (n > 0 && strchr(" \t\r", line[n - 1]) != NULL)
		line[--n] = 0;
	return line;
}

static bool
parse_line(struct config *config, const char *source, char *line, struct config_error *error)
{
	line = strip(line);
	size_t n = strcspn(line, " \t");
	char *value = line + n + strspn(line + n, " \t");

	error->key[0] = 0;
	if (*line == 0)
		return true;
	size_t shown = n < sizeof error->key ? n : sizeof error->key - 1;
	memcpy(error->key, line, shown);
	error->key[shown] = 0;
	for (unsigned key = 0; key < KEYWORDS; key++) {
		if (strlen(rows[key].name) != n || strncasecmp(rows[key].name, line, n) != 0)
			continue;
		error->what = *value == 0 ? "no value"
			      : strlen(value) > VALUE_MAX
				  ? "the value is too long"
				  : set(config, source, (enum keyword)key, value);
		return error->what == NULL;
	}
	error->what = "unknown keyword";
	return false;
}

bool
config_parse(
    struct config *config, const char *source, char *text, size_t len, struct config_error *error)
{
	char *end = text + len;

	error->source = source;
	error->line = 0;
	error->key[0] = 0;
	text[len] = 0;
	while (text < end) {
		char *lf = memchr(text, '\n', (size_t)(end - text));
		char *next = lf != NULL ? lf : end;

		error->line++;
		error->key[0] = 0; /* the last line's */
		*next = 0;
		error->what = "a NUL or control character";
		for (const char *c = text; c < next; c++)
			if ((unsigned char)*c < ' ' && *c != '\t' && *c != '\r')
				return false;
		if (!parse_line(config, source, text, error))
			return false;
		text = next + 1;
	}
	return true;
}

/* What is wrong with settings that are each right alone, or NULL. */
static const char *
contradiction(const struct config *config, enum keyword *key)
{
	bool named = config->users != USERS_ANY && config->users != USERS_NONE;
	const char *mailbox = config->text[KEY_MAILBOX];

	*key = KEY_MAILBOX;
	if (named && mailbox[0] == '/' && !has_user(mailbox))
		return "an absolute Mailbox needs %u, unless Users is any";
	*key = KEY_POSTMASTER;
	if (named && config->text[KEY_POSTMASTER] == NULL)
		return "not set: say who reads the postmaster's mail (RFC 5321 4.5.1)";
	*key = KEY_SESSION_SIZE_LIMIT;
	if (config->number[KEY_SESSION_SIZE_LIMIT] < config->number[KEY_SIZE_LIMIT])
		return "less than SizeLimit";
	*key = KEY_FILTER_TIMEOUT;
	if (config->filters_count > 0 &&
	    config->number[KEY_FILTER_TIMEOUT] + config->number[KEY_DELIVER_TIMEOUT] >
		FILTERED_MOST)
		return "with DeliverTimeout longer than a client waits";
	return NULL;
}

bool
config_finish(struct config *config, const char *hostname, struct config_error *error)
{
	enum keyword key;

	for (unsigned i = 0; i < KEYWORDS; i++) {
		if (config->text[i] != NULL)
			continue;
		config->text[i] = rows[i].preset;
		config->number[i] = rows[i].value;
	}
	if (config->text[KEY_HOSTNAME] == NULL)
		config->text[KEY_HOSTNAME] = hostname;
	if (config->text[KEY_MAILBOX] == NULL)
		config->text[KEY_MAILBOX] = config->users == USERS_ANY ? "mail/" : "Maildir/";
	if (config->domains_count == 0 && config->users != USERS_ANY)
		config->domains[config->domains_count++] = config->text[KEY_HOSTNAME];
	const char *what = contradiction(config, &key);
	if (what == NULL)
		return true;
	*error = (struct config_error){.source = config->source[key], .what = what};
	memcpy(error->key, rows[key].name, strlen(rows[key].name) + 1);
	return false;
}
