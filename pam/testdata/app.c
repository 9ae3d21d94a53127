/* app is a PAM application that does what applications do to modules: it closes its
 * descriptors, blocks signals, has no conversation or one that fails, and items that
 * nobody would believe.
 *
 *	app SERVICE USER [key=value ...]
 *
 * Each word is carried out in its order; a value "N*c" is N times the character c.
 * What "once" says is typed once, one word after the other, and nothing after that.
 * "clock" is the time that modules see.
 * authenticate and acct_mgmt are words too. It says what it was shown and asked, and
 * the PAM code of each phase. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <security/pam_appl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int report; /* a descriptor of the program's own */
static pam_handle_t *pamh;
static const char *answer = "123456", *behaviour = "answers";
static const char *once[8];
static int n_once, n_typed;
static time_t stopped; /* clock, 0 if it goes */

/* time stands before the C library's in what a module finds. */
time_t time(time_t *out)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (stopped != 0)
		now.tv_sec = stopped;
	if (out != NULL)
		*out = now.tv_sec;
	return now.tv_sec;
}

/* descriptors says which ones a program that is started now would get, and who has
 * taken the place of a standard one. */
static void descriptors(const char *when)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	dprintf(report, "%s:", when);
	while ((entry = readdir(dir)) != NULL) {
		int fd = atoi(entry->d_name);
		if (entry->d_name[0] != '.' && fd != dirfd(dir) && (fd < 3 || (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0))
			dprintf(report, " %d", fd);
	}
	dprintf(report, ".\n");
	closedir(dir);
}

/* move changes the items of a login in progress, which frees what they were. */
static void move(void)
{
	int moves = strcmp(behaviour, "moves") == 0;

	if (moves)
		pam_set_item(pamh, PAM_USER, "somebody-else");
	if (moves || strcmp(behaviour, "roams") == 0)
		pam_set_item(pamh, PAM_RHOST, "192.0.2.99");
	if (strcmp(behaviour, "rekeys") == 0)
		pam_putenv(pamh, "SSH_AUTH_INFO_0=publickey another");
}

/* behave does what the words asked for, and returns the conversation's code. */
static int behave(struct pam_response *reply)
{
	if (strcmp(behaviour, "sleeps") == 0)
		sleep(2);
	if (strcmp(behaviour, "looks") == 0)
		descriptors("descriptors when asked");
	if (strcmp(behaviour, "null") == 0)
		return PAM_SUCCESS;
	if (n_once > 0 && n_typed == n_once)
		return PAM_CONV_ERR;
	reply->resp = strdup(n_once > 0 ? once[n_typed++] : answer);
	return strcmp(behaviour, "fails") == 0 ? PAM_CONV_ERR : strcmp(behaviour, "ignores") == 0 ? PAM_IGNORE :
	       strcmp(behaviour, "again") == 0 ? PAM_CONV_AGAIN : PAM_SUCCESS;
}

static int converse(int n, const struct pam_message **msg, struct pam_response **resp, void *data)
{
	int code = PAM_SUCCESS;

	(void)data;
	if (strcmp(behaviour, "nothing") == 0)
		return PAM_SUCCESS;
	*resp = calloc((size_t)n, sizeof **resp);
	for (int i = 0; i < n; i++) {
		int asks = msg[i]->msg_style == PAM_PROMPT_ECHO_OFF || msg[i]->msg_style == PAM_PROMPT_ECHO_ON;
		dprintf(report, "%s: %s\n", asks ? "asked" : "shown", msg[i]->msg);
		move();
		if (asks)
			code = behave(*resp + i);
	}
	return code;
}

static void phase(const char *name, int code)
{
	dprintf(report, "%s: %s\n", name, code == PAM_IGNORE ? "PAM_IGNORE" : pam_strerror(pamh, code));
}

/* repeated is a value "N*c" in full. */
static const char *repeated(const char *value)
{
	static char *kept[16];
	static int n_kept;
	char *rest;
	unsigned long n = strtoul(value, &rest, 10);
	char *text;

	if (rest == value || *rest != '*' || rest[1] == '\0')
		return value;
	text = malloc(n + 1);
	memset(text, rest[1], n);
	text[n] = '\0';
	return kept[n_kept++ % 16] = text; /* until the end */
}

static void blocked(int sig, int raised)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (raised)
		raise(sig);
}

static void carry_out(char *word)
{
	static int flags;
	char *value = strchr(word, '=');

	if (value != NULL)
		*value++ = '\0';
	if (strcmp(word, "authenticate") == 0)
		phase(word, pam_authenticate(pamh, flags));
	else if (strcmp(word, "acct_mgmt") == 0)
		phase(word, pam_acct_mgmt(pamh, flags));
	else if (strcmp(word, "descriptors") == 0)
		descriptors(word);
	else if (strcmp(word, "silent") == 0)
		flags = PAM_SILENT;
	else if (strcmp(word, "closed") == 0)
		for (int fd = 0; fd < 3; fd++)
			close(fd);
	else if (strcmp(word, "pending") == 0)
		blocked(SIGINT, 1);
	else if (strcmp(word, "ignored") == 0)
		signal(SIGINT, SIG_IGN);
	else if (strcmp(word, "broken") == 0) {
		char *volatile twice = malloc(1);
		free(twice);
		free(twice);
	} else if (strcmp(word, "mute") == 0)
		pam_set_item(pamh, PAM_CONV, &(struct pam_conv){NULL, NULL});
	else if (strcmp(word, "answer") == 0)
		answer = repeated(value);
	else if (strcmp(word, "once") == 0 && n_once < (int)(sizeof once / sizeof *once))
		once[n_once++] = value;
	else if (strcmp(word, "clock") == 0)
		stopped = atol(value);
	else if (strcmp(word, "behaviour") == 0)
		behaviour = value;
	else if (strcmp(word, "key") == 0) {
		char *env;
		if (asprintf(&env, "SSH_AUTH_INFO_0=%s", repeated(value)) > 0)
			pam_putenv(pamh, env);
		free(env);
	} else {
		int item = strcmp(word, "rhost") == 0 ? PAM_RHOST : strcmp(word, "ruser") == 0 ? PAM_RUSER :
		           strcmp(word, "tty") == 0 ? PAM_TTY : strcmp(word, "user") == 0 ? PAM_USER : -1;
		if (item < 0 || pam_set_item(pamh, item, value == NULL ? NULL : repeated(value)) != PAM_SUCCESS)
			dprintf(report, "%s: not understood\n", word);
	}
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	close_range(3, ~0u, 0);
	report = fcntl(1, F_DUPFD_CLOEXEC, 100);
	if (pam_start(argv[1], argv[2], &(struct pam_conv){converse, NULL}, &pamh) != PAM_SUCCESS)
		return 2;
	for (int i = 3; i < argc; i++)
		carry_out(argv[i]);
	pam_end(pamh, PAM_SUCCESS);
	return 0;
}
