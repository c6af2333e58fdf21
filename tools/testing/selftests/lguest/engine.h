/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Runs code that may do anything in a Guest (guests/engine.c), case by case. When a case ends the
 * Guest, or never comes back, the next one gets another Guest. Whatever happens, the Host has to
 * bear it: after each read() this process's registers are looked at (host_state.h), and a death has
 * to have a sentence (G1).
 */
#ifndef LGUEST_TEST_ENGINE_H
#define LGUEST_TEST_ENGINE_H

#include "launcher.h"
#include "guests/engine.h"

/* The Guest's selectors. */
#define KERNEL_CS	0x61
#define KERNEL_DS	0x69
#define USER_CS		ENGINE_USER_CS
#define USER_DS		ENGINE_USER_DS

enum engine_outcome {
	ENGINE_TRAPPED,		/* the case has been filled */
	ENGINE_DIED,		/* the Host ended the Guest: sentence */
	ENGINE_SHUT_DOWN,	/* the Guest ended itself */
	ENGINE_HUNG,		/* it neither trapped nor died: an endless loop, a HLT */
};

struct engine_result {
	enum engine_outcome outcome;
	char sentence[160];	/* the first line of the death's text */
};

struct engine {
	struct vm vm;
	bool started;
	int patience;		/* timer ticks without progress that make a case hung */
	unsigned long guests, outcomes[4];
};

/*
 * tick_us: microseconds between two looks at the Guest's progress. A test that counts on a case not
 * being hung gives both generously; where nothing depends on it, small ones save time.
 */
void engine_start(struct engine *engine, int tick_us, int patience);
void engine_stop(struct engine *engine);
/* The next case gets a new Guest. */
void engine_drop(struct engine *engine);

/*
 * A case as it begins, but for its code: registers point to the middle of the data, flat segments.
 */
struct engine_case engine_case(bool user, const void *code, size_t len);

/* Runs up to ENGINE_CASES cases. */
void engine_run(struct engine *engine, struct engine_case *cases, struct engine_result *results,
		unsigned int count);

#endif /* LGUEST_TEST_ENGINE_H */
