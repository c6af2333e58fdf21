// SPDX-License-Identifier: GPL-2.0
/*
 * lguest run: start a Guest. The verb, and the second of its two processes (keeper.h has the
 * first): it holds the Guest, and there is a new one after each restart. Nothing but the order of
 * things lives here: files, devices, machine, sandbox, run.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "hardware.h"
#include "keeper.h"
#include "lib/device.h"
#include "machine.h"
#include "options.h"
#include "sandbox.h"
#include "terminal.h"
#include "verb.h"
#include "virtio/devices.h"

/* How long the vCPU may wait for somebody else once it is to stop (seconds). */
#define PATIENCE 1

static void stop(void)
{
	machine_stop();
	alarm(PATIENCE);
}

static void stop_handler(int signal)
{
	stop();
}

/*
 * It waits for one who reads its output, perhaps, which may be never. What the Guest may count on is
 * in the files already.
 */
static void patience_handler(int signal)
{
	terminal_restore();
	_exit(STATUS_OK);
}

static void pause_handler(int signal, siginfo_t *info, void *context)
{
	machine_pause(info->si_value.sival_int);
}

/* Whoever is interrupted by one of these two goes on, and looks at errno. */
static void resize_handler(int signal)
{
	int err = errno;

	console_resized();
	errno = err;
}

static void continue_handler(int signal)
{
	int err = errno;

	terminal_continued();
	/* Only who has the terminal is told of another size. */
	console_resized();
	errno = err;
}

static void catch_signals(sigset_t mask)
{
	struct sigaction stopped = { .sa_handler = stop_handler };
	struct sigaction pause = { .sa_sigaction = pause_handler, .sa_flags = SA_SIGINFO };
	struct sigaction resized = { .sa_handler = resize_handler, .sa_flags = SA_RESTART };
	struct sigaction patience = { .sa_handler = patience_handler };
	struct sigaction continued = { .sa_handler = continue_handler, .sa_flags = SA_RESTART };
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(signals); i++)
		if (signals[i] != SIGHUP || !keeper_ignores_hangup())
			sigaction(signals[i], &stopped, NULL);
	sigaction(SIGALRM, &patience, NULL);
	sigaction(SIGNAL_PAUSE, &pause, NULL);
	sigaction(SIGWINCH, &resized, NULL);
	sigaction(SIGCONT, &continued, NULL);
	/* The first process stops both. */
	signal(SIGTSTP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	/* Whoever started us may have them blocked. */
	for (i = 0; i < ARRAY_SIZE(signals); i++)
		sigdelset(&mask, signals[i]);
	sigdelset(&mask, SIGALRM);
	sigdelset(&mask, SIGNAL_PAUSE);
	sigdelset(&mask, SIGWINCH);
	sigdelset(&mask, SIGCONT);
	sigprocmask(SIG_SETMASK, &mask, NULL);
}

/* What cannot begin; whoever has ended it meanwhile is no longer interested. */
static int not_begun(int status, const struct lguest_error *error)
{
	return machine_stopping() ? STATUS_OK : verb_fail(status, "%s", error->text);
}

/* Of one that crashed, there are worse news. */
static int all_written(void)
{
	if (!terminal_lost())
		return STATUS_OK;
	return verb_fail(STATUS_FAILED, "the console's output is not complete: %s",
			 strerror(terminal_lost()));
}

/* The second process, from its beginning to its end. */
static int hold(const struct options *options, const sigset_t *mask, bool progress)
{
	static struct hardware hardware;
	static struct machine machine;
	struct lguest_error error;
	enum machine_end end;
	int status;

	catch_signals(*mask);
	/* What is wrong with files needs no Host to be told, and leaves nothing behind. */
	status = machine_load(&machine, options->memory, &options->files, progress, &error);
	if (!status && hardware_create(&hardware, options, &error))
		status = STATUS_USAGE;
	if (!status)
		status = machine_create(&machine, &error);
	if (status)
		return not_begun(status, &error);
	/* For `lguest list` and the like: an older module does without. */
	lguest_set_name(machine.bus.guest, options->name);
	/* Rights are a thread's: they go before there are others. The filter is for all of them. */
	if ((!options->no_sandbox && sandbox_drop_rights(&error)) ||
	    hardware_connect(&hardware, options, &machine, &error) ||
	    terminal_start(stop, &error) ||
	    (!options->no_sandbox && sandbox_enter(&error)))
		return not_begun(STATUS_FAILED, &error);

	terminal_raw();
	end = machine_run(&machine, &error);
	terminal_restore();

	switch (end) {
	case END_STOPPED:
		/* In the middle of a line, as a rule: what is said next is somebody else's. */
		if (isatty(STDOUT_FILENO))
			terminal_write("\n", 1);
		return all_written();
	case END_POWEROFF:
		return all_written();
	case END_RESTART:
		/* No reason not to start again. */
		all_written();
		return STATUS_RESTART;
	case END_CRASHED:
		return verb_fail(STATUS_CRASHED, "%s", error.text);
	default:
		return verb_fail(STATUS_FAILED, "%s", error.text);
	}
}

static int run(int argc, char **argv)
{
	struct options options;
	int status = options_parse(argc, argv, &options);

	return status ?: keeper_run(&options, hold);
}

const struct verb verb_run = {
	.name = "run",
	.summary = "Run a guest",
	.usage = options_usage,
	.run = run,
};
