/* options: the arguments of a PAM line. */
#ifndef FACTORD_OPTIONS_H
#define FACTORD_OPTIONS_H

#include <stdbool.h>

/* conv is what the program can do with text and questions (the wire's words). */
enum conv { CONV_AUTO, CONV_NONE, CONV_INFO, CONV_PROMPT, CONV_FLUSH };

struct options {
	const char *socket;
	int timeout; /* seconds; 0: the default */
	enum conv conv;
	/* single_field: so many characters at the end of the one field are the
	 * code, of this alphabet. 0: the program can ask. */
	int code_size;
	const char *code_alphabet;
	bool first; /* a first factor was proven before this line */
	bool gate;  /* the account phase asks too */
	bool need_key; /* refuse whom sshd has not seen a key of */
};

/* options_read reads the arguments. It returns the first that it does not
 * understand, NULL if there is none. */
const char *options_read(struct options *o, int argc, const char **argv);

#endif
