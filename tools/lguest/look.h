/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guests as others see them: found in the Host's debugfs, read, and their memory.
 * For the verbs that look; root only, as the files are.
 */
#ifndef LGUEST_LOOK_H
#define LGUEST_LOOK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "lib/error.h"

#define LOOK_DEBUGFS "/sys/kernel/debug/lguest"
/* Bytes of a folder's name and of a Guest's, their NULs included. */
#define LOOK_FOLDER_MAX 32
#define LOOK_NAME_MAX 64

struct look_guest {
	char folder[LOOK_FOLDER_MAX]; /* <pid>-<number> */
	char name[LOOK_NAME_MAX]; /* fit for a terminal */
	pid_t pid; /* of the Launcher */
	unsigned long number;
};

/*
 * All Guests, by number: *guests is to be freed. Their count, or -1 with a
 * sentence: no debugfs, no module, no right.
 */
int look_guests(struct look_guest **guests, struct lguest_error *error);

/* The one that is called so: by name, number or folder. 0, or -1 with a sentence. */
int look_find(const char *name, struct look_guest *guest,
	      struct lguest_error *error);

/*
 * A file of its folder, whole, to be freed; NULL: it cannot be read, errno says
 * why. ENODEV and ENOENT: the Guest has gone.
 */
char *look_read(const struct look_guest *guest, const char *file);
/* The same through a file that is written to first. */
char *look_ask(const struct look_guest *guest, const char *file,
	       const char *question);

/* Of a text with lines "name value": the value, or `none`. */
uint64_t look_number(const char *text, const char *name, int base,
		     uint64_t none);

/* ---- Ranges of addresses: files pagetables and shadow ---- */

#define LOOK_WRITE 1u
#define LOOK_EXECUTE 2u
#define LOOK_USER 4u

struct look_range {
	uint64_t start, end, gpa; /* end: of its last byte */
	unsigned int flags; /* LOOK_* */
};

/*
 * Lines that begin with `prefix` become ranges, in their order: *ranges is to be
 * freed. Their count. What has no mapping is left out.
 */
size_t look_ranges(const char *text, const char *prefix,
		   struct look_range **ranges);

/* Prints what a Guest has a say in: nothing that a terminal would obey. */
void look_print(FILE *out, const char *text);

#endif /* LGUEST_LOOK_H */
