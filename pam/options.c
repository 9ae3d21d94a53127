//go:build ignore

#include "options.h"

#include <stdlib.h>
#include <string.h>

enum {
	LONGEST_TIMEOUT = 600, /* seconds */
	YUBICO = 44            /* characters of a Yubico OTP with the usual identity of 12 */
};

static const char digits[] = "0123456789";
static const char modhex[] = "cbdefghijklnrtuvCBDEFGHIJKLNRTUV";

/* after returns what follows prefix in text, NULL if text does not begin so. */
static const char *after(const char *text, const char *prefix)
{
	size_t size = strlen(prefix);

	return strncmp(text, prefix, size) == 0 ? text + size : NULL;
}

/* number reads a decimal from low to high, and nothing else; -1 otherwise. */
static int number(const char *text, int low, int high)
{
	size_t size = strlen(text);
	int n = size > 0 && size <= 4 && strspn(text, digits) == size ? atoi(text) : -1;

	return n >= low && n <= high ? n : -1;
}

static bool read_conv(enum conv *conv, const char *word)
{
	static const char *const words[] = {"auto", "none", "info", "prompt", "flush"};

	for (int i = 0; i < (int)(sizeof words / sizeof *words); i++)
		if (strcmp(word, words[i]) == 0) {
			*conv = (enum conv)i;
			return true;
		}
	return false;
}

static bool read_field(struct options *o, const char *word)
{
	const char *size = after(word, "yubico");

	o->code_alphabet = size == NULL ? digits : modhex;
	if (size == NULL)
		o->code_size = number(word, 6, 8);
	else if (*size == '\0')
		o->code_size = YUBICO;
	else
		o->code_size = *size == ':' ? number(size + 1, 32, 64) : -1;
	return o->code_size > 0;
}

static bool read_one(struct options *o, const char *arg)
{
	const char *value;

	if ((value = after(arg, "socket=")) != NULL) {
		o->socket = value;
		return *value == '/';
	}
	if ((value = after(arg, "timeout=")) != NULL)
		return (o->timeout = number(value, 1, LONGEST_TIMEOUT)) > 0;
	if ((value = after(arg, "conv=")) != NULL)
		return read_conv(&o->conv, value);
	if ((value = after(arg, "single_field=")) != NULL)
		return read_field(o, value);
	if (strcmp(arg, "first") == 0)
		return o->first = true;
	if (strcmp(arg, "need_key") == 0)
		return o->need_key = true;
	return strcmp(arg, "gate") == 0 && (o->gate = true);
}

const char *options_read(struct options *o, int argc, const char **argv)
{
	*o = (struct options){.socket = "/run/factord/factord.sock"};
	for (int i = 0; i < argc; i++)
		if (!read_one(o, argv[i]))
			return argv[i];
	return NULL;
}
