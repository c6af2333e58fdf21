/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The surroundings of the virtual processor in plain tests: model.c. A Guest whose memory is
 * MODEL_PAGES pages; linear pages 0 to MODEL_PAGES - 1 and MODEL_DEVICE are what model_page[] says,
 * all others are not there.
 */
#ifndef LGUEST_TEST_MODEL_H
#define LGUEST_TEST_MODEL_H

#include "env.h"

#define MODEL_PAGE	4096u
#define MODEL_PAGES	64u
#define MODEL_MEMORY	(MODEL_PAGES * MODEL_PAGE)
/*
 * Linear and Guest-physical address of a page that is no memory: MODEL_WINDOW bytes of it are the
 * Launcher's.
 */
#define MODEL_DEVICE	(MODEL_PAGES * MODEL_PAGE)
#define MODEL_WINDOW	0x800u
#define MODEL_DOORBELL	(MODEL_DEVICE + 0x7fc)
/* Ports of the Launcher's. */
#define MODEL_PORT	0x3f8u
#define MODEL_PORTS	8u

/* Segments that model_start() puts into the GDT: flat, 4 GiB. */
#define MODEL_KERNEL_CS	LGUEST_BOOT_CS
#define MODEL_KERNEL_DS	LGUEST_BOOT_DS
#define MODEL_USER_CS	(14 * 8 + 3)
#define MODEL_USER_DS	(15 * 8 + 3)

#define MODEL_CODE32	0x00cf9b000000ffffull
#define MODEL_DATA32	0x00cf93000000ffffull
#define MODEL_DPL3	0x0000600000000000ull

struct model_page {
	bool present, writable, user;
};

struct model {
	struct lguest lg;
	struct lg_cpu cpu;
	struct lg_state state;
	u8 memory[MODEL_MEMORY];
	struct model_page page[MODEL_PAGES + 1];
	/* Of the last lg_kill(). */
	bool dead;
	char sentence[256];
	/* What was asked of other rooms. */
	unsigned int loads_cr3, flushes, modes, doorbells;
	unsigned int words;		/* lg_words_begin() that said yes */
	u64 flushed;
	/* Called before each access to Guest memory, if set: somebody else who writes there. */
	void (*interfere)(struct model *model);
	/*
	 * The how manyth access from now on the Host has no memory for; it and all after it, until
	 * this is 0. 0: each succeeds.
	 */
	unsigned int lacking;
	u64 random;
};

/*
 * A vCPU at kernel level, flat segments in its GDT by hypercall, all pages present and writable,
 * user.
 */
void model_start(struct model *m);
/* The same, at user level. */
void model_to_user(struct model *m);
void model_set_page(struct model *m, u32 gva, bool present, bool writable, bool user);
u32 model_read32(struct model *m, u32 gpa);
void model_write32(struct model *m, u32 gpa, u32 value);

/*
 * Aborts with a message unless what the Host relies on holds: running tables are vetted (S3), CS
 * and SS can be loaded, data segments at user level, too; the log of accesses is inside its bounds;
 * the Launcher is told something if, and only if, it is needed.
 */
void model_check(struct model *m, enum lg_next next);

#endif /* LGUEST_TEST_MODEL_H */
