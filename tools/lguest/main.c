// SPDX-License-Identifier: GPL-2.0
/*
 * The `lguest` command: finds the verb and hands over to it. Only what all verbs
 * share lives here: help, and the form of a complaint.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util.h"
#include "verb.h"

/* In the order in which `lguest help` lists them. */
static const struct verb *const verbs[] = {
	&verb_run,   &verb_stop,    &verb_pause, &verb_resume,
	&verb_list,  &verb_stat,    &verb_show,  &verb_debug,
	&verb_version, &verb_help,
};

/* The verb at work, for its complaints; NULL before there is one. */
static const struct verb *current;

static void complain(const char *format, va_list args)
{
	fprintf(stderr, "lguest%s%s: ", current ? " " : "",
		current ? current->name : "");
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

int verb_fail(enum status status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain(format, args);
	va_end(args);
	return status;
}

int verb_misused(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain(format, args);
	va_end(args);
	fprintf(stderr, "Try 'lguest %s%s--help'.\n",
		current ? current->name : "", current ? " " : "");
	return STATUS_USAGE;
}

const char *verb_odd_option(char **argv)
{
	static char letter[] = "-?";

	const char *next = argv[optind];
	/* Among letters behind one dash, getopt has not come to the end of the word. */
	bool among = next && next[0] == '-' && next[1] != '-' && optopt && strchr(next, optopt);

	if (!optopt || optopt > UCHAR_MAX || (!among && !strncmp(argv[optind - 1], "--", 2)))
		return argv[optind - 1];
	letter[1] = optopt;
	return letter;
}

static const struct verb *find_verb(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(verbs); i++)
		if (!strcmp(verbs[i]->name, name))
			return verbs[i];
	return NULL;
}

static void list_verbs(FILE *out)
{
	size_t i;

	fprintf(out, "usage: lguest VERB [ARGUMENT]...\n\nVerbs:\n");
	for (i = 0; i < ARRAY_SIZE(verbs); i++)
		fprintf(out, "  %-10s %s\n", verbs[i]->name, verbs[i]->summary);
	fprintf(out, "\n'lguest VERB --help' tells what a verb takes.\n");
}

static int help(int argc, char **argv)
{
	const struct verb *verb;

	if (argc > 2)
		return verb_misused("one verb at a time");
	if (argc < 2) {
		list_verbs(stdout);
		return STATUS_OK;
	}
	verb = find_verb(argv[1]);
	if (!verb)
		return verb_misused("there is no verb '%s'", argv[1]);
	fputs(verb->usage, stdout);
	return STATUS_OK;
}

const struct verb verb_help = {
	.name = "help",
	.summary = "Tell what the verbs are, or what one takes",
	.usage = "usage: lguest help [VERB]\n",
	.run = help,
};

/* One that is closed would be the next file's number, and that file taken for a terminal. */
static void open_standard_files(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	close(fd);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL;
	int i, status;

	open_standard_files();
	if (!name) {
		list_verbs(stderr);
		return STATUS_USAGE;
	}
	if (!strcmp(name, "--help") || !strcmp(name, "-h"))
		name = "help";
	else if (!strcmp(name, "--version"))
		name = "version";

	current = find_verb(name);
	if (!current)
		return verb_misused("there is no verb '%s'", name);

	/* Anywhere among the arguments, but not behind "--". */
	for (i = 2; i < argc && strcmp(argv[i], "--"); i++) {
		if (!strcmp(argv[i], "--help")) {
			fputs(current->usage, stdout);
			return STATUS_OK;
		}
	}
	status = current->run(argc - 1, argv + 1);
	/* What was printed has come to where it should. */
	if ((fflush(stdout) || ferror(stdout)) && status == STATUS_OK)
		return verb_fail(STATUS_FAILED, "standard output: %s", strerror(errno));
	return status;
}
