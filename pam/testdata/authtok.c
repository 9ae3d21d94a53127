/* authtok is a PAM module that stands around another one, as pam_unix does: with
 * "ask" it has asked for a password, with "show" it says what of it is left. It
 * decides nothing. */
#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <string.h>

int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	const void *left = NULL;
	const char *typed;

	(void)flags;
	if (argc == 1 && strcmp(argv[0], "ask") == 0)
		pam_get_authtok(pamh, PAM_AUTHTOK, &typed, NULL);
	else if (pam_get_item(pamh, PAM_AUTHTOK, &left) != PAM_SUCCESS || left == NULL)
		pam_info(pamh, "left: nothing");
	else
		pam_info(pamh, "left: \"%s\"", (const char *)left);
	return PAM_IGNORE;
}

int pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	(void)pamh;
	(void)flags;
	(void)argc;
	(void)argv;
	return PAM_IGNORE;
}
