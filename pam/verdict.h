/* verdict: the two lines that end an attempt. The zero value refuses. */
#ifndef FACTORD_VERDICT_H
#define FACTORD_VERDICT_H

#include <stdbool.h>

struct verdict {
	bool allow;
	bool proven; /* of an allow: a factor was shown, now or lately */
	int reason;  /* of a refusal: its place in the wire's list, 1 to 14 */
};

enum { DENIED = 1 }; /* of these the first: no factor, or a wrong one */

/* verdict_read reads what follows "S VERDICT ", and changes it. What it leaves in v
 * does not hold before verdict_confirm. */
bool verdict_read(struct verdict *v, char *rest);

/* verdict_confirm checks the line after it: OK for an allow, ERR with the reason's
 * number for a refusal. It returns the text for the person, which may be empty, and
 * NULL for a line that is neither. */
char *verdict_confirm(const struct verdict *v, char *line);

/* verdict_pam is the PAM code of a verdict that was confirmed. */
int verdict_pam(const struct verdict *v);

#endif
