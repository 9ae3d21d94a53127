/* fuzz puts a hostile factord in front of the whole module: libFuzzer's input is what
 * it says, after two bytes that choose how the module is called and what the person
 * answers. PAM and the socket are played here. What must hold for any input:
 *
 *	- only what says "S VERDICT allow " gives SUCCESS or IGNORE;
 *	- text that is shown is UTF-8, of lines without control characters;
 *	- what is sent is lines of the wire, AUTH first and once;
 *	- of a single field, nothing is sent but the code, and nothing is shown that it
 *	  could not be asked about;
 *	- nothing is waited for beyond 95 seconds, and beyond 65 only where factord has
 *	  said that somebody enrols.
 *
 * With -DSEEDS it is a program that runs the files that it is given. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int play_socket(int domain, int type, int protocol);
static int play_connect(int fd, const struct sockaddr *addr, socklen_t size);
static int play_poll(struct pollfd *p, nfds_t n, int ms);
static int play_peer(int fd, int level, int name, void *value, socklen_t *size);
static ssize_t play_recv(int fd, void *buf, size_t size, int flags);
static ssize_t play_send(int fd, const void *buf, size_t size, int flags);

#define socket play_socket
#define connect play_connect
#define poll(p, n, ms) play_poll(p, n, ms)
#define getsockopt play_peer
#define recv play_recv
#define send play_send
#include "../link.c"
#undef socket
#undef connect
#undef poll
#undef getsockopt
#undef recv
#undef send
static void play_close(struct link *l);
#include "../mark.c"
#include "../options.c"
#define link_close play_close
#include "../pam_factord.c"
#include "../person.c"
#undef link_close
#include "../text.c"
#include "../verdict.c"

#define MUST(what) do { if (!(what)) { fprintf(stderr, "it must hold: %s\n", #what); abort(); } } while (0)

enum { ACCOUNT = 1, SSH = 2, SILENT = 4, FIELD = 8, KEY_OTP = 16, CONV = 32, NO_GREETING = 128 };

static const char greeting[] = "OK factord 1\n", password[] = "correct horse", user_name[] = "alice";
static uint8_t shape, person;
static char said[1 << 17];  /* of factord, and how much of it */
static size_t size_said, heard; /* was heard */
static char sent[MAX_LINE + 1]; /* the line that is being sent */
static size_t size_sent, n_sent;
static char *token;         /* PAM_AUTHTOK */
static struct timespec opened; /* when the module connected */
static int extended;        /* attempts that were given more time */
static void *kept;          /* pam_set_data */
static void (*release_kept)(pam_handle_t *, void *, int);

static int play_socket(int domain, int type, int protocol)
{
	(void)domain, (void)type, (void)protocol;
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

static int play_connect(int fd, const struct sockaddr *addr, socklen_t size)
{
	(void)fd, (void)addr, (void)size;
	clock_gettime(CLOCK_MONOTONIC, &opened);
	return 0;
}

static void play_close(struct link *l)
{
	long longest = l->deadline.tv_sec - opened.tv_sec;

	MUST(longest <= TIMEOUT || memmem(said, heard, "S ENROLLING", 11) != NULL);
	MUST(longest <= 95);
	extended += longest > TIMEOUT + 1;
	link_close(l);
}

static int play_poll(struct pollfd *p, nfds_t n, int ms)
{
	(void)n, (void)ms;
	p->revents = p->events;
	return 1;
}

static int play_peer(int fd, int level, int name, void *value, socklen_t *size)
{
	(void)fd, (void)level, (void)name;
	memset(value, 0, *size);
	return 0;
}

/* play_recv gives what factord says in pieces, and at last its end. The greeting is a
 * piece, since nothing may follow it unasked. */
static ssize_t play_recv(int fd, void *buf, size_t size, int flags)
{
	static const size_t pieces[] = {1, 2, 3, 13, 100, 999, 1001, 4096};
	size_t n = pieces[person & 7];

	(void)fd, (void)flags;
	if (n_sent == 0 && !(shape & NO_GREETING) && heard < sizeof greeting - 1)
		size = size < sizeof greeting - 1 - heard ? size : sizeof greeting - 1 - heard;
	n = n < size ? n : size;
	n = n < size_said - heard ? n : size_said - heard;
	memcpy(buf, said + heard, n);
	heard += n;
	return (ssize_t)n;
}

static void check_line(void)
{
	sent[size_sent] = '\0';
	MUST(strlen(sent) == size_sent);
	MUST((strncmp(sent, "AUTH ", 5) == 0) == (n_sent == 0));
	MUST(n_sent == 0 || strncmp(sent, "D ", 2) == 0 || strcmp(sent, "END") == 0 || strcmp(sent, "CAN") == 0);
	MUST((shape & (FIELD | ACCOUNT)) != FIELD || (shape & (KEY_OTP | SSH)) || strncmp(sent, "D ", 2) != 0 || strcmp(sent, "D 123456") == 0);
	n_sent++;
	size_sent = 0;
}

static ssize_t play_send(int fd, const void *buf, size_t size, int flags)
{
	(void)fd;
	MUST(flags & MSG_NOSIGNAL);
	for (size_t i = 0; i < size; i++) {
		if (((const char *)buf)[i] == '\n') {
			check_line();
			continue;
		}
		MUST(size_sent < MAX_LINE);
		sent[size_sent++] = ((const char *)buf)[i];
	}
	return (ssize_t)size;
}

/* answer is what the person types. */
static int answer(char **response)
{
	static const char *const answers[] = {NULL, "", "123456", "%\r\n%\x01\xff"};
	int kind = person >> 3 & 7;

	if (kind < 4)
		*response = answers[kind] == NULL ? NULL : strdup(answers[kind]);
	else if ((*response = calloc(1, 514)) != NULL)
		memset(*response, '%', kind < 6 ? 512 : 513);
	return person >> 6 == 3 ? PAM_CONV_ERR : PAM_SUCCESS;
}

int pam_prompt(pam_handle_t *pamh, int style, char **response, const char *format, ...)
{
	char text[MAX_CUE + 2 * MAX_LINE];
	va_list args;

	(void)pamh;
	va_start(args, format);
	MUST(vsnprintf(text, sizeof text, format, args) < (int)sizeof text);
	va_end(args);
	for (char *line = text, *rest = text; (line = strsep(&rest, "\n")) != NULL;)
		MUST(plain(line));
	MUST(!(shape & ACCOUNT));
	if (style != PAM_PROMPT_ECHO_OFF && style != PAM_PROMPT_ECHO_ON)
		return PAM_SUCCESS;
	return answer(response);
}

int pam_get_user(pam_handle_t *pamh, const char **user, const char *prompt)
{
	(void)pamh, (void)prompt;
	*user = user_name;
	return PAM_SUCCESS;
}

int pam_get_item(const pam_handle_t *pamh, int type, const void **value)
{
	(void)pamh;
	*value = type == PAM_TTY ? shape & SSH ? "ssh" : "/dev/pts/0" : type == PAM_SERVICE ? "fuzz \x01" :
	         type == PAM_USER ? user_name : type == PAM_AUTHTOK ? token : NULL;
	return PAM_SUCCESS;
}

const char *pam_getenv(pam_handle_t *pamh, const char *name)
{
	(void)pamh, (void)name;
	return "publickey ssh-ed25519 AAAA\n";
}

int pam_get_authtok(pam_handle_t *pamh, int type, const char **value, const char *prompt)
{
	(void)pamh, (void)type, (void)prompt;
	*value = token;
	return PAM_SUCCESS;
}

int pam_set_item(pam_handle_t *pamh, int type, const void *value)
{
	(void)pamh;
	MUST(type == PAM_AUTHTOK && strcmp(value, password) == 0);
	free(token);
	token = strdup(value);
	return PAM_SUCCESS;
}

int pam_set_data(pam_handle_t *pamh, const char *name, void *data, void (*cleanup)(pam_handle_t *, void *, int))
{
	(void)name;
	if (kept != NULL)
		release_kept(pamh, kept, 0);
	kept = data;
	release_kept = cleanup;
	return PAM_SUCCESS;
}

int pam_get_data(const pam_handle_t *pamh, const char *name, const void **data)
{
	(void)pamh, (void)name;
	*data = kept;
	return kept == NULL ? PAM_NO_MODULE_DATA : PAM_SUCCESS;
}

void pam_syslog(const pam_handle_t *pamh, int priority, const char *format, ...)
{
	(void)pamh, (void)priority, (void)format;
}

/* call calls the module in the shape of this run. */
static int call(void)
{
	pam_handle_t *handle = (pam_handle_t *)&kept; /* nobody looks inside */
	static const char *const convs[] = {"conv=auto", "conv=flush", "conv=info", "conv=none"};
	const char *argv[] = {"gate", convs[shape / CONV & 3], shape & KEY_OTP ? "single_field=yubico:32" : "single_field=6"};
	int argc = shape & FIELD ? 3 : 2;

	return shape & ACCOUNT ? pam_sm_acct_mgmt(handle, 0, argc, argv) : pam_sm_authenticate(handle, shape & SILENT ? PAM_SILENT : 0, argc, argv);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t begin;
	int code;

	if (size < 2 || size > sizeof said / 2)
		return 0;
	shape = data[0];
	person = data[1];
	begin = shape & NO_GREETING ? 0 : sizeof greeting - 1;
	memcpy(said, greeting, begin);
	memcpy(said + begin, data + 2, size - 2);
	size_said = begin + size - 2;
	heard = size_sent = n_sent = 0;
	if (asprintf(&token, "%s%s", password, shape & KEY_OTP ? "cccccccccccccccccccccccccccccccc" : "123456") < 0)
		abort();
	code = call();
	MUST((code != PAM_SUCCESS && code != PAM_IGNORE) || memmem(said, size_said, "S VERDICT allow ", 16) != NULL);
	MUST((code == PAM_SUCCESS && !(shape & ACCOUNT)) == (kept != NULL));
	MUST(size_sent == 0);
	if (kept != NULL) { /* the mark of this login opens the gate once */
		shape |= ACCOUNT;
		MUST(call() == PAM_SUCCESS && kept == NULL);
	}
	free(token);
	return 0;
}

#ifdef SEEDS
int main(int argc, char **argv)
{
	static uint8_t data[sizeof said];

	for (int i = 1; i < argc; i++) {
		FILE *f = fopen(argv[i], "r");
		LLVMFuzzerTestOneInput(data, f == NULL ? 0 : fread(data, 1, sizeof data, f));
		if (f != NULL)
			fclose(f);
	}
	printf("%d seeds%s\n", argc - 1, extended > 0 ? "" : ", none of somebody who enrols");
	return 0;
}
#endif
