/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Giving up rights, once everything is open and before the Guest's first
 * instruction: a Guest that took over this process could do what the running of a
 * Guest needs, and nothing else.
 */
#ifndef LGUEST_SANDBOX_H
#define LGUEST_SANDBOX_H

#include "lib/error.h"

/*
 * Drops all capabilities, for good. These are the calling thread's and those of threads that it
 * starts later: to be called before there are others. -1 with a sentence.
 */
int sandbox_drop_rights(struct lguest_error *error);

/*
 * Confines all threads to a list of system calls: no file can be opened, no program started, no
 * memory made executable. One that is not on the list kills the process with SIGSYS. -1 with a
 * sentence.
 */
int sandbox_enter(struct lguest_error *error);

#endif /* LGUEST_SANDBOX_H */
