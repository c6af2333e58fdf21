/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How the library tells of a fault that a person has to mend: one sentence. What a program can act
 * on (a request to /dev/lguest that failed) is a negative errno instead, and needs nothing from
 * here.
 */
#ifndef LGUEST_ERROR_H
#define LGUEST_ERROR_H

/* Bytes of a sentence, its NUL included; a longer one is cut. */
#define LGUEST_ERROR_MAX	512

struct lguest_error {
	char text[LGUEST_ERROR_MAX];	/* without a newline at its end */
};

/* Writes the sentence. Always returns -1, so that the place that finds a fault can return it. */
__attribute__((format(printf, 2, 3)))
int lguest_fail(struct lguest_error *error, const char *format, ...);

#endif /* LGUEST_ERROR_H */
