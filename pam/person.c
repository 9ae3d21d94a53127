//go:build ignore

/* The person's side: what the program's conversation shows and asks. */
#define _GNU_SOURCE
#include "attempt.h"

#include <security/pam_ext.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum link_error attempt_put(struct attempt *a, const char *answer)
{
	if (answer == NULL || strlen(answer) > MAX_ANSWER)
		return link_send(&a->link, "CAN\n", 4);
	return link_answer(&a->link, answer, strlen(answer));
}

void person_show(struct attempt *a, const char *text)
{
	size_t used = strlen(a->cue);

	snprintf(a->said, sizeof a->said, "%s", text);
	/* One field takes no second answer, so a secret is not shown in vain. */
	if (a->conv == CONV_NONE || (a->enrolling && a->o->code_size > 0))
		return;
	if (a->conv != CONV_FLUSH && !a->silent) {
		pam_info(a->pamh, "%s", text);
		a->key = ""; /* factord asks for it before it says anything */
	} else if (strlen(text) + 1 < sizeof a->cue - used) /* a part of a line could end in a part of a character */
		snprintf(a->cue + used, sizeof a->cue - used, "%s\n", text);
}

void person_finish(struct attempt *a, const char *refusal)
{
	size_t used = strlen(a->cue);

	if (a->silent || a->conv == CONV_NONE)
		return;
	if (used > 0) {
		a->cue[used - 1] = '\0';
		pam_info(a->pamh, "%s", a->cue);
	}
	if (*refusal != '\0' && strcmp(refusal, a->said) != 0)
		pam_error(a->pamh, "%s", refusal);
}

enum link_error person_ask(struct attempt *a, int style, const char *text)
{
	char *answer = NULL;
	enum link_error err;
	bool answered;

	a->asked = true;
	if (a->o->code_size > 0) { /* the program can't ask: the code came with the password */
		bool given = a->code != NULL && !a->code_spent && style == PAM_PROMPT_ECHO_OFF;

		a->code_spent = a->code_spent || given;
		return attempt_put(a, given ? a->code : NULL);
	}
	if (a->conv == CONV_NONE || a->conv == CONV_INFO)
		return attempt_put(a, NULL);
	answered = pam_prompt(a->pamh, style, &answer, "%s%s", a->cue, text) == PAM_SUCCESS;
	explicit_bzero(a->cue, sizeof a->cue); /* it may have been a secret */
	a->said[0] = '\0';
	a->key = "";
	err = attempt_put(a, answered ? answer : NULL);
	if (answer != NULL)
		explicit_bzero(answer, strlen(answer));
	free(answer);
	return err;
}
