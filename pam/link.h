/* link: factord's socket, in lines. Every buffer is bounded and every wait ends. */
#ifndef FACTORD_LINK_H
#define FACTORD_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

enum {
	MAX_LINE = 1000,    /* bytes of a line, without its end (Assuan) */
	MAX_ANSWER = 512,   /* bytes of an answer; PAM_MAX_RESP_SIZE too */
	MAX_AUTHINFO = 16384 /* bytes of SSH_AUTH_INFO_0 */
};

enum link_error {
	LINK_OK,
	LINK_ABSENT,      /* nobody listens, or factord has gone */
	LINK_STRANGER,    /* somebody else listens */
	LINK_LATE,        /* the deadline has passed */
	LINK_INTERRUPTED, /* a signal is pending that the program has blocked: Ctrl-C under sudo */
	LINK_GRAMMAR,     /* a line that factord does not send */
	LINK_LONG         /* what would be sent does not fit into a line */
};

struct link {
	int fd;
	int cause; /* errno of LINK_ABSENT; 0: the one who listened has closed it */
	struct timespec deadline;
	size_t start, end; /* what is received and not yet returned */
	char in[MAX_LINE + 2];
};

/* link_open connects to the socket at path and checks who listens there. All that
 * is done with the link ends after so many seconds. */
enum link_error link_open(struct link *l, const char *path, int seconds);

/* link_line returns the next line, ended by a NUL; it is valid until the next call. */
enum link_error link_line(struct link *l, char **line);

/* link_why writes for the log why a link failed. */
void link_why(const struct link *l, enum link_error err, char *buf, size_t size);

/* link_more says whether something has come that link_line has not returned. */
bool link_more(const struct link *l);

/* link_send sends size bytes as they are. */
enum link_error link_send(struct link *l, const char *data, size_t size);

/* link_answer sends size bytes as D lines, and END. */
enum link_error link_answer(struct link *l, const char *data, size_t size);

/* link_close wipes what was received. It takes a link that was never opened, if
 * its fd is -1. */
void link_close(struct link *l);

#endif
