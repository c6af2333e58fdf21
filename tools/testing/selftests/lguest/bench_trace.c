// SPDX-License-Identifier: GPL-2.0
/*
 * What tracepoints cost on the way of a hypercall: when they are on; and when they are off, which
 * is what a module that was built without them (the argument notrace) says. It is the Guest that
 * counts.
 */
#include <err.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "bench.h"
#include "launcher.h"

#define TRACEFS	"/sys/kernel/tracing"

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		err(1, "%s", path);
	close(fd);
}

static void enable(const char *event, const char *on)
{
	char path[128];

	snprintf(path, sizeof(path), TRACEFS "/events/lguest/%s%senable", event, *event ? "/" : "");
	write_file(path, on);
}

static void measure(struct vm *vm, const char *environment)
{
	long long round[BENCH_ROUNDS];

	vm_sync(vm, 0);
	for (int i = 0; i < BENCH_ROUNDS; i++) {
		vm_sync(vm, 0);
		round[i] = vm->mailbox->out[0];
	}
	bench_result("hypercall round trip", environment, round, BENCH_ROUNDS);
}

int main(int argc, char *argv[])
{
	static const char *const events[] = { "lguest_enter", "lguest_exit", "lguest_hypercall" };
	char environment[64];
	struct vm vm;

	if (access(TRACEFS "/events", F_OK) && mount("tracefs", TRACEFS, "tracefs", 0, NULL))
		err(1, TRACEFS);
	vm_start(&vm, "bench_trace", NULL);
	vm.mailbox->in[0] = 1;
	if (argc > 1 && !strcmp(argv[1], "notrace")) {
		if (!access(TRACEFS "/events/lguest", F_OK))
			errx(1, "this module has tracepoints");
		measure(&vm, "built without tracepoints");
		goto out;
	}
	measure(&vm, "no tracepoint on");
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		enable(events[i], "1");
		snprintf(environment, sizeof(environment), "%s on", events[i]);
		measure(&vm, environment);
		enable(events[i], "0");
	}
	enable("", "1");
	measure(&vm, "all tracepoints on");
	enable("", "0");
	write_file(TRACEFS "/trace", "");
	measure(&vm, "no tracepoint on any more");
out:
	vm.mailbox->in[0] = 0;
	vm_pass(&vm);
	vm_stop(&vm);
	return 0;
}
