// SPDX-License-Identifier: GPL-2.0
/* The machine: see machine.h. */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <asm/lguest.h>

#include "lib/device.h"
#include "machine.h"
#include "terminal.h"
#include "verb.h"

/* Device memory begins here at the latest; RAM ends below. */
#define MEMORY_MIN (1ull << 20)
#define MEMORY_MAX (3840ull << 20)

/* What other threads and signal handlers want of the vCPU's. */
static atomic_bool stop, pausing;
static int guest = -1; /* for BREAK; never closed */
static int resume = -1; /* eventfd that a paused vCPU waits for */

void machine_stop(void)
{
	stop = true;
	if (guest < 0)
		return;
	lguest_break(guest, true);
	eventfd_write(resume, 1);
}

void machine_pause(bool on)
{
	pausing = on;
	if (guest < 0)
		return;
	if (on)
		lguest_break(guest, true);
	else
		eventfd_write(resume, 1);
}

bool machine_stopping(void)
{
	return stop;
}

/* What to do about a device that does not open. */
static int open_failed(int err, struct lguest_error *error)
{
	switch (err) {
	case -ENOENT:
	case -ENXIO:
	case -ENODEV:
		lguest_fail(error,
			    LGUEST_DEVICE ": %s; is the module loaded? Try 'modprobe lguest'",
			    strerror(-err));
		break;
	case -EACCES:
	case -EPERM:
		lguest_fail(error, LGUEST_DEVICE ": %s; join the group lguest, or ask its owner",
			    strerror(-err));
		break;
	default:
		lguest_fail(error, LGUEST_DEVICE ": %s", strerror(-err));
	}
	return STATUS_FAILED;
}

int machine_load(struct machine *machine, uint64_t memory, const struct kernel_files *files,
		 bool progress, struct lguest_error *error)
{
	memset(machine, 0, sizeof(*machine));
	if (memory < MEMORY_MIN || memory > MEMORY_MAX) {
		lguest_fail(error, "%llu MiB of memory; %llu to %llu are possible",
			    (unsigned long long)memory >> 20, MEMORY_MIN >> 20, MEMORY_MAX >> 20);
		return STATUS_USAGE;
	}
	if (lguest_memory_map(&machine->memory, memory, LGUEST_MEMORY_ANONYMOUS, error))
		return STATUS_FAILED;
	if (kernel_load(files, &machine->memory, progress, &machine->start, error))
		return STATUS_USAGE;
	return STATUS_OK;
}

int machine_create(struct machine *machine, struct lguest_error *error)
{
	int err;

	resume = eventfd(0, EFD_CLOEXEC);
	machine->bus.guest = lguest_open();
	if (machine->bus.guest < 0)
		return open_failed(machine->bus.guest, error);
	/* A signal that comes in between changes nothing. */
	do
		err = lguest_initialize(machine->bus.guest, machine->memory.base,
					machine->memory.size / LGUEST_PAGE_SIZE,
					machine->start.pgdir, machine->start.entry);
	while (err == -EINTR);
	if (!err)
		err = lguest_set_reg(machine->bus.guest, LGUEST_REG_SI, LGUEST_BOOT_PARAMS);
	if (err) {
		lguest_fail(error, "the host refused the guest: %s; 'dmesg' may say more",
			    strerror(-err));
		return STATUS_FAILED;
	}
	guest = machine->bus.guest;
	/* What came while there was no Guest to break. */
	if (stop || pausing)
		lguest_break(guest, true);
	return STATUS_OK;
}

/* Messages of kernels that have no console yet: a string at that address. */
static void notified(const struct machine *machine)
{
	uint64_t room = machine->memory.size - machine->exit.gpa;
	const char *text;

	if (machine->exit.gpa >= machine->memory.size)
		return;
	if (room > LGUEST_PAGE_SIZE)
		room = LGUEST_PAGE_SIZE;
	text = lguest_memory_at(&machine->memory, machine->exit.gpa, room);
	terminal_write(text, strnlen(text, room));
}

/* BREAK: true if the Guest is to end. */
static bool interrupted(struct machine *machine)
{
	eventfd_t unused;

	while (pausing && !stop)
		eventfd_read(resume, &unused);
	if (stop)
		return true;
	lguest_break(machine->bus.guest, false);
	/* Both could have been asked for again just before that. */
	if (pausing || stop)
		lguest_break(machine->bus.guest, true);
	return stop;
}

static enum machine_end shut_down(const struct machine *machine, struct lguest_error *error)
{
	switch (machine->exit.value) {
	case LGUEST_SHUTDOWN_POWEROFF:
		return END_POWEROFF;
	case LGUEST_SHUTDOWN_RESTART:
		return stop ? END_STOPPED : END_RESTART;
	default:
		lguest_fail(error, "the guest crashed: %s", machine->exit.text);
		return END_CRASHED;
	}
}

enum machine_end machine_run(struct machine *machine, struct lguest_error *error)
{
	int err;

	for (;;) {
		err = lguest_run(machine->bus.guest, &machine->exit);
		if (err == -EINTR)
			continue;
		if (err) {
			lguest_fail(error, "running the guest: %s", strerror(-err));
			return END_FAILED;
		}

		switch (machine->exit.reason) {
		case LGUEST_EXIT_NOTIFY:
			notified(machine);
			break;
		case LGUEST_EXIT_MEMORY:
		case LGUEST_EXIT_PORT:
			err = bus_access(&machine->bus, &machine->exit);
			if (err) {
				lguest_fail(error, "answering the guest: %s", strerror(-err));
				return END_FAILED;
			}
			break;
		case LGUEST_EXIT_SHUTDOWN:
			return shut_down(machine, error);
		case LGUEST_EXIT_DEATH:
			lguest_fail(error, "the guest was ended: %s", machine->exit.text);
			return END_CRASHED;
		case LGUEST_EXIT_BREAK:
			if (interrupted(machine))
				return END_STOPPED;
			break;
		default:
			lguest_fail(error, "the host says %u, which is not known here",
				    machine->exit.reason);
			return END_FAILED;
		}
	}
}
