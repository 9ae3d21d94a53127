//go:build ignore

#define _GNU_SOURCE
#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "text.h"

enum {
	SLICE = 100,           /* ms between looks at pending signals */
	BACKLOG = 10,          /* ms before connecting again to a full backlog */
	PASSWD = 1024,         /* bytes of one account of the user database, at first */
	MAX_PASSWD = 1024 * 1024 /* and at last */
};

/* left is how many milliseconds remain, at most SLICE. */
static int left(const struct link *l)
{
	struct timespec now;
	long ms;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ms = (l->deadline.tv_sec - now.tv_sec) * 1000 + (l->deadline.tv_nsec - now.tv_nsec) / 1000000;
	return ms < 0 ? 0 : ms < SLICE ? (int)ms : SLICE;
}

/* interrupted reports a signal that would have ended the program, had it not
 * blocked it: sudo does so, and waits for us. */
static bool interrupted(void)
{
	static const int ends[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP};
	struct sigaction now;
	sigset_t pending;

	if (sigpending(&pending) != 0)
		return false;
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
		if (sigismember(&pending, ends[i]) == 1 && sigaction(ends[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
			return true;
	return false;
}

/* absent keeps why nobody answers. */
static enum link_error absent(struct link *l, int cause)
{
	l->cause = cause;
	return LINK_ABSENT;
}

/* await waits until the socket is ready for what events say. After the deadline it
 * never is, or whoever sends without end would be listened to. */
static enum link_error await(struct link *l, short events)
{
	struct pollfd p = {.fd = l->fd, .events = events};

	for (;;) {
		int ms = left(l);
		int n = poll(&p, 1, ms), cause = errno;

		if (interrupted())
			return LINK_INTERRUPTED;
		if (ms == 0)
			return LINK_LATE;
		if (n > 0)
			return LINK_OK;
		if (n < 0 && cause != EINTR)
			return absent(l, cause);
	}
}

/* is_factord reports whether a uid is that of the account factord. */
static bool is_factord(uid_t uid)
{
	struct passwd account, *found = NULL;
	bool same = false;
	int err = ERANGE;

	for (size_t size = PASSWD; err == ERANGE && size <= MAX_PASSWD; size *= 4) {
		char *buf = malloc(size);
		if (buf == NULL)
			break;
		err = getpwnam_r("factord", &account, buf, size, &found);
		same = err == 0 && found != NULL && found->pw_uid == uid;
		free(buf);
	}
	return same;
}

/* trusted reports whether the one who listens may decide: root, factord, or, for
 * a program that is not root's, the user themself. */
static bool trusted(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof peer;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || size != sizeof peer)
		return false;
	return peer.uid == 0 || (geteuid() != 0 && peer.uid == geteuid()) || is_factord(peer.uid);
}

static enum link_error reach(struct link *l, const struct sockaddr_un *addr)
{
	for (;;) {
		if (connect(l->fd, (const struct sockaddr *)addr, sizeof *addr) == 0 || errno == EISCONN)
			return trusted(l->fd) ? LINK_OK : LINK_STRANGER;
		if (errno == EAGAIN)
			poll(NULL, 0, BACKLOG);
		else if (errno != EINTR)
			return absent(l, errno);
		if (interrupted())
			return LINK_INTERRUPTED;
		if (left(l) == 0)
			return LINK_LATE;
	}
}

/* new_socket is none of the three that a program takes for its terminal, though it
 * may have closed them: it would show its prompts to factord. */
static int new_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), high = fd;

	if (fd >= 0 && fd <= STDERR_FILENO) {
		high = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
		close(fd);
	}
	return high;
}

enum link_error link_open(struct link *l, const char *path, int seconds)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	size_t size = strlen(path);

	memset(l, 0, sizeof *l);
	l->fd = -1;
	if (size == 0 || size >= sizeof addr.sun_path)
		return absent(l, ENAMETOOLONG);
	memcpy(addr.sun_path, path, size + 1);
	clock_gettime(CLOCK_MONOTONIC, &l->deadline);
	l->deadline.tv_sec += seconds;
	l->fd = new_socket();
	if (l->fd < 0)
		return absent(l, errno);
	return reach(l, &addr);
}

/* fill receives once more. */
static enum link_error fill(struct link *l)
{
	enum link_error err;
	ssize_t n;

	if (l->start > 0) {
		memmove(l->in, l->in + l->start, l->end - l->start);
		l->end -= l->start;
		l->start = 0;
	}
	if (l->end == sizeof l->in)
		return LINK_GRAMMAR;
	err = await(l, POLLIN);
	if (err != LINK_OK)
		return err;
	n = recv(l->fd, l->in + l->end, sizeof l->in - l->end, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return LINK_OK;
	if (n <= 0)
		return absent(l, n < 0 ? errno : 0);
	l->end += (size_t)n;
	return LINK_OK;
}

enum link_error link_line(struct link *l, char **line)
{
	for (;;) {
		char *begin = l->in + l->start;
		char *stop = memchr(begin, '\n', l->end - l->start);

		if (stop != NULL) {
			l->start = (size_t)(stop - l->in) + 1;
			if (stop > begin && stop[-1] == '\r')
				stop--;
			*stop = '\0';
			*line = begin;
			/* A NUL inside would hide the rest of the line. */
			return strlen(begin) == (size_t)(stop - begin) && stop - begin <= MAX_LINE ? LINK_OK : LINK_GRAMMAR;
		}
		enum link_error err = fill(l);
		if (err != LINK_OK)
			return err;
	}
}

bool link_more(const struct link *l)
{
	return l->end > l->start;
}

enum link_error link_send(struct link *l, const char *data, size_t size)
{
	enum link_error err = left(l) == 0 ? LINK_LATE : LINK_OK;

	while (size > 0 && err == LINK_OK) {
		ssize_t n = send(l->fd, data, size, MSG_NOSIGNAL);

		if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
			return LINK_OK; /* the verdict may have crossed the answer: reading tells */
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return absent(l, errno);
		if (n > 0) {
			data += n;
			size -= (size_t)n;
		}
		if (size > 0)
			err = await(l, POLLOUT);
	}
	return err;
}

/* The end goes with the last line, or factord would wake up once for each. */
enum link_error link_answer(struct link *l, const char *data, size_t size)
{
	static const char end[] = "END\n";
	char lines[MAX_LINE + 1 + sizeof end];
	enum link_error err = LINK_OK;

	do {
		size_t used = 0;

		if (size > 0)
			used = (size_t)(stpcpy(lines, "D ") - lines);
		while (size > 0 && escape(lines, MAX_LINE, &used, data, 1, false)) {
			data++;
			size--;
		}
		if (used > 0)
			lines[used++] = '\n';
		if (size == 0)
			used = (size_t)(stpcpy(lines + used, end) - lines);
		err = link_send(l, lines, used);
	} while (size > 0 && err == LINK_OK);
	explicit_bzero(lines, sizeof lines);
	return err;
}

void link_why(const struct link *l, enum link_error err, char *buf, size_t size)
{
	static const char *const why[] = {
		[LINK_OK] = "", [LINK_STRANGER] = "the one who listens is neither root nor factord", [LINK_LATE] = "no verdict in time",
		[LINK_INTERRUPTED] = "interrupted", [LINK_GRAMMAR] = "not factord's protocol",
		[LINK_LONG] = "user, service, rhost, ruser and tty are too long for a line"};
	char text[128];

	if (err != LINK_ABSENT)
		snprintf(buf, size, "%s", why[err]);
	else
		snprintf(buf, size, "nobody answers: %s; is factord.socket enabled?",
			 l->cause == 0 ? "the connection was closed" : strerror_r(l->cause, text, sizeof text));
}

void link_close(struct link *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	explicit_bzero(l->in, sizeof l->in);
}
