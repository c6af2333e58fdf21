/* SPDX-License-Identifier: GPL-2.0 */
/* The one thing of JSON that is not printf()'s: strings (RFC 8259, 7). */
#ifndef LGUEST_JSON_H
#define LGUEST_JSON_H

#include <stdio.h>

static inline void json_string(FILE *out, const char *text)
{
	putc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putc('\\', out);
		if ((unsigned char)*text < ' ')
			fprintf(out, "\\u%04x", *text);
		else
			putc(*text, out);
	}
	putc('"', out);
}

#endif /* LGUEST_JSON_H */
