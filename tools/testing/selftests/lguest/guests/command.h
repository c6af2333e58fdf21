/* SPDX-License-Identifier: GPL-2.0 */
/* What guests/command.c and the tests that run it have to agree on. */
#ifndef LGUEST_TEST_GUESTS_COMMAND_H
#define LGUEST_TEST_GUESTS_COMMAND_H

/* "disk" writes at each address a multiple of 4: that, times this, as 32 bits. */
#define DISK_FACTOR	2654435761u

/* Bytes that "duplex" and "serial_duplex" send, and want; behind "slice" a part of them. */
#define FLOOD		(512u << 10)
#define SERIAL_FLOOD	20000u
#define FLOOD_SLICES	10u

/* Byte n of what the Guest gets (way 0) and sends (way 1). */
static inline unsigned char flood_byte(unsigned int n, unsigned int way)
{
	return ((n + way * 77) * 2654435761u) >> 24;
}

#endif /* LGUEST_TEST_GUESTS_COMMAND_H */
