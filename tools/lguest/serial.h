/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The serial port: a 16550A at port 0x3f8, line 4, its other end the terminal.
 * It is for kernels that know no better console.
 */
#ifndef LGUEST_SERIAL_H
#define LGUEST_SERIAL_H

#include "bus.h"
#include "lib/error.h"

/* There is one. -1 with a sentence. */
int serial_init(struct bus *bus, struct lguest_error *error);

#endif /* LGUEST_SERIAL_H */
