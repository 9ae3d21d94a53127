//go:build ignore

/* pam_factord asks factord whether a login may go on. It is a client of factord's
 * socket and nothing else: it moves questions and answers between the program and
 * factord, and turns the verdict into a PAM code. It decides nothing, forks nothing
 * and keeps nothing; see pam_factord(8) for its arguments. */
#define _GNU_SOURCE
#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "attempt.h"
#include "verdict.h"

enum {
	TIMEOUT = 65,  /* seconds: factord's 60 for an attempt, and time to hear it */
	ENROLLING = 30 /* seconds more, for who sets up a first factor */
};

static const char unreachable[] = "The second factor cannot be checked: factord is not available.";
static const char late[] = "Timed out.";
static const char no_code[] = "Type the code right behind the password.";

/* item is a PAM item, "" if it is not set. */
static const char *item(pam_handle_t *pamh, int type)
{
	const void *value = NULL;

	return pam_get_item(pamh, type, &value) == PAM_SUCCESS && value != NULL ? value : "";
}

/* inquire serves one INQUIRE. */
static enum link_error inquire(struct attempt *a, char *rest)
{
	const char *kind = strsep(&rest, " ");

	if (strcmp(kind, "AUTHINFO") == 0 && rest == NULL) {
		size_t size = strlen(a->key);

		return size == 0 || size > MAX_AUTHINFO ? attempt_put(a, NULL) : link_answer(&a->link, a->key, size);
	}
	if (rest == NULL || !unescape(rest))
		return LINK_GRAMMAR;
	if (strcmp(kind, "SECRET") == 0)
		return person_ask(a, PAM_PROMPT_ECHO_OFF, printable(rest));
	if (strcmp(kind, "PROMPT") == 0)
		return person_ask(a, PAM_PROMPT_ECHO_ON, printable(rest));
	return attempt_put(a, NULL);
}

/* add appends key=value to the AUTH line. */
static bool add(char *line, size_t *used, const char *key, const char *value)
{
	if (*value == '\0')
		return true;
	return escape(line, MAX_LINE, used, " ", 1, false) && escape(line, MAX_LINE, used, key, strlen(key), false) &&
	       escape(line, MAX_LINE, used, "=", 1, false) && escape(line, MAX_LINE, used, value, strlen(value), true);
}

/* greet reads the greeting and sends the AUTH line. */
static enum link_error greet(struct attempt *a, const char *phase)
{
	static const char *const convs[] = {"", "none", "info", "prompt", "flush"};
	char line[MAX_LINE + 1] = "AUTH", *greeting;
	size_t used = 4;
	enum link_error err = link_line(&a->link, &greeting);
	bool first = a->o->first || *a->key != '\0';

	if (err != LINK_OK)
		return err;
	if ((strcmp(greeting, "OK factord 1") != 0 && strncmp(greeting, "OK factord 1 ", 13) != 0) || link_more(&a->link))
		return LINK_GRAMMAR;
	if (!add(line, &used, "user", a->user) || !add(line, &used, "service", a->service) || !add(line, &used, "rhost", a->rhost) ||
	    !add(line, &used, "ruser", a->ruser) || !add(line, &used, "tty", a->tty) || !add(line, &used, "phase", phase) ||
	    !add(line, &used, "conv", a->silent && a->conv == CONV_PROMPT ? "flush" : convs[a->conv]) ||
	    !add(line, &used, "auth-info", *a->key == '\0' ? "" : "1") || !add(line, &used, "first", first ? "1" : ""))
		return LINK_LONG;
	line[used++] = '\n';
	return link_send(&a->link, line, used);
}

/* enroll waits longer, once, unless the administrator has said for how long. */
static bool enroll(struct attempt *a)
{
	if (a->asked || a->enrolling)
		return false;
	a->enrolling = true;
	if (a->o->timeout == 0)
		a->link.deadline.tv_sec += ENROLLING;
	return true;
}

/* judge reads the line after the verdict's, and returns the PAM code. */
static enum link_error judge(struct attempt *a, char *rest, int *code)
{
	struct verdict v;
	enum link_error err;
	char *line, *text;

	if (!verdict_read(&v, rest))
		return LINK_GRAMMAR;
	err = link_line(&a->link, &line);
	if (err != LINK_OK)
		return err;
	text = verdict_confirm(&v, line);
	if (text == NULL || link_more(&a->link))
		return LINK_GRAMMAR;
	*code = verdict_pam(&v);
	if (v.reason == DENIED && a->o->code_size > 0 && a->code == NULL) { /* factord knows of no field */
		pam_syslog(a->pamh, LOG_NOTICE, "single_field: what was typed does not end in a code");
		person_finish(a, no_code);
	} else {
		person_finish(a, v.allow ? "" : printable(text));
	}
	return LINK_OK;
}

/* converse serves factord's lines until the verdict. code is set only then. */
static enum link_error converse(struct attempt *a, int *code)
{
	for (;;) {
		char *line;
		enum link_error err = link_line(&a->link, &line);

		if (err != LINK_OK)
			return err;
		if (strncmp(line, "S VERDICT ", 10) == 0)
			return judge(a, line + 10, code);
		if (strncmp(line, "S INFO ", 7) == 0 && unescape(line + 7))
			person_show(a, printable(line + 7));
		else if (strcmp(line, "S ENROLLING") == 0 && enroll(a))
			continue;
		else if (strncmp(line, "INQUIRE ", 8) != 0)
			return LINK_GRAMMAR;
		else if ((err = inquire(a, line + 8)) != LINK_OK)
			return err;
	}
}

/* fail is the PAM code of an attempt without a verdict. */
static int fail(struct attempt *a, enum link_error err)
{
	char why[256];

	link_why(&a->link, err, why, sizeof why);
	pam_syslog(a->pamh, LOG_ERR, "%s: %s", a->o->socket, why);
	if (err == LINK_INTERRUPTED)
		return PAM_ABORT;
	if (!a->silent && a->conv != CONV_NONE)
		pam_error(a->pamh, "%s", err == LINK_LATE ? late : unreachable);
	return PAM_AUTHINFO_UNAVAIL;
}

/* same_user refuses an allow for one user while another one logs in. */
static int same_user(const struct attempt *a, int code)
{
	if ((code != PAM_SUCCESS && code != PAM_IGNORE) || strcmp(item(a->pamh, PAM_USER), a->mark.user) == 0)
		return code;
	pam_syslog(a->pamh, LOG_ERR, "the program has changed the user since factord was asked");
	return PAM_AUTH_ERR;
}

/* login puts one attempt to factord. */
static int login(struct attempt *a, const char *phase)
{
	int code = PAM_AUTHINFO_UNAVAIL;
	enum link_error err = link_open(&a->link, a->o->socket, a->o->timeout > 0 ? a->o->timeout : TIMEOUT);

	if (err == LINK_OK)
		err = greet(a, phase);
	if (err == LINK_OK)
		err = converse(a, &code);
	link_close(&a->link);
	explicit_bzero(a->cue, sizeof a->cue);
	explicit_bzero(a->said, sizeof a->said);
	return err == LINK_OK ? same_user(a, code) : fail(a, err);
}

/* begin reads the items of the login. PAM_USER is read, and never set. */
static int begin(struct attempt *a, pam_handle_t *pamh, int flags, const struct options *o)
{
	const char *key, *got;
	int err;

	memset(a, 0, sizeof *a);
	a->pamh = pamh;
	a->o = o;
	a->link.fd = -1;
	a->silent = (flags & PAM_SILENT) != 0;
	/* Both may ask the program, and each may free what the other has got. */
	err = pam_get_user(pamh, &got, NULL);
	if (err == PAM_CONV_AGAIN)
		return PAM_INCOMPLETE;
	if (err != PAM_SUCCESS || (o->code_size > 0 && pam_get_authtok(pamh, PAM_AUTHTOK, &got, NULL) != PAM_SUCCESS))
		return PAM_AUTH_ERR;
	a->user = item(pamh, PAM_USER);
	/* Without a user factord would take the caller's own. */
	if (*a->user == '\0')
		return PAM_AUTH_ERR;
	a->field = item(pamh, PAM_AUTHTOK);
	key = pam_getenv(pamh, "SSH_AUTH_INFO_0");
	a->service = item(pamh, PAM_SERVICE);
	a->rhost = item(pamh, PAM_RHOST);
	a->ruser = item(pamh, PAM_RUSER);
	a->tty = item(pamh, PAM_TTY);
	a->key = key != NULL && strcmp(a->tty, "ssh") == 0 ? key : "";
	a->conv = o->conv != CONV_AUTO ? o->conv : strcmp(a->tty, "ssh") == 0 ? CONV_FLUSH : CONV_PROMPT;
	a->marks = mark_fill(&a->mark, a->user, a->service, a->rhost, o->socket);
	return PAM_SUCCESS;
}

/* single_field asks with the end of the program's one field as the code. If the end
 * has not the form of one, nothing of the field is sent. */
static int single_field(struct attempt *a)
{
	size_t want = (size_t)a->o->code_size, size = strlen(a->field);
	char code[MAX_ANSWER + 1] = "", rest[PAM_MAX_RESP_SIZE] = "";
	int result;

	a->conv = CONV_INFO;
	if (size >= want && size < sizeof rest && strspn(a->field + size - want, a->o->code_alphabet) == want) {
		memcpy(code, a->field + size - want, want + 1);
		memcpy(rest, a->field, size - want);
		a->code = code;
		a->conv = CONV_PROMPT;
	}
	result = login(a, "auth");
	if (a->code_spent && pam_set_item(a->pamh, PAM_AUTHTOK, rest) != PAM_SUCCESS)
		result = PAM_AUTHINFO_UNAVAIL;
	explicit_bzero(code, sizeof code);
	explicit_bzero(rest, sizeof rest);
	return result;
}

/* read_options reads the arguments; a mistake refuses, whatever it was meant for. */
static bool read_options(pam_handle_t *pamh, struct options *o, int argc, const char **argv)
{
	const char *wrong = options_read(o, argc, argv);

	if (wrong != NULL)
		pam_syslog(pamh, LOG_ERR, "argument \"%s\" is not understood: see pam_factord(8)", wrong);
	return wrong == NULL;
}

/* key_shown reports whether sshd has verified a key in this login. Its "password"
 * and keyboard-interactive methods run the same stack, and need not have one before
 * them: a line behind that lets in would then let in anybody. */
static bool key_shown(const struct attempt *a)
{
	static const char method[] = "publickey ";

	if (strncmp(a->key, method, sizeof method - 1) == 0)
		return true;
	pam_syslog(a->pamh, LOG_ERR, "no SSH key was shown before this: see AuthenticationMethods in sshd_config(5)");
	return false;
}

__attribute__((visibility("default"))) int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	struct options o;
	struct attempt a;
	int result;

	mark_drop(pamh); /* an attempt before this one may have left it */
	if (!read_options(pamh, &o, argc, argv))
		return PAM_SERVICE_ERR;
	if (o.gate)
		pam_syslog(pamh, LOG_WARNING, "argument \"gate\" does nothing here: it belongs on an account line");
	result = begin(&a, pamh, flags, &o);
	if (result != PAM_SUCCESS)
		return result;
	if (o.need_key && !key_shown(&a))
		result = PAM_AUTH_ERR;
	else
		result = o.code_size > 0 ? single_field(&a) : login(&a, "auth");
	if (result == PAM_SUCCESS && a.marks)
		mark_leave(pamh, &a.mark);
	return result;
}

/* The account phase runs where auth may not have: for "ssh -N" with a key alone. */
__attribute__((visibility("default"))) int pam_sm_acct_mgmt(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	struct options o;
	struct attempt a;
	int result;

	if (!read_options(pamh, &o, argc, argv))
		return PAM_SERVICE_ERR;
	if (!o.gate)
		return PAM_IGNORE;
	o.code_size = 0; /* nobody types anything here */
	result = begin(&a, pamh, flags, &o);
	if (result != PAM_SUCCESS)
		return result;
	if (mark_take(pamh, &a.mark) && a.marks)
		return PAM_SUCCESS;
	a.conv = CONV_NONE;
	result = login(&a, "account");
	if (result != PAM_SUCCESS && result != PAM_IGNORE)
		pam_syslog(pamh, LOG_ERR, "gate: this login came by no auth line of pam_factord: see AuthenticationMethods in sshd_config(5)");
	return result;
}

/* sshd drops the connection if nobody answers this one. */
__attribute__((visibility("default"))) int pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	(void)pamh;
	(void)flags;
	(void)argc;
	(void)argv;
	return PAM_SUCCESS;
}
