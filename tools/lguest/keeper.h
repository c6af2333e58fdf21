/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The first process of `lguest run`, which keeps the second: it takes commands and signals, starts
 * another second process when the Guest restarts, and gives the terminal back whatever becomes of
 * any. It never sees the Guest's memory or devices.
 */
#ifndef LGUEST_KEEPER_H
#define LGUEST_KEEPER_H

#include <signal.h>
#include <stdbool.h>

#include "options.h"

/*
 * What the first process tells the second one by, beside SIGTERM. Its value is true for pause, false
 * for resume: of one real-time signal, all come, and in their order.
 */
#define SIGNAL_PAUSE SIGRTMIN

/* How the second process says that the Guest wants to be started again; no enum status. */
#define STATUS_RESTART 64

/*
 * What the second process does: sets this signal mask once it is ready for signals, and returns
 * enum status or STATUS_RESTART. `progress`: somebody may want to read how far things are.
 */
typedef int keeper_hold(const struct options *options, const sigset_t *mask, bool progress);

/* Runs hold() in a new process for each start of the Guest; the enum status of the last one. */
int keeper_run(const struct options *options, keeper_hold *hold);

/* Whoever started us wants the Guest to outlive the terminal (nohup). In both processes. */
bool keeper_ignores_hangup(void);

#endif /* LGUEST_KEEPER_H */
