// SPDX-License-Identifier: GPL-2.0
/*
 * Ports, and devices in memory (drivers/lguest/emu_port.c, emu_data.c): with the Launcher's answers,
 * without any, by strings, and where a device cannot be.
 */
#include "emulated.h"

/* ---- Ports ---- */

TEST(ports_that_nobody_claims)
{
	start(false);
	regs->ax = 0x12345678;
	at_kernel("\xe4\x80", 2);
	ASSERT_EQ(0x123456ff, regs->ax);
	at_kernel("\x66\xe5\x80", 3);
	ASSERT_EQ(0x1234ffff, regs->ax);
	at_kernel("\xe5\x80", 2);
	ASSERT_EQ(0xffffffff, regs->ax);
	at_kernel("\xe4\x42", 2);
	ASSERT_EQ(0xffffff00, regs->ax);
	at_kernel("\xe6\x80", 2);
	ASSERT_EQ(-1, trapped());
	/* Partly outside a window, and beyond the last port. */
	regs->dx = MODEL_PORT - 1;
	at_kernel("\xed", 1);
	ASSERT_EQ(0xffffffff, regs->ax);
	regs->ax = 0;
	regs->dx = 0xfffe;
	at_kernel("\xed", 1);
	ASSERT_EQ(0xffffffff, regs->ax);
	ASSERT_EQ(0, cpu->exit.reason);
}

TEST(ports_of_the_launcher)
{
	start(false);
	regs->dx = MODEL_PORT;
	regs->ax = 0x11223344;
	put_code("\xec\xef", 2);
	ASSERT_EQ(LG_LAUNCHER, lg_emulate(cpu, LG_TRAP_GP, 0));
	ASSERT_EQ(LGUEST_EXIT_PORT, cpu->exit.reason);
	ASSERT_EQ(MODEL_PORT, cpu->exit.gpa);
	ASSERT_EQ(1, cpu->exit.size);
	ASSERT_EQ(0, cpu->exit.write);
	ASSERT_EQ(CODE, frame->ip);
	/* Without an answer, the same again. */
	ASSERT_TRUE(lg_io_waits(cpu));
	cpu->exit.reason = 0;
	ASSERT_EQ(LG_LAUNCHER, lg_emulate_again(cpu));
	ASSERT_EQ(LGUEST_EXIT_PORT, cpu->exit.reason);
	ASSERT_EQ(0, lg_io_answer(cpu, 0xabcdef99));
	ASSERT_EQ(-EINVAL, lg_io_answer(cpu, 0));
	cpu->exit.reason = 0;
	ASSERT_EQ(LG_RUN, lg_emulate_again(cpu));
	ASSERT_EQ(0x11223399, regs->ax);
	ASSERT_EQ(CODE + 1, frame->ip);
	ASSERT_FALSE(lg_io_waits(cpu));
	/* A write wants no answer. */
	ASSERT_EQ(LG_LAUNCHER, lg_emulate(cpu, LG_TRAP_GP, 0));
	ASSERT_EQ(1, cpu->exit.write);
	ASSERT_EQ(4, cpu->exit.size);
	ASSERT_EQ(0x11223399, cpu->exit.value);
	ASSERT_EQ(-EINVAL, lg_io_answer(cpu, 0));
	ASSERT_TRUE(lg_io_waits(cpu));
	cpu->exit.reason = 0;
	ASSERT_EQ(LG_RUN, lg_emulate_again(cpu));
	ASSERT_EQ(CODE + 2, frame->ip);
	ASSERT_FALSE(lg_io_waits(cpu));
}

/* The Launcher moves the Guest elsewhere while an access waits: it is forgotten. */
TEST(an_access_whose_instruction_is_gone)
{
	start(false);
	regs->dx = MODEL_PORT;
	put_code("\xec", 1);
	lg_emulate(cpu, LG_TRAP_GP, 0);
	cpu->exit.reason = 0;
	frame->ip = DATA;
	m.memory[DATA] = 0xf4;
	ASSERT_EQ(LG_RUN, lg_emulate_again(cpu));
	ASSERT_FALSE(lg_io_waits(cpu));
	ASSERT_FALSE(cpu->halted);
	/* Another port: asked anew. */
	start(false);
	regs->dx = MODEL_PORT;
	put_code("\xec", 1);
	lg_emulate(cpu, LG_TRAP_GP, 0);
	lg_io_answer(cpu, 0x55);
	cpu->exit.reason = 0;
	regs->dx = MODEL_PORT + 1;
	ASSERT_EQ(LG_LAUNCHER, lg_emulate_again(cpu));
	ASSERT_EQ(MODEL_PORT + 1, cpu->exit.gpa);
	ASSERT_EQ(1, cpu->io.count);
}

/* Runs one instruction to its end with the Launcher's help: reads give 0x40, 0x41, ... */
static unsigned int with_launcher(enum lg_next next, u32 *sum)
{
	unsigned int exits = 0;

	*sum = 0;
	while (next == LG_LAUNCHER && !m.dead && exits < 1000) {
		if (cpu->exit.write)
			*sum = *sum * 31 + cpu->exit.value;
		else
			lg_io_answer(cpu, 0x40 + exits);
		exits++;
		cpu->exit.reason = 0;
		next = lg_emulate_again(cpu);
	}
	return exits;
}

TEST(strings_of_ports)
{
	u32 sum, expected = 0;
	unsigned int i;

	start(false);
	regs->dx = MODEL_PORT;
	regs->cx = 10;
	regs->di = DATA;
	put_code("\xf3\x6c", 2);
	ASSERT_EQ(10, with_launcher(lg_emulate(cpu, LG_TRAP_GP, 0), &sum));
	for (i = 0; i < 10; i++)
		ASSERT_EQ(0x40 + i, m.memory[DATA + i]);
	ASSERT_EQ(0, regs->cx);
	ASSERT_EQ(DATA + 10, regs->di);
	ASSERT_EQ(CODE + 2, frame->ip);

	start(false);
	regs->dx = MODEL_PORT;
	regs->cx = 3;
	regs->si = DATA + 4;
	frame->flags |= LG_FLAGS_DF;
	for (i = 0; i < 3; i++)
		expected = expected * 31 + 0x1000 + i;
	for (i = 0; i < 3; i++)
		memcpy(m.memory + DATA + 4 - i * 2, &(u16){ 0x1000 + i }, 2);
	put_code("\x66\xf3\x6f", 3);
	ASSERT_EQ(3, with_launcher(lg_emulate(cpu, LG_TRAP_GP, 0), &sum));
	ASSERT_EQ(expected, sum);
	ASSERT_EQ(DATA - 2, regs->si);

	/* The store would fault: then the port is not read, and what was done stays done. */
	start(false);
	model_set_page(&m, DATA + 0x1000, false, false, false);
	frame->sp = OTHER_STACK;
	regs->dx = MODEL_PORT;
	regs->cx = 10;
	regs->di = DATA + 0xffd;
	put_code("\xf3\x6c", 2);
	ASSERT_EQ(3, with_launcher(lg_emulate(cpu, LG_TRAP_GP, 0), &sum));
	ASSERT_EQ(LG_TRAP_PF, trapped());
	ASSERT_EQ(7, regs->cx);
	ASSERT_EQ(CODE, stacked(1));

	/* A long one that needs no Launcher comes in pieces, so that others get a turn. */
	start(false);
	regs->dx = 0x80;
	regs->cx = 0xffffffff;
	regs->di = DATA;
	put_code("\xf3\x6c", 2);
	ASSERT_EQ(LG_RUN, lg_emulate(cpu, LG_TRAP_GP, 0));
	ASSERT_EQ(CODE, frame->ip);
	ASSERT_LT(regs->cx, 0xffffffff);
	ASSERT_GT(regs->cx, 0xffff0000);
}

/* ---- Devices in memory ---- */

TEST(memory_that_nobody_claims)
{
	start(false);
	regs->bx = MODEL_DEVICE + MODEL_WINDOW;
	put_code("\x8b\x03", 2);
	ASSERT_EQ(LG_RUN, lg_emulate_device(cpu, regs->bx, regs->bx, 0));
	ASSERT_EQ(U32_MAX, regs->ax);
	ASSERT_EQ(CODE + 2, frame->ip);
}

TEST(doorbells_do_not_stop_the_guest)
{
	start(false);
	regs->bx = MODEL_DOORBELL;
	put_code("\x89\x03", 2);
	ASSERT_EQ(LG_RUN, lg_emulate_device(cpu, regs->bx, regs->bx, 0));
	ASSERT_EQ(1, m.doorbells);
	ASSERT_EQ(CODE + 2, frame->ip);
	/* Another size is no doorbell. */
	frame->ip = CODE;
	put_code("\x88\x03", 2);
	ASSERT_EQ(LG_LAUNCHER, lg_emulate_device(cpu, regs->bx, regs->bx, 0));
	ASSERT_EQ(1, m.doorbells);
}

TEST(what_no_device_can_do)
{
	/* fld: not emulated. */
	start(false);
	regs->bx = MODEL_DEVICE;
	put_code("\xd9\x03", 2);
	ASSERT_EQ(LG_LAUNCHER, lg_emulate_device(cpu, MODEL_DEVICE, MODEL_DEVICE, 0));
	ASSERT_NE(NULL, strstr(m.sentence, "no emulation"));
	/* Executing there. */
	start(false);
	ASSERT_EQ(LG_LAUNCHER, lg_emulate_device(cpu, MODEL_DEVICE, MODEL_DEVICE, LG_PF_FETCH));
	ASSERT_NE(NULL, strstr(m.sentence, "executes"));
}

/* The write of a read-modify-write is not allowed: then the device is not read. */
TEST(a_device_that_may_not_be_written)
{
	start(true);
	model_set_page(&m, MODEL_DEVICE, true, false, true);
	regs->bx = MODEL_DEVICE;
	put_code("\x01\x03", 2);
	ASSERT_EQ(LG_RUN, lg_emulate_device(cpu, MODEL_DEVICE, MODEL_DEVICE, LG_PF_USER));
	ASSERT_EQ(LG_TRAP_PF, trapped());
	ASSERT_EQ(LG_PF_PRESENT | LG_PF_WRITE | LG_PF_USER, stacked(0));
}

TEST_HARNESS_MAIN
