/* text: the wire's escapes, and what may be shown on a terminal. */
#ifndef FACTORD_TEXT_H
#define FACTORD_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* escape appends text to out, which has room for so many bytes, and reports
 * whether it fitted. As a value: spaces and control characters are escaped too. */
bool escape(char *out, size_t room, size_t *used, const char *text, size_t size, bool value);

/* unescape decodes %XX in place. It refuses escapes that are none and whatever
 * would become a NUL; the result ends in one. */
bool unescape(char *text);

/* plain reports whether text is UTF-8 without control characters. */
bool plain(const char *text);

/* printable replaces what is not plain, and returns text. factord has done so
 * already; whoever listens in its place may not have. */
char *printable(char *text);

#endif
