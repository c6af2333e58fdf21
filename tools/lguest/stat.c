// SPDX-License-Identifier: GPL-2.0
/*
 * lguest stat: what guests do, in numbers a second. A sample is taken of each
 * guest at each interval; what is shown is the difference to the one before.
 */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "json.h"
#include "look.h"
#include "verb.h"

static const char usage[] =
	"usage: lguest stat [GUEST] [OPTION]...\n"
	"\n"
	"Shows what all guests do, or this one and why it leaves the processor, a second:\n"
	"exits, hypercalls, page faults, shadow entries made (fills) and dropped (zaps),\n"
	"interrupts delivered; the share of a host CPU, and the host's memory.\n"
	"\n"
	"  -i, --interval SECONDS between two looks (1)\n"
	"  -1, --once             one table after one interval, then end\n"
	"      --json             one object a line, with totals as well\n"
	"\n"
	"GUEST is its name, or the number that 'lguest list' shows.\n";

#define REASONS_MAX 48
#define REASON_NAME_MAX 24

/* Counters of the file stats that are shown; all of them are in JSON. */
static const struct {
	const char *counter;
	const char *title;
} columns[] = {
	{ "exits", "EXITS" },
	{ "hypercalls", "HCALLS" },
	{ "page_faults", "FAULTS" },
	{ "shadow_fills", "FILLS" },
	{ "shadow_zaps", "ZAPS" },
	{ "interrupts", "IRQS" },
};

struct reason {
	char name[REASON_NAME_MAX];
	uint64_t count;
};

struct sample {
	struct look_guest guest;
	double time; /* seconds */
	double cpu; /* seconds of all its threads */
	char *stats, *state; /* files */
	struct reason reason[REASONS_MAX];
	unsigned int reasons;
};

struct options {
	const char *guest;
	double interval;
	bool once, json;
};

static volatile sig_atomic_t stop;

static void on_signal(int signal)
{
	stop = 1;
}

/* ---- Samples ---- */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* Fields 14 and 15 of /proc/PID/stat, behind the name in its parentheses. */
static double cpu_seconds(pid_t pid)
{
	unsigned long user = 0, system = 0;
	char path[32], line[1024];
	const char *rest;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	rest = fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
	if (rest)
		sscanf(rest + 1,
		       " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
		       &user, &system);
	fclose(file);
	return (double)(user + system) / sysconf(_SC_CLK_TCK);
}

static void parse_reasons(struct sample *s, const char *text)
{
	struct reason *r;

	/* Behind the heading. */
	text = strchr(text, '\n');
	while (text && *++text && s->reasons < REASONS_MAX) {
		r = &s->reason[s->reasons];
		if (sscanf(text, "%23s %" SCNu64, r->name, &r->count) == 2)
			s->reasons++;
		text = strchr(text, '\n');
	}
}

static void forget(struct sample *s)
{
	free(s->stats);
	free(s->state);
}

/* False: the guest has gone. */
static bool take(struct sample *s, const struct look_guest *guest)
{
	char *exits;

	*s = (struct sample){ .guest = *guest, .time = now() };
	s->cpu = cpu_seconds(guest->pid);
	s->stats = look_read(guest, "stats");
	s->state = look_read(guest, "state");
	exits = look_read(guest, "vcpu0/exits");
	if (!s->stats || !s->state || !exits) {
		free(exits);
		forget(s);
		return false;
	}
	s->state[strcspn(s->state, "\n")] = 0;
	parse_reasons(s, exits);
	free(exits);
	return true;
}

struct samples {
	struct sample *all;
	int count;
};

static void forget_all(struct samples *s)
{
	int i;

	for (i = 0; i < s->count; i++)
		forget(&s->all[i]);
	free(s->all);
	*s = (struct samples){};
}

/* Of all guests, or of the one that was named. -1 with a sentence. */
static int take_all(const struct options *options, struct samples *s,
		    struct lguest_error *error)
{
	struct look_guest *guests;
	int i, count;

	*s = (struct samples){};
	if (options->guest) {
		guests = malloc(sizeof(*guests));
		if (!guests)
			return lguest_fail(error, "no memory");
		if (look_find(options->guest, guests, error)) {
			free(guests);
			return -1;
		}
		count = 1;
	} else {
		count = look_guests(&guests, error);
		if (count < 0)
			return -1;
	}
	s->all = calloc(count + 1, sizeof(*s->all));
	for (i = 0; s->all && i < count; i++) {
		if (take(&s->all[s->count], &guests[i]))
			s->count++;
	}
	free(guests);
	return 0;
}

/* The same guest in an older sample; NULL: it is new. */
static const struct sample *before(const struct samples *old,
				   const struct sample *s)
{
	int i;

	for (i = 0; i < old->count; i++) {
		if (old->all[i].guest.number == s->guest.number)
			return &old->all[i];
	}
	return NULL;
}

/* ---- What is shown ---- */

static double rate(const struct sample *old, const struct sample *s,
		   uint64_t then, uint64_t count)
{
	return old && s->time > old->time && count >= then ?
		       (count - then) / (s->time - old->time) :
		       0;
}

static double counter_rate(const struct sample *old, const struct sample *s,
			   const char *counter)
{
	return rate(old, s, look_number(old ? old->stats : NULL, counter, 10, 0),
		    look_number(s->stats, counter, 10, 0));
}

static uint64_t reason_count(const struct sample *s, const char *name)
{
	unsigned int i;

	for (i = 0; s && i < s->reasons; i++) {
		if (!strcmp(s->reason[i].name, name))
			return s->reason[i].count;
	}
	return 0;
}

static double cpu_share(const struct sample *old, const struct sample *s)
{
	return old && s->time > old->time ?
		       100 * (s->cpu - old->cpu) / (s->time - old->time) :
		       0;
}

static void show_table(const struct samples *old, const struct samples *new)
{
	unsigned int c;
	int i;

	printf("%-20s %-9s %6s", "NAME", "STATE", "CPU%");
	for (c = 0; c < ARRAY_SIZE(columns); c++)
		printf(" %9s", columns[c].title);
	printf(" %8s\n", "HOST");
	for (i = 0; i < new->count; i++) {
		const struct sample *s = &new->all[i];
		const struct sample *then = before(old, s);

		printf("%-20s %-9s %6.1f", s->guest.name, s->state,
		       cpu_share(then, s));
		for (c = 0; c < ARRAY_SIZE(columns); c++)
			printf(" %9.0f",
			       counter_rate(then, s, columns[c].counter));
		printf(" %7.1fM\n",
		       look_number(s->stats, "host_bytes", 10, 0) / 1048576.0);
	}
}

static void show_reasons(const struct sample *old, const struct sample *s)
{
	unsigned int i;

	printf("\n%-24s %12s %14s\n", "EXITS BECAUSE OF", "A SECOND", "SO FAR");
	for (i = 0; i < s->reasons; i++)
		printf("%-24s %12.0f %14" PRIu64 "\n", s->reason[i].name,
		       rate(old, s, reason_count(old, s->reason[i].name),
			    s->reason[i].count),
		       s->reason[i].count);
}

/* Each line of stats is a member: name and number. */
static void json_counters(const struct sample *old, const struct sample *s,
			  bool rates)
{
	const char *line = s->stats;
	unsigned long long value;
	const char *comma = "";
	char name[64];

	for (; line && *line; line = strchr(line, '\n'), line += !!line) {
		if (sscanf(line, "%63s %llu", name, &value) != 2)
			continue;
		if (rates)
			printf("%s\"%s\": %.1f", comma, name,
			       counter_rate(old, s, name));
		else
			printf("%s\"%s\": %llu", comma, name, value);
		comma = ", ";
	}
}

static void show_json(const struct samples *old, const struct samples *new)
{
	unsigned int r;
	int i;

	for (i = 0; i < new->count; i++) {
		const struct sample *s = &new->all[i];
		const struct sample *then = before(old, s);

		printf("{\"name\": ");
		json_string(stdout, s->guest.name);
		printf(", \"number\": %lu, \"pid\": %d, \"state\": \"%s\", \"seconds\": %.6f, \"cpu_percent\": %.1f, \"total\": {",
		       s->guest.number, s->guest.pid, s->state, then ? s->time - then->time : 0,
		       cpu_share(then, s));
		json_counters(then, s, false);
		printf("}, \"per_second\": {");
		json_counters(then, s, true);
		printf("}, \"exits\": {");
		for (r = 0; r < s->reasons; r++)
			printf("%s\"%s\": %" PRIu64, r ? ", " : "",
			       s->reason[r].name, s->reason[r].count);
		printf("}}\n");
	}
}

static void show(const struct options *options, const struct samples *old,
		 const struct samples *new, bool terminal)
{
	if (options->json) {
		show_json(old, new);
	} else {
		/* To the top; the rest of an older table goes at the end. */
		if (terminal)
			printf("\033[H\033[2J");
		show_table(old, new);
		if (options->guest && new->count == 1)
			show_reasons(before(old, &new->all[0]), &new->all[0]);
	}
	fflush(stdout);
}

/* Until the interval is over, or a signal came. */
static void wait_for(double seconds)
{
	struct timespec left = { .tv_sec = seconds };

	left.tv_nsec = (seconds - left.tv_sec) * 1e9;
	nanosleep(&left, NULL);
}

static int parse(int argc, char **argv, struct options *options)
{
	static const struct option known[] = {
		{ "interval", required_argument, NULL, 'i' },
		{ "once", no_argument, NULL, '1' },
		{ "json", no_argument, NULL, 'j' },
		{}
	};
	char *end;
	int c;

	*options = (struct options){ .interval = 1 };
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":i:1", known, NULL)) >= 0) {
		switch (c) {
		case 'i':
			options->interval = strtod(optarg, &end);
			if (*end || !(options->interval >= 0.01) ||
			    options->interval > 86400)
				return verb_misused(
					"'%s' is no interval: 0.01 to 86400 seconds",
					optarg);
			break;
		case '1':
			options->once = true;
			break;
		case 'j':
			options->json = true;
			break;
		case ':':
			return verb_misused("'%s' wants a value",
					    verb_odd_option(argv));
		default:
			return verb_misused("'%s': no such option",
					    verb_odd_option(argv));
		}
	}
	if (optind < argc)
		options->guest = argv[optind++];
	if (optind < argc)
		return verb_misused("one guest at a time, or all");
	return STATUS_OK;
}

static int stat_guests(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct samples old, new;
	struct lguest_error error;
	struct options options;
	bool terminal;
	int status;

	status = parse(argc, argv, &options);
	if (status)
		return status;
	if (take_all(&options, &old, &error))
		return verb_fail(STATUS_FAILED, "%s", error.text);
	terminal = isatty(STDOUT_FILENO) && !options.once && !options.json;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);

	do {
		wait_for(options.interval);
		if (stop)
			break;
		if (take_all(&options, &new, &error)) {
			forget_all(&old);
			return verb_fail(STATUS_FAILED, "%s", error.text);
		}
		show(&options, &old, &new, terminal);
		forget_all(&old);
		old = new;
	} while (!options.once && !ferror(stdout));
	forget_all(&old);
	return ferror(stdout) ? STATUS_FAILED : STATUS_OK;
}

const struct verb verb_stat = {
	.name = "stat",
	.summary = "Show what guests do, in numbers a second",
	.usage = usage,
	.run = stat_guests,
};
