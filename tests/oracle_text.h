/*
 * oracle_text.h -- what single texts mean, stated without the engine's code: characters, paths, the
 * arguments of commands, and what is the message in the octets after DATA and BDAT.
 */
#ifndef ORACLE_TEXT_H
#define ORACLE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slice {
	const unsigned char *at;
	size_t len;
};

/* ---- oracle_path.c ------------------------------------------------------------------------- */

/* How many octets the UTF-8 character at the start takes, by its number; 0: none, or U+0080 to
   U+009F. */
size_t oracle_utf8(const unsigned char *in, size_t len);

/* It is that text, in any case of letters. */
bool oracle_is(struct slice s, const char *text);

/* How an address is understood: whether there is one, how many octets it takes, its one form. */
struct path {
	bool taken;
	size_t len;
	size_t local, text_len;
	char text[2048];
};

/* A path at the start of `in`: RFC 5321 4.1.2, RFC 6531 3.3, or a mailbox without brackets. */
void oracle_path(struct slice in, struct path *path);

/* All of `in` is a mailbox or a local part alone: VRFY's and EXPN's argument. */
void oracle_name(struct slice in, struct path *path);

/* HELO's argument: 1 to 255 letters, digits and ".-_:[]". */
bool oracle_hello(struct slice in);

/* ---- oracle_line.c ------------------------------------------------------------------------- */

/* The first word, up to a blank; `rest` is what follows without the blanks around it. */
struct slice oracle_word(struct slice in, struct slice *rest);

/* Each returns the begin of the refusal of the argument as it stands, or NULL. */
struct mail {
	struct path path;
	uint64_t size;
	bool binary, utf8;
};
const char *oracle_mail(struct slice argument, struct mail *mail);
const char *oracle_rcpt(struct slice argument, bool utf8, struct path *path);
const char *oracle_vrfy(struct slice argument, struct path *path);

struct bdat {
	uint64_t size;
	bool last;
};
const char *oracle_bdat(struct slice argument, struct bdat *bdat);

/* What any line with such octets is told, or NULL. */
const char *oracle_octets(struct slice line, bool utf8);

/* ---- oracle_message.c ---------------------------------------------------------------------- */

/*
 * The text after DATA: it ends at the first CRLF.CRLF of CRLF and the stream.  `end` is the octets up
 * to and with that end; false if it has none.  `bare`: a CR without LF or, unless `normalize`, an LF
 * without CR before it.  `wire`: its octets as RFC 1870 counts them.  `content` (of `len`) gets the
 * message with LF line ends, `count` octets; both mean nothing if it is bare.
 */
struct message {
	size_t end, wire, count;
	bool bare;
};
bool oracle_message(const unsigned char *in, size_t len, bool normalize, unsigned char *content,
    struct message *message);

/* The message that chunks make, all their octets one after the other; `content` is of `len`.  Returns
   how many octets it has. */
size_t oracle_chunks(const unsigned char *in, size_t len, bool binary, unsigned char *content);

/* The Received fields in the header of a message with LF line ends. */
unsigned oracle_received(const unsigned char *message, size_t len);

#endif
