/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A verb is the word behind `lguest`, and one file. To add one: write that file with its `struct
 * verb`, and name it below and in main.c's table; the Makefile finds the file by itself.
 */
#ifndef LGUEST_VERB_H
#define LGUEST_VERB_H

#include "util.h"

/* What the command ends with. */
enum status {
	STATUS_OK = 0,		/* done; the Guest powered off */
	STATUS_CRASHED = 1,	/* the Guest crashed, or broke a rule of the Host's */
	STATUS_USAGE = 2,	/* arguments or files that cannot be used */
	STATUS_FAILED = 3,	/* this program or the Host failed */
};

struct verb {
	const char *name;
	const char *summary;	/* for `lguest help`, without a full stop */
	const char *usage;	/* what `lguest NAME --help` prints, with its last newline */
	/* argv[0] is the verb's name, as getopt wants it. Returns enum status. */
	int (*run)(int argc, char **argv);
};

extern const struct verb verb_run;
extern const struct verb verb_stop;
extern const struct verb verb_pause;
extern const struct verb verb_resume;
extern const struct verb verb_list;
extern const struct verb verb_stat;
extern const struct verb verb_show;
extern const struct verb verb_debug;
extern const struct verb verb_version;
extern const struct verb verb_help;

/* Prints "lguest VERB: sentence" on standard error, and returns the status. */
__printf(2, 3)
int verb_fail(enum status status, const char *format, ...);

/* The same, with the hint that --help knows more; STATUS_USAGE. */
__printf(1, 2)
int verb_misused(const char *format, ...);

/* The option that getopt_long() has just not known, or not had a value for. */
const char *verb_odd_option(char **argv);

#endif /* LGUEST_VERB_H */
