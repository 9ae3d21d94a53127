//go:build ignore

#include "text.h"

bool escape(char *out, size_t room, size_t *used, const char *text, size_t size, bool value)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)text[i];
		bool plain = c != '%' && c != '\r' && c != '\n' && !(value && (c <= ' ' || c == 0x7f));

		if (*used + (plain ? 1 : 3) > room)
			return false;
		if (plain) {
			out[(*used)++] = (char)c;
			continue;
		}
		out[(*used)++] = '%';
		out[(*used)++] = hex[c >> 4];
		out[(*used)++] = hex[c & 15];
	}
	return true;
}

static int unhex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

bool unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from != '\0'; from++) {
		if (*from != '%') {
			*to++ = *from;
			continue;
		}
		int high = unhex(from[1]), low = high < 0 ? -1 : unhex(from[2]);
		if (low < 0 || (high == 0 && low == 0))
			return false;
		*to++ = (char)(high << 4 | low);
		from += 2;
	}
	*to = '\0';
	return true;
}

/* character is how many bytes of UTF-8 the character at p has; 0 for what is none,
 * and for what moves the cursor. */
static int character(const unsigned char *p)
{
	int size = *p < 0x80 ? 1 : *p < 0xc2 ? 0 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : *p < 0xf5 ? 4 : 0;

	for (int i = 1; i < size; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if (*p < ' ' || *p == 0x7f || (*p == 0xc2 && p[1] < 0xa0)) /* C0, DEL, C1 */
		return 0;
	if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xf0 && p[1] < 0x90)) /* fewer bytes would do */
		return 0;
	if ((*p == 0xed && p[1] >= 0xa0) || (*p == 0xf4 && p[1] >= 0x90)) /* surrogates, and beyond Unicode */
		return 0;
	return size;
}

bool plain(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	for (int size; *p != '\0'; p += size)
		if ((size = character(p)) == 0)
			return false;
	return true;
}

char *printable(char *text)
{
	unsigned char *p = (unsigned char *)text;

	while (*p != '\0') {
		int size = character(p);
		if (size == 0)
			*p = '?';
		p += size == 0 ? 1 : size;
	}
	return text;
}
