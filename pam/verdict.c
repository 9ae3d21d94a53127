//go:build ignore

#define _GNU_SOURCE
#include "verdict.h"

#include <security/pam_modules.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

/* reasons, in the order of the wire, and what PAM is told. */
static const struct {
	const char *word;
	int pam;
} reasons[] = {
	{"", PAM_AUTH_ERR},
	{"denied", PAM_AUTH_ERR},
	{"not-enrolled", PAM_AUTH_ERR},
	{"no-rule", PAM_AUTH_ERR},
	{"locked", PAM_MAXTRIES},
	{"rate-limited", PAM_MAXTRIES},
	{"unavailable", PAM_AUTHINFO_UNAVAIL},
	{"timeout", PAM_AUTHINFO_UNAVAIL},
	{"cancelled", PAM_ABORT},
	{"replayed", PAM_AUTH_ERR},
	{"protocol", PAM_AUTHINFO_UNAVAIL},
	{"not-permitted", PAM_AUTH_ERR},
	{"internal", PAM_AUTHINFO_UNAVAIL},
	{"attempts", PAM_MAXTRIES},
	{"push-denied", PAM_MAXTRIES},
};
enum { REASONS = sizeof reasons / sizeof *reasons };

/* bases of an allow. "sufficient" must let nobody in without a proof, so the
 * others are PAM_IGNORE. */
static const struct {
	const char *word;
	bool proven;
} bases[] = {
	{"factor", true}, {"remembered", true}, {"exempt", false}, {"not-enrolled", false}, {"audit", false}, {"unavailable", false},
};
enum { BASES = sizeof bases / sizeof *bases, AUDIT = 4 };

/* fields are the keys of a verdict, each at most once. */
struct fields {
	const char *reason, *basis, *factor, *rule, *would;
};

static const char **field(struct fields *f, const char *key)
{
	if (strcmp(key, "reason") == 0)
		return &f->reason;
	if (strcmp(key, "basis") == 0)
		return &f->basis;
	if (strcmp(key, "factor") == 0)
		return &f->factor;
	if (strcmp(key, "rule") == 0)
		return &f->rule;
	return strcmp(key, "would") == 0 ? &f->would : NULL;
}

static bool read_fields(struct fields *f, char *rest)
{
	char *word;

	while ((word = strsep(&rest, " ")) != NULL) {
		char *value = strchr(word, '=');
		const char **place;

		if (value == NULL)
			return false;
		*value++ = '\0';
		place = field(f, word);
		if (place == NULL || *place != NULL || !unescape(value) || !plain(value))
			return false;
		*place = value;
	}
	return true;
}

static bool read_allow(struct verdict *v, const struct fields *f)
{
	for (int i = 0; f->basis != NULL && i < BASES; i++) {
		if (strcmp(f->basis, bases[i].word) != 0)
			continue;
		v->allow = true;
		v->proven = bases[i].proven;
		if ((f->would != NULL) != (i == AUDIT))
			return false;
		if (f->would == NULL)
			return true;
		int would = strlen(f->would) == 3 && strspn(f->would, "0123456789") == 3 ? atoi(f->would) : 0;
		return would > 100 && would < 100 + REASONS;
	}
	return false;
}

bool verdict_read(struct verdict *v, char *rest)
{
	struct fields f = {0};
	char *word = strsep(&rest, " ");

	memset(v, 0, sizeof *v);
	if (!read_fields(&f, rest))
		return false;
	if (strcmp(word, "allow") == 0) {
		if (f.reason == NULL && read_allow(v, &f))
			return true;
		memset(v, 0, sizeof *v);
		return false;
	}
	if (strcmp(word, "deny") != 0 || f.basis != NULL || f.factor != NULL || f.would != NULL)
		return false;
	for (int i = 1; f.reason != NULL && i < REASONS; i++)
		if (strcmp(f.reason, reasons[i].word) == 0)
			v->reason = i;
	return v->reason != 0;
}

char *verdict_confirm(const struct verdict *v, char *line)
{
	char *word = strsep(&line, " ");
	char number[16];

	if (v->allow)
		return strcmp(word, "OK") == 0 ? word + strlen(word) : NULL;
	if (v->reason <= 0 || v->reason >= REASONS || strcmp(word, "ERR") != 0 || line == NULL)
		return NULL;
	word = strsep(&line, " ");
	snprintf(number, sizeof number, "%d", 100 + v->reason);
	if (strcmp(word, number) != 0)
		return NULL;
	if (line == NULL)
		return word + strlen(word);
	return unescape(line) ? line : NULL;
}

int verdict_pam(const struct verdict *v)
{
	if (v->allow)
		return v->proven ? PAM_SUCCESS : PAM_IGNORE;
	return v->reason > 0 && v->reason < REASONS ? reasons[v->reason].pam : PAM_AUTH_ERR;
}
