// SPDX-License-Identifier: GPL-2.0
/*
 * Requests to /dev/lguest: see device.h. Knows words and errnos, and nothing of what a Guest is
 * made of.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "device.h"

/* The file position is the number of the vCPU. */
#define VCPU	0

#define COUNT(words)	(sizeof(words) / sizeof((words)[0]))

int lguest_open(void)
{
	int fd = open(LGUEST_DEVICE, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

long lguest_write_words(int guest, const unsigned long *words, unsigned int count)
{
	ssize_t done = pwrite(guest, words, count * sizeof(*words), VCPU);

	return done < 0 ? -errno : done;
}

static int request(int guest, const unsigned long *words, unsigned int count)
{
	long done = lguest_write_words(guest, words, count);

	if (done < 0)
		return done;
	/* The Host takes a request whole or not at all. */
	return done == (long)(count * sizeof(*words)) ? 0 : -EIO;
}

int lguest_initialize(int guest, void *base, uint32_t pages, uint32_t pgdir, uint32_t start)
{
	unsigned long words[] = { LHREQ_INITIALIZE, (unsigned long)base, pages, pgdir, start };

	return request(guest, words, COUNT(words));
}

int lguest_run(int guest, struct lguest_exit *exit)
{
	ssize_t done;

	memset(exit, 0, sizeof(*exit));
	done = pread(guest, exit, sizeof(*exit), VCPU);
	if (done < 0)
		return -errno;
	exit->text[sizeof(exit->text) - 1] = 0;
	return 0;
}

int lguest_irq(int guest, unsigned int line)
{
	unsigned long words[] = { LHREQ_IRQ, line };

	return request(guest, words, COUNT(words));
}

int lguest_set_name(int guest, const char *name)
{
	unsigned long words[] = { LHREQ_NAME, (unsigned long)name, strlen(name) };

	return request(guest, words, COUNT(words));
}

int lguest_break(int guest, int on)
{
	unsigned long words[] = { LHREQ_BREAK, on };

	return request(guest, words, COUNT(words));
}

int lguest_get_reg(int guest, enum lguest_reg reg, uint64_t *value)
{
	__u64 got;
	unsigned long words[] = { LHREQ_GETREG, reg, (unsigned long)&got };
	int err = request(guest, words, COUNT(words));

	if (!err)
		*value = got;
	return err;
}

int lguest_set_reg(int guest, enum lguest_reg reg, uint64_t value)
{
	unsigned long words[] = { LHREQ_SETREG, reg, value };

	if (words[2] != value)
		return -ERANGE;
	return request(guest, words, COUNT(words));
}

int lguest_trap(int guest, unsigned int vector)
{
	unsigned long words[] = { LHREQ_TRAP, vector };

	return request(guest, words, COUNT(words));
}

int lguest_answer(int guest, uint64_t value)
{
	unsigned long words[] = { LHREQ_ANSWER, value, value >> 32 };
	/* Only a word that cannot hold all of the value needs a second one. */
	unsigned int count = sizeof(words[0]) < sizeof(value) && value >> 32 ? 3 : 2;

	return request(guest, words, count);
}

int lguest_window(int guest, unsigned int space, uint32_t start, uint32_t size, bool on)
{
	unsigned long words[] = { LHREQ_WINDOW, space, start, size, on };

	return request(guest, words, COUNT(words));
}

int lguest_irqfd(int guest, unsigned int line, int eventfd, bool on)
{
	unsigned long words[] = { LHREQ_IRQFD, line, eventfd, on };

	return request(guest, words, COUNT(words));
}

int lguest_doorbell(int guest, unsigned int space, uint32_t address, unsigned int size, int eventfd,
		    bool on)
{
	unsigned long words[] = { LHREQ_DOORBELL, space, address, size, eventfd, on };

	return request(guest, words, COUNT(words));
}
