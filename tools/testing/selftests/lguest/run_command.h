/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The `lguest` command as a child of a test, with a Guest that does what its command line says
 * (guests/command.c). Whatever goes wrong here is the test's failure.
 */
#ifndef LGUEST_TEST_RUN_COMMAND_H
#define LGUEST_TEST_RUN_COMMAND_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launcher.h"

#define COMMAND_GUEST	"command.c0000000.elf"
#define COMMAND_WORDS	24

struct command {
	pid_t pid;		/* the first process */
	int in, out;		/* its standard input and output; -1: none of ours */
	int err;		/* standard error, a file without a name */
	char said[1 << 16];	/* what command_until() has read, with a NUL */
	size_t length;
};

/*
 * Starts `lguest run -m 16 -k GUEST -p words`, and what follows up to NULL. Standard input and
 * output are pipes, or all three are the terminal if there is one.
 */
static inline void command_start(struct command *c, int terminal, const char *words, ...)
{
	const char *argv[COMMAND_WORDS] = { "lguest", "run",	     "-m", "16",
					    "-k",     COMMAND_GUEST, "-p", words };
	int in[2] = { -1, -1 }, out[2] = { -1, -1 }, n = 8;
	va_list more;

	va_start(more, words);
	while (n < COMMAND_WORDS - 1 && (argv[n] = va_arg(more, const char *)))
		n++;
	va_end(more);

	memset(c, 0, sizeof(*c));
	c->err = fileno(tmpfile());
	if (terminal < 0 && (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC)))
		FAIL("no pipe");
	c->pid = fork();
	if (c->pid < 0)
		FAIL("no process");
	if (!c->pid) {
		/* Not before the program has been replaced: command_end() may kill it at any time. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (terminal >= 0) {
			setsid();
			ioctl(terminal, TIOCSCTTY, 0);
		}
		dup2(terminal < 0 ? in[0] : terminal, STDIN_FILENO);
		dup2(terminal < 0 ? out[1] : terminal, STDOUT_FILENO);
		dup2(c->err, STDERR_FILENO);
		execvp("lguest", (char **)argv);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	c->in = in[1];
	c->out = out[0];
}

/* What it said on standard error; the same memory each time. */
static inline const char *command_complaint(const struct command *c)
{
	static char text[4096];
	ssize_t got = pread(c->err, text, sizeof(text) - 1, 0);

	text[got < 0 ? 0 : got] = 0;
	return text;
}

/* Reads from fd until all that came holds the text. Only a test that hangs waits for ever. */
static inline void command_until(struct command *c, int fd, const char *text)
{
	while (!strstr(c->said, text)) {
		ssize_t got = read(fd, c->said + c->length, sizeof(c->said) - 1 - c->length);

		if (got <= 0)
			FAIL("'%s' never came, but '%s' (%s)", text, c->said, command_complaint(c));
		c->length += got;
		c->said[c->length] = 0;
	}
	/* What comes later is to be found later. */
	c->length = 0;
	c->said[0] = 0;
}

/* Its exit status, or 128 and the signal that ended it. */
static inline int command_end(struct command *c)
{
	int status;

	while (waitpid(c->pid, &status, 0) < 0)
		if (errno != EINTR)
			FAIL("it was no child of ours");
	if (c->in >= 0)
		close(c->in);
	if (c->out >= 0)
		close(c->out);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* The process that holds the Guest. */
static inline pid_t command_second(const struct command *c)
{
	char path[64];
	FILE *file;
	int pid = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", c->pid, c->pid);
	file = fopen(path, "r");
	if (!file || fscanf(file, "%d", &pid) != 1)
		FAIL("%s: no child", path);
	fclose(file);
	return pid;
}

#endif /* LGUEST_TEST_RUN_COMMAND_H */
