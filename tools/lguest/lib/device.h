/* SPDX-License-Identifier: GPL-2.0 */
/*
 * /dev/lguest: one function per request of <linux/lguest.h>, whose comments say what each means and
 * which errors it has. Works in a 32-bit and in a 64-bit program: a word is an unsigned long.
 *
 * Everything here returns 0 (or what is said) if it was done, else a negative errno. Nothing is
 * kept: the file descriptor is the Guest. All of it may be called from any thread as far as the
 * Host allows.
 */
#ifndef LGUEST_DEVICE_H
#define LGUEST_DEVICE_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/lguest.h>

/* Name of the device that lguest_open() opens. */
#define LGUEST_DEVICE	"/dev/lguest"

/* A new Guest, not yet initialised: a file descriptor, closed on exec. */
int lguest_open(void);

/* base: where Guest-physical 0 lies here; pages: size of Guest memory; the rest Guest-physical. */
int lguest_initialize(int guest, void *base, uint32_t pages, uint32_t pgdir, uint32_t start);

/*
 * Runs vCPU 0 until the Launcher is needed. exit->text always ends with NUL, even where the Host
 * wrote less than all of *exit.
 */
int lguest_run(int guest, struct lguest_exit *exit);

/* What it is called by those who look at the Host; up to LGUEST_NAME_MAX - 1 bytes. */
int lguest_set_name(int guest, const char *name);
int lguest_irq(int guest, unsigned int line);
int lguest_break(int guest, int on);
int lguest_get_reg(int guest, enum lguest_reg reg, uint64_t *value);
int lguest_set_reg(int guest, enum lguest_reg reg, uint64_t value);
int lguest_trap(int guest, unsigned int vector);
int lguest_answer(int guest, uint64_t value);
/* space: LGUEST_SPACE_*. The same words with and without on. */
int lguest_window(int guest, unsigned int space, uint32_t start, uint32_t size, bool on);
int lguest_irqfd(int guest, unsigned int line, int eventfd, bool on);
int lguest_doorbell(int guest, unsigned int space, uint32_t address, unsigned int size, int eventfd,
		    bool on);

/* Any words at all, for whoever tests the Host: the bytes written, or a negative errno. */
long lguest_write_words(int guest, const unsigned long *words, unsigned int count);

#endif /* LGUEST_DEVICE_H */
