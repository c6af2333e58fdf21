// SPDX-License-Identifier: GPL-2.0
/* lguest list: the guests of this machine. */
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "look.h"
#include "verb.h"

static const char usage[] =
	"usage: lguest list [--json]\n"
	"\n"
	"Shows the guests that run on this machine: what each is called, its number (by\n"
	"which it can be named as well), the process that runs it, what it does, its\n"
	"memory and that of the host for it, and since when.\n"
	"\n"
	"      --json             for programs: one object a line\n";

static void show(const struct look_guest *guest, bool json)
{
	char *state = look_read(guest, "state");
	char *memory = look_read(guest, "memory");
	char *uptime = look_read(guest, "uptime");
	unsigned long long bytes, host;

	/* It may have gone meanwhile. */
	if (!state || !memory || !uptime)
		goto out;
	state[strcspn(state, "\n")] = 0;
	bytes = look_number(memory, "guest_bytes", 10, 0);
	host = look_number(memory, "host_bytes", 10, 0);
	if (json) {
		printf("{\"name\": ");
		json_string(stdout, guest->name);
		printf(", \"number\": %lu, \"pid\": %d, \"state\": \"%s\", \"guest_bytes\": %llu, \"host_bytes\": %llu, \"uptime\": %.3f}\n",
		       guest->number, guest->pid, state, bytes, host, atof(uptime));
	} else {
		printf("%-20s %6lu %8d %-9s %6lluM %7.1fM %10.0fs\n",
		       guest->name, guest->number, guest->pid, state,
		       bytes >> 20, host / 1048576.0, atof(uptime));
	}
out:
	free(state);
	free(memory);
	free(uptime);
}

static int list(int argc, char **argv)
{
	struct look_guest *guests;
	struct lguest_error error;
	bool json = false;
	int i, count;

	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json"))
			return verb_misused("'%s': no such option", argv[i]);
		json = true;
	}
	count = look_guests(&guests, &error);
	if (count < 0)
		return verb_fail(STATUS_FAILED, "%s", error.text);
	if (!json)
		printf("%-20s %6s %8s %-9s %7s %8s %11s\n", "NAME", "NUMBER",
		       "PID", "STATE", "MEMORY", "HOST", "UPTIME");
	for (i = 0; i < count; i++)
		show(&guests[i], json);
	free(guests);
	return STATUS_OK;
}

const struct verb verb_list = {
	.name = "list",
	.summary = "Show the guests of this machine",
	.usage = usage,
	.run = list,
};
