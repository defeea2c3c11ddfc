/* hand.c -- see hand.h. */
#include "hand.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

volatile sig_atomic_t hand_orphaned;

char
hand_hear(int fd, bool told)
{
	char heard = 0;

	for (int tries = WORD_TRIES;
	     tries > 0 && recv(fd, &heard, 1, MSG_PEEK) < 0 && (told || !hand_orphaned);)
		tries -= errno != EINTR;
	return hand_orphaned && !told ? 0 : heard;
}

void
hand_take(int fd)
{
	char word;

	for (int tries = WORD_TRIES; tries > 0 && read(fd, &word, 1) < 0;)
		tries -= errno != EINTR;
}

bool
hand_say(int fd, enum hand_word word)
{
	const char octet = (char)word;

	return write(fd, &octet, 1) == 1;
}

bool
hand_is_alone(int fd)
{
	char heard = 0;

	return recv(fd, &heard, 1, MSG_PEEK | MSG_DONTWAIT) == 1 && heard == HEAR_ALONE;
}

bool
hand_was_called_off(int fd)
{
	struct pollfd pollfd = {fd, POLLRDHUP, 0};
	const struct timespec at_once = {0};

	return ppoll(&pollfd, 1, &at_once, NULL) != 0;
}

ssize_t
hand_next(int fd, char packet[NEXT_MAX], int *message)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof *message)];
	struct iovec all = {packet, NEXT_MAX};
	struct msghdr msg = {.msg_iov = &all,
	    .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = sizeof control};
	ssize_t n = -1;

	packet[0] = 0;
	for (int tries = WORD_TRIES; tries > 0 && (n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC)) < 0;)
		tries -= errno != EINTR;
	if (n == 0 || (n < 0 && errno == ECONNRESET)) /* it went, and did not read our last word */
		return 0;
	const struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;
	if (c == NULL || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof *message) ||
	    (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 || packet[0] != HEAR_NEXT ||
	    packet[n - 1] != 0)
		return -1;
	memcpy(message, CMSG_DATA(c), sizeof *message);
	return n;
}
