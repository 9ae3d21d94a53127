/* An NSS backend that fails in the way that the name asks for. "known" is there
 * as long as the file $FACTORDTEST_UP is, and can't be asked otherwise. */
#include <errno.h>
#include <grp.h>
#include <nss.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KNOWN 54321

static enum nss_status fail(const char *name, int *err)
{
	if (strcmp(name, "down") == 0) {
		*err = ECONNREFUSED;
		return NSS_STATUS_UNAVAIL;
	}
	if (strcmp(name, "gone") == 0) { /* as sssd's does when it is stopped */
		*err = ENOENT;
		return NSS_STATUS_UNAVAIL;
	}
	if (strcmp(name, "later") == 0) {
		*err = EAGAIN;
		return NSS_STATUS_TRYAGAIN;
	}
	if (strcmp(name, "large") == 0) { /* no buffer will ever do */
		*err = ERANGE;
		return NSS_STATUS_TRYAGAIN;
	}
	if (strcmp(name, "hangs") == 0)
		sleep(20);
	*err = ENOENT;
	return NSS_STATUS_NOTFOUND;
}

static enum nss_status known(struct passwd *pw, char *buf, size_t len, int *err)
{
	const char *up = getenv("FACTORDTEST_UP");

	if (up == NULL || access(up, F_OK) != 0) {
		*err = ECONNREFUSED;
		return NSS_STATUS_UNAVAIL;
	}
	if (len < sizeof "known") {
		*err = ERANGE;
		return NSS_STATUS_TRYAGAIN;
	}
	strcpy(buf, "known");
	*pw = (struct passwd){ .pw_name = buf, .pw_passwd = buf, .pw_uid = KNOWN, .pw_gid = KNOWN,
			       .pw_gecos = buf, .pw_dir = buf, .pw_shell = buf };
	return NSS_STATUS_SUCCESS;
}

enum nss_status _nss_factordtest_getpwnam_r(const char *name, struct passwd *pw, char *buf, size_t len, int *err)
{
	return strcmp(name, "known") == 0 ? known(pw, buf, len, err) : fail(name, err);
}

enum nss_status _nss_factordtest_getpwuid_r(uid_t uid, struct passwd *pw, char *buf, size_t len, int *err)
{
	return uid == KNOWN ? known(pw, buf, len, err) : fail("", err);
}

enum nss_status _nss_factordtest_getgrnam_r(const char *name, struct group *gr, char *buf, size_t len, int *err)
{
	(void)gr, (void)buf, (void)len;
	return fail(name, err);
}

enum nss_status _nss_factordtest_initgroups_dyn(const char *user, gid_t group, long *start, long *size, gid_t **groups, long limit, int *err)
{
	(void)user, (void)group, (void)start, (void)size, (void)groups, (void)limit;
	return fail("down", err);
}
