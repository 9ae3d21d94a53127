#ifndef FACTORD_ATTEMPT_H
#define FACTORD_ATTEMPT_H

#include <security/pam_modules.h>
#include <stdbool.h>

#include "link.h"
#include "mark.h"
#include "options.h"
#include "text.h"

enum {
	MAX_CUE = 12 * 1000 /* bytes of text that waits for a prompt: a QR code of 80 columns, and lines around it */
};

/* attempt is one login put to factord. */
struct attempt {
	pam_handle_t *pamh;
	const struct options *o;
	struct link link;
	/* Valid until the program is shown or asked something, and may change them. */
	const char *user, *service, *rhost, *ruser, *tty, *key, *field;
	struct mark mark;
	bool marks;
	enum conv conv;
	bool silent;
	const char *code; /* of single_field, for the first question */
	bool code_spent;
	bool asked;     /* something, of the person */
	bool enrolling; /* the person sets up a factor in this login */
	char cue[MAX_CUE];      /* text that is shown with the next prompt */
	char said[MAX_LINE + 1]; /* the last text shown */
};

/* attempt_put answers an inquiry; NULL cancels it. */
enum link_error attempt_put(struct attempt *a, const char *answer);

/* person_show shows a text, now or together with the next prompt: sshd shows nothing
 * before that, and a program that wants silence nothing at all. */
void person_show(struct attempt *a, const char *text);

/* person_finish shows what is left to say when the verdict has come. */
void person_finish(struct attempt *a, const char *refusal);

/* person_ask puts a question to the person and their answer to factord. No answer at
 * all is not an empty one. */
enum link_error person_ask(struct attempt *a, int style, const char *text);

#endif
