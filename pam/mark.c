//go:build ignore

#include "mark.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char name[] = "factord_mark";

static bool copy(char *to, size_t room, const char *from)
{
	return (size_t)snprintf(to, room, "%s", from) < room;
}

bool mark_fill(struct mark *m, const char *user, const char *service, const char *rhost, const char *socket)
{
	return copy(m->user, sizeof m->user, user) && copy(m->service, sizeof m->service, service) &&
	       copy(m->rhost, sizeof m->rhost, rhost) && copy(m->socket, sizeof m->socket, socket);
}

static void release(pam_handle_t *pamh, void *data, int error)
{
	(void)pamh;
	(void)error;
	free(data);
}

void mark_leave(pam_handle_t *pamh, const struct mark *m)
{
	struct mark *left = malloc(sizeof *left);

	if (left == NULL)
		return;
	*left = *m;
	if (pam_set_data(pamh, name, left, release) != PAM_SUCCESS)
		free(left);
}

void mark_drop(pam_handle_t *pamh)
{
	const void *data;

	if (pam_get_data(pamh, name, &data) == PAM_SUCCESS)
		pam_set_data(pamh, name, NULL, NULL);
}

bool mark_take(pam_handle_t *pamh, const struct mark *m)
{
	const void *data = NULL;
	const struct mark *left;
	bool same;

	if (pam_get_data(pamh, name, &data) != PAM_SUCCESS || data == NULL)
		return false;
	left = data;
	same = strcmp(left->user, m->user) == 0 && strcmp(left->service, m->service) == 0 && strcmp(left->rhost, m->rhost) == 0 &&
	       strcmp(left->socket, m->socket) == 0;
	return pam_set_data(pamh, name, NULL, NULL) == PAM_SUCCESS && same;
}
