/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How `lguest stop NAME` and the like reach the process that runs the Guest: a
 * socket in the abstract namespace, named after the Guest, so that nothing is left
 * behind in any file system, and no two Guests have one name.
 */
#ifndef LGUEST_CONTROL_H
#define LGUEST_CONTROL_H

#include "lib/error.h"

/* Bytes of a Guest's name, its NUL included. */
#define CONTROL_NAME_MAX 64
/* Bytes of a command, its NUL included. */
#define CONTROL_COMMAND_MAX 16

/*
 * True if it is made of 1 to CONTROL_NAME_MAX - 1 letters, digits, '.', '_' and
 * '-': what can be typed and shown everywhere.
 */
int control_name_ok(const char *name);

/* A socket to poll() and accept from; -1 with a sentence. */
int control_listen(const char *name, struct lguest_error *error);
/*
 * Takes a command from whoever is allowed to give one: root, and the user that
 * runs the Guest. Returns the connection, to be closed when that is done, or -1.
 */
int control_accept(int listening, char command[CONTROL_COMMAND_MAX]);

/*
 * The other side, a verb's whole work: sends the command to each Guest that argv
 * names, and waits until it is done. Returns enum status.
 */
int control_verb(int argc, char **argv, const char *command);

#endif /* LGUEST_CONTROL_H */
