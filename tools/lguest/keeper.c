// SPDX-License-Identifier: GPL-2.0
/* The process that keeps a Guest's: see keeper.h. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control.h"
#include "keeper.h"
#include "terminal.h"
#include "verb.h"

struct keeper {
	const struct options *options;
	keeper_hold *hold;
	int control; /* socket for commands */
	int signals; /* signalfd */
	sigset_t before; /* the mask that the second process gets */
	pid_t second;
	bool paused, ending; /* what it was told last; none starts again that is to end */
};

static void end(struct keeper *k, int signal)
{
	k->ending = true;
	kill(k->second, signal);
}

static void tell_pause(const struct keeper *k)
{
	sigqueue(k->second, SIGNAL_PAUSE, (union sigval){ .sival_int = k->paused });
}

static void obey(struct keeper *k)
{
	char command[CONTROL_COMMAND_MAX];
	int client = control_accept(k->control, command);

	if (client < 0)
		return;
	if (!strcmp(command, "stop")) {
		/* Left open: this process's end closes it, and tells whoever waits. */
		end(k, SIGTERM);
		return;
	}
	if (!strcmp(command, "pause") || !strcmp(command, "resume")) {
		k->paused = *command == 'p';
		tell_pause(k);
	}
	close(client);
}

/* As every program on a terminal: gives it back and stops; once continued, the second takes it. */
static void suspend(struct keeper *k)
{
	kill(k->second, SIGSTOP);
	terminal_restore();
	raise(SIGSTOP);
	kill(k->second, SIGCONT);
}

/* True when the second process has ended, with its wait status. */
static bool handle_signal(struct keeper *k, int *status)
{
	struct signalfd_siginfo info;

	if (read(k->signals, &info, sizeof(info)) != sizeof(info))
		return false;
	if (info.ssi_signo == SIGCHLD)
		return waitpid(k->second, status, WNOHANG) == k->second;
	if (info.ssi_signo == SIGTSTP)
		suspend(k);
	else
		end(k, info.ssi_signo);
	return false;
}

static int wait_for_second(struct keeper *k)
{
	struct pollfd fds[] = {
		{ .fd = k->signals, .events = POLLIN },
		{ .fd = k->control, .events = POLLIN },
	};
	int status;

	for (;;) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents && handle_signal(k, &status))
			break;
		if (fds[1].revents)
			obey(k);
	}
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	terminal_restore();
	if (WTERMSIG(status) == SIGSYS)
		return verb_fail(
			STATUS_FAILED,
			"the sandbox ended the guest: a fault in lguest; --no-sandbox goes without");
	return verb_fail(STATUS_FAILED, "the guest's process was killed: %s%s",
			 strsignal(WTERMSIG(status)),
			 WTERMSIG(status) == SIGBUS ?
				 "; was the kernel's file cut off while it was read?" : "");
}

static int run_once(struct keeper *k, bool progress)
{
	pid_t first = getpid();

	k->second = fork();
	if (k->second < 0)
		return verb_fail(STATUS_FAILED, "fork: %s", strerror(errno));
	if (!k->second) {
		/* It ends when the first one is gone, however that came. */
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != first)
			_exit(STATUS_FAILED);
		close(k->control);
		close(k->signals);
		exit(k->hold(k->options, &k->before, progress));
	}
	if (k->paused)
		tell_pause(k);
	return wait_for_second(k);
}

bool keeper_ignores_hangup(void)
{
	struct sigaction now;

	return !sigaction(SIGHUP, NULL, &now) && now.sa_handler == SIG_IGN;
}

int keeper_run(const struct options *options, keeper_hold *hold)
{
	struct keeper k = { .options = options, .hold = hold };
	struct lguest_error error;
	sigset_t signals, blocked;
	int status;

	/* One who ignores it passes that on; then no child's end would be told. */
	signal(SIGCHLD, SIG_DFL);
	k.control = control_listen(options->name, &error);
	if (k.control < 0)
		return verb_fail(STATUS_USAGE, "%s", error.text);
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	if (!keeper_ignores_hangup())
		sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGQUIT);
	sigaddset(&signals, SIGTSTP);
	/* What the second process is told has to wait until that can listen. */
	blocked = signals;
	sigaddset(&blocked, SIGNAL_PAUSE);
	sigprocmask(SIG_BLOCK, &blocked, &k.before);
	k.signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);

	terminal_remember();
	status = run_once(&k, isatty(STDERR_FILENO));
	while (status == STATUS_RESTART && !options->no_reboot && !k.ending)
		status = run_once(&k, false);
	/* The name is free before anybody is told that the Guest is gone. */
	close(k.control);
	return status == STATUS_RESTART ? STATUS_OK : status;
}
