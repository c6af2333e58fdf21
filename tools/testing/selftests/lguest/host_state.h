/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A read() of /dev/lguest that trusts nobody (S5, S6): every register of this process that a system
 * call must keep is given a value of its own before, and must have it still afterwards: general
 * registers, flags, selectors, FS and GS bases, and all that XSAVE knows (x87, SSE and MXCSR, AVX,
 * PKRU, ...).
 *
 * The layout below is known to the assembly in host_state_64.S and host_state_32.S.
 */
#ifndef LGUEST_TEST_HOST_STATE_H
#define LGUEST_TEST_HOST_STATE_H

/* Offsets in struct host_state, in bytes. */
#define STATE_GENERAL	0
#define STATE_FLAGS	96
#define STATE_SP	104
#define STATE_RESULT	112
#define STATE_SELECTORS	120
#define STATE_XSAVE	192
/* Room for all components of XSAVE but the tiles. */
#define XSAVE_SIZE	4096

#ifndef __ASSEMBLY__
#include <stdint.h>
#include <linux/lguest.h>

struct host_state {
	/* 64-bit: BX BP DI SI DX R8 R9 R10 R12 R13 R14 R15; 32-bit: BX BP DI SI DX CX */
	uint64_t general[12];
	uint64_t flags;
	uint64_t sp;
	int64_t result;			/* of the system call */
	uint16_t selector[6];		/* CS SS DS ES FS GS */
	uint64_t fs_base, gs_base;
	uint8_t xsave[XSAVE_SIZE] __attribute__((aligned(64)));
};

/*
 * lguest_run() in that manner; a register that is not what it was fails the test. From any thread;
 * what the thread had in its registers before is there again afterwards.
 */
int host_state_run(int guest, struct lguest_exit *exit);

/*
 * From now on this process has an LDT, and host_state_run() loads selectors of it too. (A process
 * without one is the usual thing, so that is tested as long as nobody calls this.)
 */
void host_state_use_ldt(void);
#endif /* !__ASSEMBLY__ */
#endif /* LGUEST_TEST_HOST_STATE_H */
