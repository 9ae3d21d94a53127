//go:build ignore

#define _GNU_SOURCE
#include "link.h"

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	SLICE = 100,  /* ms between looks at pending signals */
	BACKLOG = 10, /* ms before connecting again to a full backlog */
	PASSWD = 4096 /* bytes of one account of the user database */
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
	sigset_t pending;

	if (sigpending(&pending) != 0)
		return false;
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
		if (sigismember(&pending, ends[i]) == 1)
			return true;
	return false;
}

/* await waits until the socket is ready for what events say. */
static enum link_error await(const struct link *l, short events)
{
	struct pollfd p = {.fd = l->fd, .events = events};

	for (;;) {
		int ms = left(l);
		int n = poll(&p, 1, ms);

		if (interrupted())
			return LINK_INTERRUPTED;
		if (n > 0)
			return LINK_OK;
		if (n < 0 && errno != EINTR)
			return LINK_ABSENT;
		if (ms == 0)
			return LINK_LATE;
	}
}

/* trusted reports whether the one who listens may decide: root, factord, or, for
 * a program that is not root's, the user themself. */
static bool trusted(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof peer;
	struct passwd account, *found = NULL;
	char buf[PASSWD];

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || size != sizeof peer)
		return false;
	if (peer.uid == 0 || (geteuid() != 0 && peer.uid == geteuid()))
		return true;
	return getpwnam_r("factord", &account, buf, sizeof buf, &found) == 0 && found != NULL && found->pw_uid == peer.uid;
}

static enum link_error reach(const struct link *l, const struct sockaddr_un *addr)
{
	for (;;) {
		if (connect(l->fd, (const struct sockaddr *)addr, sizeof *addr) == 0 || errno == EISCONN)
			return trusted(l->fd) ? LINK_OK : LINK_STRANGER;
		if (errno == EAGAIN)
			poll(NULL, 0, BACKLOG);
		else if (errno != EINTR)
			return LINK_ABSENT;
		if (interrupted())
			return LINK_INTERRUPTED;
		if (left(l) == 0)
			return LINK_LATE;
	}
}

enum link_error link_open(struct link *l, const char *path, int seconds)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	size_t size = strlen(path);

	memset(l, 0, sizeof *l);
	l->fd = -1;
	if (size == 0 || size >= sizeof addr.sun_path)
		return LINK_ABSENT;
	memcpy(addr.sun_path, path, size + 1);
	clock_gettime(CLOCK_MONOTONIC, &l->deadline);
	l->deadline.tv_sec += seconds;
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0)
		return LINK_ABSENT;
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
		return LINK_ABSENT;
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
	while (size > 0) {
		enum link_error err = await(l, POLLOUT);
		ssize_t n;

		if (err != LINK_OK)
			return err;
		n = send(l->fd, data, size, MSG_NOSIGNAL);
		if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
			return LINK_OK; /* the verdict may have crossed the answer: reading tells */
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return LINK_ABSENT;
		if (n > 0) {
			data += n;
			size -= (size_t)n;
		}
	}
	return LINK_OK;
}

enum link_error link_answer(struct link *l, const char *data, size_t size)
{
	enum link_error err = LINK_OK;
	char line[MAX_LINE + 1];

	while (size > 0 && err == LINK_OK) {
		size_t used = 2;
		memcpy(line, "D ", used);
		while (size > 0 && escape(line, MAX_LINE, &used, data, 1, false)) {
			data++;
			size--;
		}
		line[used++] = '\n';
		err = link_send(l, line, used);
	}
	explicit_bzero(line, sizeof line);
	return err == LINK_OK ? link_send(l, "END\n", 4) : err;
}

void link_close(struct link *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	explicit_bzero(l->in, sizeof l->in);
}

bool escape(char *out, size_t room, size_t *used, const char *text, size_t size, bool value)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)text[i];
		bool plain = c != '%' && c != '\r' && c != '\n' && !(value && (c <= ' ' || c == 0x7f));

		if (*used + (plain ? 1 : 3) > room)
			return false;
		if (plain) {
			out[(*used)++] = (char)c;
			continue;
		}
		out[(*used)++] = '%';
		out[(*used)++] = hex[c >> 4];
		out[(*used)++] = hex[c & 15];
	}
	return true;
}

static int unhex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

bool unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from != '\0'; from++) {
		if (*from != '%') {
			*to++ = *from;
			continue;
		}
		int high = unhex(from[1]), low = high < 0 ? -1 : unhex(from[2]);
		if (low < 0 || (high == 0 && low == 0))
			return false;
		*to++ = (char)(high << 4 | low);
		from += 2;
	}
	*to = '\0';
	return true;
}

bool has_control(const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++)
		if (*p < ' ' || *p == 0x7f || (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0))
			return true;
	return false;
}
