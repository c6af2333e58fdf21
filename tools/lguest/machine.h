/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The machine: one Guest, from its memory to its end. The thread that starts it
 * is its vCPU. Knows the bus, and no device.
 */
#ifndef LGUEST_MACHINE_H
#define LGUEST_MACHINE_H

#include "bus.h"
#include "kernel.h"
#include "lib/memory.h"

/* How it ended. */
enum machine_end {
	END_POWEROFF,
	END_RESTART,
	END_CRASHED, /* the text says why */
	END_STOPPED, /* machine_stop() */
	END_FAILED, /* the text says why: the Host or this program */
};

struct machine {
	struct lguest_memory memory;
	struct bus bus;
	struct kernel_start start;
	struct lguest_exit exit; /* the last one */
};

/*
 * Memory, and what is in it at the start: files are read, and nothing else is
 * done. Returns STATUS_OK, or another enum status with a sentence.
 */
int machine_load(struct machine *machine, uint64_t memory,
		 const struct kernel_files *files, bool progress,
		 struct lguest_error *error);

/* The Guest at the Host, which has not run yet. Returns the same. */
int machine_create(struct machine *machine, struct lguest_error *error);

/* Runs it to its end; END_CRASHED and END_FAILED have a sentence. */
enum machine_end machine_run(struct machine *machine,
			     struct lguest_error *error);

/* These work on the one machine there is, from any thread or signal handler. */
void machine_stop(void);
void machine_pause(bool on);
/* machine_stop() has been called. */
bool machine_stopping(void);

#endif /* LGUEST_MACHINE_H */
