// SPDX-License-Identifier: GPL-2.0
/*
 * A 16550A: see serial.h. What is sent is gone at once, so that the transmitter
 * is always empty; what is typed waits in the terminal until the receive FIFO
 * has room. No byte is ever lost; only in loopback mode the Guest can overrun
 * itself.
 *
 * While a driver looks what kind of port this is, and sets it up, it seems to
 * listen and does not. So what it has not read goes back to the terminal when it
 * ceases to listen, or empties the FIFO.
 */
#include <pthread.h>
#include <string.h>

#include "lib/device.h"
#include "serial.h"
#include "terminal.h"
#include "util.h"

#define BASE 0x3f8
#define PORTS 8
#define LINE 4
#define FIFO 16

/* Registers and bits by the names of the 16550's data sheet. */
enum { RBR_THR, IER, IIR_FCR, LCR, MCR, LSR, MSR, SCR };

#define IER_RDI 0x01
#define IER_THRI 0x02
#define IER_RLSI 0x04
#define IER_MSI 0x08
#define IER_ALL 0x0f
#define IIR_MSI 0x00
#define IIR_NONE 0x01
#define IIR_THRI 0x02
#define IIR_RDI 0x04
#define IIR_RLSI 0x06
#define IIR_FIFO 0xc0
#define FCR_ENABLE 0x01
#define FCR_CLEAR_RX 0x02
#define LCR_DLAB 0x80
#define MCR_DTR 0x01
#define MCR_RTS 0x02
#define MCR_OUT1 0x04
#define MCR_OUT2 0x08
#define MCR_LOOP 0x10
#define MCR_ALL 0x1f
#define LSR_DR 0x01
#define LSR_OE 0x02
#define LSR_THRE 0x20
#define LSR_TEMT 0x40
#define MSR_TERI 0x04
#define MSR_DELTAS 0x0b
#define MSR_CTS 0x10
#define MSR_DSR 0x20
#define MSR_RI 0x40
#define MSR_DCD 0x80

static struct serial {
	pthread_mutex_t lock; /* over all that follows but `guest` */
	uint8_t ier, lcr, mcr, scr, dll, dlm;
	bool fifo_on;
	bool thr_empty; /* and the interrupt for that not yet seen */
	bool overrun; /* not yet seen */
	uint8_t changed; /* of the modem's lines, likewise: the MSR's low bits */
	uint8_t fifo[FIFO];
	unsigned int filled; /* bytes in fifo, the oldest first */
	bool looped; /* some of them are the Guest's own */
	bool was_pending; /* an interrupt, when the line was last raised */
	int guest; /* for raising the line */
} serial = { .lock = PTHREAD_MUTEX_INITIALIZER };

static unsigned int fifo_size(const struct serial *s)
{
	return s->fifo_on ? FIFO : 1;
}

/* Why the port interrupts, the most urgent reason only. */
static uint8_t iir(const struct serial *s)
{
	if (s->ier & IER_RLSI && s->overrun)
		return IIR_RLSI;
	if (s->ier & IER_RDI && s->filled)
		return IIR_RDI;
	if (s->ier & IER_THRI && s->thr_empty)
		return IIR_THRI;
	if (s->ier & IER_MSI && s->changed)
		return IIR_MSI;
	return IIR_NONE;
}

/*
 * A line here is pending until it is delivered, where the 16550 has a level: so
 * it is raised whenever there is a reason and an event that may be a new one.
 */
static void update_line(struct serial *s, bool event)
{
	bool pending = iir(s) != IIR_NONE;

	if (pending && (event || !s->was_pending))
		lguest_irq(s->guest, LINE);
	s->was_pending = pending;
}

static void receive(struct serial *s, uint8_t byte)
{
	if (s->filled < fifo_size(s))
		s->fifo[s->filled++] = byte;
	else
		s->overrun = true;
}

static uint8_t receiver_buffer(struct serial *s)
{
	uint8_t byte = s->fifo[0];

	if (!s->filled)
		return 0;
	memmove(s->fifo, s->fifo + 1, --s->filled);
	if (!s->filled) {
		s->looped = false;
		terminal_room();
	}
	return byte;
}

/* What the Guest has not read it will get again; the terminal is held. */
static void empty_fifo(struct serial *s)
{
	if (!s->looped)
		terminal_give_back(s->fifo, s->filled);
	s->filled = 0;
	s->looped = false;
}

/* True if a byte that is written now leaves the port. */
static bool sends(const struct serial *s, unsigned int reg)
{
	return reg == RBR_THR && !(s->lcr & LCR_DLAB) && !(s->mcr & MCR_LOOP);
}

/* In loopback mode the modem's lines show what the Guest puts out. */
static uint8_t modem_lines(const struct serial *s)
{
	uint8_t msr = 0;

	if (!(s->mcr & MCR_LOOP))
		return MSR_CTS | MSR_DSR | MSR_DCD;
	if (s->mcr & MCR_RTS)
		msr |= MSR_CTS;
	if (s->mcr & MCR_DTR)
		msr |= MSR_DSR;
	if (s->mcr & MCR_OUT1)
		msr |= MSR_RI;
	if (s->mcr & MCR_OUT2)
		msr |= MSR_DCD;
	return msr;
}

static void set_mcr(struct serial *s, uint8_t value)
{
	uint8_t before = modem_lines(s), after;

	s->mcr = value & MCR_ALL;
	after = modem_lines(s);
	s->changed |= (before ^ after) >> 4 & MSR_DELTAS;
	/* Of the ring only its end counts. */
	if (before & ~after & MSR_RI)
		s->changed |= MSR_TERI;
}

static uint8_t read_register(struct serial *s, unsigned int reg)
{
	uint8_t value;

	switch (reg) {
	case RBR_THR:
		return s->lcr & LCR_DLAB ? s->dll : receiver_buffer(s);
	case IER:
		return s->lcr & LCR_DLAB ? s->dlm : s->ier;
	case IIR_FCR:
		value = iir(s);
		if (value == IIR_THRI)
			s->thr_empty = false;
		return value | (s->fifo_on ? IIR_FIFO : 0);
	case LCR:
		return s->lcr;
	case MCR:
		return s->mcr;
	case LSR:
		value = LSR_THRE | LSR_TEMT | (s->filled ? LSR_DR : 0) |
			(s->overrun ? LSR_OE : 0);
		s->overrun = false;
		return value;
	case MSR:
		value = modem_lines(s) | s->changed;
		s->changed = 0;
		return value;
	default:
		return s->scr;
	}
}

/* True if that may be a new reason for an interrupt. */
static bool write_register(struct serial *s, unsigned int reg, uint8_t value)
{
	switch (reg) {
	case RBR_THR:
		if (s->lcr & LCR_DLAB) {
			s->dll = value;
			return false;
		}
		if (!sends(s, reg)) {
			receive(s, value);
			s->looped = true;
		}
		s->thr_empty = true;
		return true;
	case IER:
		if (s->lcr & LCR_DLAB) {
			s->dlm = value;
			return false;
		}
		if (value & ~s->ier & IER_THRI)
			s->thr_empty = true;
		if (s->ier & ~value & IER_RDI && !s->looped)
			empty_fifo(s);
		s->ier = value & IER_ALL;
		terminal_room();
		return true;
	case IIR_FCR:
		if (value & FCR_CLEAR_RX || !(value & FCR_ENABLE) == s->fifo_on)
			empty_fifo(s);
		s->fifo_on = value & FCR_ENABLE;
		terminal_room();
		return false;
	case LCR:
		s->lcr = value;
		return false;
	case MCR:
		set_mcr(s, value);
		return true;
	case SCR:
		s->scr = value;
		return false;
	default:
		return false;
	}
}

static uint32_t serial_read(void *owner, uint32_t offset, unsigned int size)
{
	struct serial *s = owner;
	uint32_t value;

	pthread_mutex_lock(&s->lock);
	value = read_register(s, offset);
	update_line(s, false);
	pthread_mutex_unlock(&s->lock);
	return value;
}

static void serial_write(void *owner, uint32_t offset, unsigned int size,
			 uint32_t value)
{
	struct serial *s = owner;
	uint8_t byte = value;
	bool control = offset == IER || offset == IIR_FCR, out;

	if (control)
		terminal_hold();
	pthread_mutex_lock(&s->lock);
	out = sends(s, offset);
	update_line(s, write_register(s, offset, value));
	pthread_mutex_unlock(&s->lock);
	if (control)
		terminal_release();
	/* Where the terminal takes nothing, this waits; nobody who types is to wait with it. */
	if (out)
		terminal_write(&byte, 1);
}

/* The Guest listens if it has the port open for reading. */
static int serial_room(void *owner)
{
	struct serial *s = owner;
	int room = -1;

	pthread_mutex_lock(&s->lock);
	if (s->ier & IER_RDI && !(s->mcr & MCR_LOOP))
		room = fifo_size(s) - s->filled;
	pthread_mutex_unlock(&s->lock);
	return room;
}

static void serial_take(void *owner, const uint8_t *bytes, size_t count)
{
	struct serial *s = owner;

	pthread_mutex_lock(&s->lock);
	while (count--)
		receive(s, *bytes++);
	update_line(s, true);
	pthread_mutex_unlock(&s->lock);
}

static struct region region = {
	.space = LGUEST_SPACE_PORT,
	.start = BASE,
	.size = PORTS,
	.owner = &serial,
	.read = serial_read,
	.write = serial_write,
};

static struct terminal_input input = {
	.owner = &serial,
	.room = serial_room,
	.take = serial_take,
};

int serial_init(struct bus *bus, struct lguest_error *error)
{
	int err;

	serial.guest = bus->guest;
	err = bus_add(bus, &region);
	if (err)
		return lguest_fail(error, "the serial port: %s",
				   strerror(-err));
	terminal_add_input(&input);
	return 0;
}
