/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The user's terminal: standard input and output, raw while a Guest has them.
 * Devices write to it and register to be given what is typed; it knows none of
 * them. ^A is the way out, as in QEMU.
 */
#ifndef LGUEST_TERMINAL_H
#define LGUEST_TERMINAL_H

#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

/* A device that takes input. Its functions are called by the input thread. */
struct terminal_input {
	void *owner;
	/* Bytes that it could take now; -1: the Guest does not listen here. */
	int (*room)(void *owner);
	void (*take)(void *owner, const uint8_t *bytes, size_t count);
	struct terminal_input *next; /* the terminal's */
};

/* Remembers how the terminal is, if input is one. */
void terminal_remember(void);
/* Makes it raw. */
void terminal_raw(void);
/* Makes it what it was; any number of times, by any process that inherited it. */
void terminal_restore(void);
/* After SIGCONT, for whoever called terminal_raw(): somebody else had it. From a signal handler. */
void terminal_continued(void);

/*
 * All of it reaches standard output before this returns, unless that is gone.
 * Any thread.
 */
void terminal_write(const void *bytes, size_t count);
/* The same for another file, of which there is one writer. */
void terminal_write_to(int fd, const void *bytes, size_t count);
/* An errno if a file did not take all of it; 0 otherwise, or if nobody is there to read. */
int terminal_lost(void);

/*
 * Before terminal_start(). Input goes to one that listens, the last added first: the serial port before
 * the console, whose driver listens for good, whether or not anybody reads from that.
 */
void terminal_add_input(struct terminal_input *input);
/* Starts the input thread. `leave` is called when the user types ^A x. */
int terminal_start(void (*leave)(void), struct lguest_error *error);
/* Some input's room() has become greater: any thread. */
void terminal_room(void);

/*
 * From terminal_hold() to terminal_release() no input is given to anybody. What was, and the Guest has
 * not read, may be given back meanwhile: it will come again, to whoever listens then.
 */
void terminal_hold(void);
void terminal_give_back(const uint8_t *bytes, size_t count);
void terminal_release(void);
/* So many bytes at most. */
#define TERMINAL_GIVEN_BACK_MAX 16

#endif /* LGUEST_TERMINAL_H */
