/* mark: auth says to the account phase that it has shown a factor. It is left in the
 * PAM handle, where only modules of this process reach it, and used once. */
#ifndef FACTORD_MARK_H
#define FACTORD_MARK_H

#include <security/pam_modules.h>
#include <stdbool.h>

/* mark is a login: it holds copies, since the program may change its items. There is
 * room for every user name that factord takes. */
struct mark {
	char user[257], service[257], rhost[257], socket[109];
};

/* mark_fill reports whether the login is one that marks are left for. */
bool mark_fill(struct mark *m, const char *user, const char *service, const char *rhost, const char *socket);

/* mark_leave leaves a mark. Without one, the account phase asks factord. */
void mark_leave(pam_handle_t *pamh, const struct mark *m);

/* mark_drop removes the mark, if there is one. */
void mark_drop(pam_handle_t *pamh);

/* mark_take removes the mark, and reports whether it was for this login. */
bool mark_take(pam_handle_t *pamh, const struct mark *m);

#endif
