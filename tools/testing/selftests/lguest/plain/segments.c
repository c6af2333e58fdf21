// SPDX-License-Identifier: GPL-2.0
/*
 * Segments (drivers/lguest/segments.c): every descriptor that a Guest can write is vetted (S3) as
 * the table in segments.c says; limits of all kinds of segments; tables in Guest memory and by
 * hypercall, and what of them the processor sees when; LLDT and LTR with every type.
 */
#include "model.h"

#include "../harness.h"

static struct model m;
static struct lg_cpu *const cpu = &m.cpu;

#define GDT_AT		0x5000u		/* in Guest memory */
#define LDT_AT		0x7000u
#define TSS_AT		0x9000u

static u64 system_descriptor(unsigned int type, u32 base, u32 limit)
{
	return (limit & 0xffff) | (u64)(base & 0xffffff) << 16 | (u64)type << 40 | LG_DESC_PRESENT |
	       (u64)(limit >> 16 & 0xf) << 48 | (u64)(base >> 24) << 56;
}

static void write_desc(u32 at, unsigned int index, u64 desc)
{
	memcpy(m.memory + at + index * 8, &desc, 8);
}

static u64 running(unsigned int level, u16 sel)
{
	return (sel & LG_SEL_LDT ? m.state.ldt : m.state.gdt)[level][LG_SEL_INDEX(sel)];
}

/* ---- Vetting ---- */

/* All bits but base and limit: type, S, DPL, P; AVL, L, D/B, G. */
static u64 every_descriptor(unsigned int n)
{
	return 0xa500005a5a5aa5a5ull | (u64)(n & 0xff) << 40 | (u64)(n >> 8 & 0xf) << 52;
}

/* The table of segments.c, as a table. NONE, AS_IT_IS, or DATA: read-only data. */
enum seen { NONE, AS_IT_IS, DATA };

static enum seen expected_sight(u64 desc, bool user)
{
	unsigned int type = desc >> 40 & 0xf, dpl = desc >> 45 & 3;
	bool code = type & 8, conforming = code && type & 4, readable = type & 2;
	static const enum seen of[2][2][2] = {
		/* kernel level	 user level */
		{ { AS_IT_IS,	 NONE },	/* kernel data */
		  { AS_IT_IS,	 NONE } },	/* kernel code */
		{ { AS_IT_IS,	 AS_IT_IS },	/* user data */
		  { DATA,	 AS_IT_IS } },	/* user code */
	};
	enum seen seen;

	if (!(desc >> 44 & 1) || (code && desc >> 53 & 1))
		return NONE;
	seen = of[dpl == 3][code][user];
	if (conforming && user)
		seen = AS_IT_IS;
	if (seen == DATA && !readable)
		seen = NONE;
	return seen;
}

TEST(every_descriptor_is_vetted)
{
	const u64 kept = 0xff9000ffffffffffull & ~(1ull << 53);	/* base, limit, S, P, AVL, D/B, G */
	unsigned int n;
	bool user;

	for (n = 0; n < 0x1000; n++) {
		for (user = false; ; user = true) {
			u64 desc = every_descriptor(n), seen = lg_vet_descriptor(desc, user);
			unsigned int type = seen >> 40 & 0xf, was = desc >> 40 & 0xf;

			switch (expected_sight(desc, user)) {
			case NONE:
				ASSERT_EQ(0, seen) TH_LOG("%#x %d", n, user);
				break;
			case AS_IT_IS:
				/* And accessed. */
				ASSERT_EQ(was | 1, type) TH_LOG("%#x %d", n, user);
				break;
			case DATA:
				ASSERT_EQ(1, type) TH_LOG("%#x %d", n, user);
				break;
			}
			if (seen) {
				ASSERT_EQ(3, seen >> 45 & 3);
				ASSERT_EQ(0, seen >> 53 & 1);
				ASSERT_EQ(desc & kept, seen & kept) TH_LOG("%#x %d", n, user);
			}
			if (user)
				break;
		}
	}
}

/* A vetted descriptor vetted again is the same, at its level. */
TEST(vetting_twice_changes_nothing)
{
	unsigned int n;

	for (n = 0; n < 0x1000; n++) {
		u64 user = lg_vet_descriptor(every_descriptor(n), true);

		ASSERT_EQ(user, lg_vet_descriptor(user, true));
	}
}

TEST(which_register_holds_what)
{
	const u64 code = MODEL_CODE32 | MODEL_DPL3, data = MODEL_DATA32 | MODEL_DPL3;
	const u64 execute_only = code & ~LG_DESC_WRITABLE, read_only = data & ~LG_DESC_WRITABLE;
	static const u8 others[] = { LG_SREG_ES, LG_SREG_DS, LG_SREG_FS, LG_SREG_GS };
	unsigned int i;

	EXPECT_TRUE(lg_desc_loadable(code, LG_SREG_CS));
	EXPECT_TRUE(lg_desc_loadable(execute_only, LG_SREG_CS));
	EXPECT_FALSE(lg_desc_loadable(data, LG_SREG_CS));
	EXPECT_FALSE(lg_desc_loadable(0, LG_SREG_CS));
	EXPECT_FALSE(lg_desc_loadable(code & ~LG_DESC_PRESENT, LG_SREG_CS));
	EXPECT_TRUE(lg_desc_loadable(data, LG_SREG_SS));
	EXPECT_FALSE(lg_desc_loadable(read_only, LG_SREG_SS));
	EXPECT_FALSE(lg_desc_loadable(code, LG_SREG_SS));
	EXPECT_FALSE(lg_desc_loadable(0, LG_SREG_SS));
	EXPECT_FALSE(lg_desc_loadable(data & ~LG_DESC_PRESENT, LG_SREG_SS));
	for (i = 0; i < ARRAY_SIZE(others); i++) {
		EXPECT_FALSE(lg_desc_loadable(0, others[i]));
		EXPECT_TRUE(lg_desc_loadable(data, others[i]));
		EXPECT_TRUE(lg_desc_loadable(read_only, others[i]));
		EXPECT_TRUE(lg_desc_loadable(code, others[i]));
		EXPECT_FALSE(lg_desc_loadable(execute_only, others[i]));
		EXPECT_FALSE(lg_desc_loadable(data & ~LG_DESC_PRESENT, others[i]));
	}
}

/* ---- Limits ---- */

struct limit_case {
	u64 desc;
	u32 first, last;		/* offsets that are inside; first > last: none */
};

static u64 with_limit(u64 desc, u32 limit)
{
	return (desc & ~0x000f00000000ffffull) | (limit & 0xffff) | (u64)(limit >> 16) << 48;
}

TEST(limits)
{
	const u64 up = MODEL_DATA32 & ~LG_DESC_PAGES, down = up | LG_DESC_DOWN;
	const u64 small = down & ~LG_DESC_BIG, code = MODEL_CODE32 & ~LG_DESC_PAGES;
	const struct limit_case cases[] = {
		{ with_limit(up, 0), 0, 0 },
		{ with_limit(up, 0xfff), 0, 0xfff },
		{ with_limit(up, 0xfffff), 0, 0xfffff },
		{ with_limit(up | LG_DESC_PAGES, 0), 0, 0xfff },
		{ with_limit(up | LG_DESC_PAGES, 0xfffff), 0, U32_MAX },
		{ with_limit(code, 0x1234), 0, 0x1234 },
		/* Conforming is the bit that means "down" in data. */
		{ with_limit(code | LG_DESC_DOWN, 0x1234), 0, 0x1234 },
		{ with_limit(down, 0xfff), 0x1000, U32_MAX },
		{ with_limit(down | LG_DESC_PAGES, 0xffffe), 0xfffff000, U32_MAX },
		{ with_limit(down | LG_DESC_PAGES, 0xfffff), 1, 0 },
		{ with_limit(small, 0xfff), 0x1000, 0xffff },
		{ with_limit(small, 0xffff), 1, 0 },
		{ with_limit(small, 0xfffe), 0xffff, 0xffff },
	};
	static const u32 lens[] = { 1, 2, 3, 4, 6, 20 };
	unsigned int i, j, k;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct limit_case *c = &cases[i];
		const u32 around[] = { 0,
				       1,
				       c->first - 20,
				       c->first - 1,
				       c->first,
				       c->first + 1,
				       c->last - 19,
				       c->last - 3,
				       c->last - 1,
				       c->last,
				       c->last + 1,
				       0xffff,
				       0x10000,
				       U32_MAX - 3,
				       U32_MAX };

		for (j = 0; j < ARRAY_SIZE(around); j++) {
			for (k = 0; k < ARRAY_SIZE(lens); k++) {
				u64 end = (u64)around[j] + lens[k] - 1;
				bool in = c->first <= c->last && around[j] >= c->first &&
					  end <= c->last;

				ASSERT_EQ(in, lg_desc_in_limit(c->desc, around[j], lens[k]))
					TH_LOG("case %u offset %#x len %u", i, around[j], lens[k]);
			}
		}
	}
}

TEST(accesses_through_registers)
{
	u32 linear;

	model_start(&m);
	lg_segment_set(cpu, 20,
		       with_limit(MODEL_DATA32 & ~LG_DESC_PAGES, 0xff) | 0x123400000ull << 4);
	lg_seg_put(cpu, LG_SREG_FS, 20 * 8);

	/* Base and limit. */
	ASSERT_EQ(0, lg_seg_linear(cpu, LG_SREG_FS, 0xfc, 4, LG_PF_WRITE, &linear));
	ASSERT_EQ(lg_desc_base(m.state.gdt[0][20]) + 0xfc, linear);
	ASSERT_EQ(-EFAULT, lg_seg_linear(cpu, LG_SREG_FS, 0xfd, 4, 0, &linear));
	ASSERT_EQ(LG_TRAP_GP, cpu->fault.vector);
	ASSERT_EQ(0, cpu->fault.error);
	/* A null selector. */
	ASSERT_EQ(-EFAULT, lg_seg_linear(cpu, LG_SREG_GS, 0, 1, 0, &linear));
	ASSERT_EQ(LG_TRAP_GP, cpu->fault.vector);
	/* Code may be fetched and read, not written. */
	ASSERT_EQ(0, lg_seg_linear(cpu, LG_SREG_CS, 5, 1, LG_PF_FETCH, &linear));
	ASSERT_EQ(0, lg_seg_linear(cpu, LG_SREG_CS, 5, 1, 0, &linear));
	ASSERT_EQ(-EFAULT, lg_seg_linear(cpu, LG_SREG_CS, 5, 1, LG_PF_WRITE, &linear));
	/* Beyond the stack it is #SS. */
	ASSERT_EQ(-EFAULT, lg_seg_linear(cpu, LG_SREG_SS, U32_MAX, 2, 0, &linear));
	ASSERT_EQ(LG_TRAP_SS, cpu->fault.vector);
	/* Linear addresses have 32 bits. */
	lg_segment_set(cpu, 20, MODEL_DATA32 | 0xffull << 56 | 0xffffull << 16 << 8);
	ASSERT_EQ(0, lg_seg_linear(cpu, LG_SREG_FS, 0x01000000, 1, 0, &linear));
	ASSERT_EQ(lg_desc_base(m.state.gdt[0][20]) + 0x01000000u, linear);
}

/* ---- Tables ---- */

TEST(an_entry_by_hypercall_is_seen_at_once)
{
	model_start(&m);
	lg_segment_set(cpu, 0, MODEL_DATA32);
	ASSERT_EQ(0, running(0, 0));
	lg_segment_set(cpu, LG_SEG_GDT_ENTRIES - 1, MODEL_DATA32 | MODEL_DPL3);
	ASSERT_EQ(lg_vet_descriptor(MODEL_DATA32 | MODEL_DPL3, false),
		  running(0, (LG_SEG_GDT_ENTRIES - 1) * 8));
	ASSERT_EQ(lg_vet_descriptor(MODEL_DATA32 | MODEL_DPL3, true),
		  running(1, (LG_SEG_GDT_ENTRIES - 1) * 8));
	/* Nobody is using it: gone. */
	lg_segment_set(cpu, LG_SEG_GDT_ENTRIES - 1, 0);
	ASSERT_EQ(0, running(0, (LG_SEG_GDT_ENTRIES - 1) * 8));
	model_check(&m, LG_RUN);
}

/* A register keeps what it loaded; what somebody loads afterwards is the new one. */
TEST(an_entry_in_use_is_held)
{
	const u64 tls = MODEL_DATA32 | MODEL_DPL3, other = tls | 0x1000ull << 16;

	model_start(&m);
	lg_segment_set(cpu, 6, tls);
	lg_seg_put(cpu, LG_SREG_GS, 6 * 8 + 3);
	lg_segment_set(cpu, 6, 0);
	ASSERT_EQ(lg_vet_descriptor(tls, false), running(0, 6 * 8));
	ASSERT_EQ(0, running(1, 6 * 8));
	lg_seg_release(cpu);
	ASSERT_EQ(lg_vet_descriptor(tls, false), running(0, 6 * 8));
	lg_seg_put(cpu, LG_SREG_GS, 0);
	lg_seg_release(cpu);
	ASSERT_EQ(0, running(0, 6 * 8));
	/* A good descriptor in place of a good one needs no holding. */
	lg_segment_set(cpu, 6, tls);
	lg_seg_put(cpu, LG_SREG_GS, 6 * 8 + 3);
	lg_segment_set(cpu, 6, other);
	ASSERT_EQ(lg_vet_descriptor(other, false), running(0, 6 * 8));
	/* More are held than there are registers: never. */
	lg_segment_set(cpu, LG_SEL_INDEX(MODEL_KERNEL_CS), 0);
	lg_segment_set(cpu, LG_SEL_INDEX(MODEL_KERNEL_DS), 0);
	lg_segment_set(cpu, 6, 0);
	model_check(&m, LG_RUN);
}

/* A register has had many entries, each of which changed while it did: no old copy stays. */
TEST(entries_that_were_in_use_are_let_go)
{
	unsigned int i, n = 4 * LG_SREGS;

	model_start(&m);
	for (i = 0; i < n; i++) {
		lg_segment_set(cpu, 20 + i, MODEL_DATA32);
		lg_seg_put(cpu, LG_SREG_DS, (20 + i) * 8 + 1);
		lg_segment_set(cpu, 20 + i, MODEL_DATA32 & ~LG_DESC_PRESENT);
		ASSERT_TRUE(running(0, (20 + i) * 8) & LG_DESC_PRESENT);
	}
	lg_seg_put(cpu, LG_SREG_DS, 0);
	lg_seg_release(cpu);
	for (i = 0; i < n; i++)
		ASSERT_FALSE(running(0, (20 + i) * 8) & LG_DESC_PRESENT);
}

TEST(lgdt_takes_the_table_in_memory)
{
	u64 desc;

	model_start(&m);
	write_desc(GDT_AT, 0, MODEL_DATA32);
	write_desc(GDT_AT, 2, MODEL_CODE32);
	write_desc(GDT_AT, 3, MODEL_DATA32);
	write_desc(GDT_AT, 4, MODEL_DATA32 | MODEL_DPL3);
	/* Entry 4 is cut in half. */
	lg_seg_load_gdt(cpu, GDT_AT, 4 * 8 + 3);
	ASSERT_EQ(0, running(0, 0));
	ASSERT_EQ(lg_vet_descriptor(MODEL_CODE32, false), running(0, 2 * 8));
	ASSERT_EQ(0, running(0, 4 * 8));
	ASSERT_EQ(-ENOENT, lg_seg_fetch(cpu, 4 * 8, &desc));
	ASSERT_EQ(-ENOENT, lg_seg_fetch(cpu, 3, &desc));
	/* What CS, SS, DS and ES had is still there, until they are loaded. */
	model_check(&m, LG_RUN);
	ASSERT_EQ(lg_vet_descriptor(MODEL_CODE32, false), running(0, MODEL_KERNEL_CS));
	lg_seg_put(cpu, LG_SREG_CS, 2 * 8);
	lg_seg_put(cpu, LG_SREG_SS, 3 * 8);
	lg_seg_put(cpu, LG_SREG_DS, 3 * 8);
	lg_seg_put(cpu, LG_SREG_ES, 3 * 8);
	lg_seg_release(cpu);
	ASSERT_EQ(0, running(0, MODEL_KERNEL_CS));
	ASSERT_EQ(0, running(0, MODEL_KERNEL_DS));

	/* A hypercall makes the copy the table: memory is not looked at any more. */
	lg_segment_set(cpu, 5, MODEL_DATA32);
	write_desc(GDT_AT, 2, 0);
	lg_seg_sync(cpu);
	ASSERT_EQ(0, lg_seg_fetch(cpu, 2 * 8, &desc));
	ASSERT_EQ(MODEL_CODE32, desc);
	model_check(&m, LG_RUN);
}

TEST(stores_to_the_table_are_found)
{
	u64 desc;

	model_start(&m);
	write_desc(GDT_AT, 12, MODEL_CODE32);
	write_desc(GDT_AT, 13, MODEL_DATA32);
	lg_seg_load_gdt(cpu, GDT_AT, 0xff);

	/* From nothing to something: the load fails, and finds it. Once. */
	write_desc(GDT_AT, 6, MODEL_DATA32 | MODEL_DPL3);
	ASSERT_EQ(0, running(0, 6 * 8));
	ASSERT_EQ(1, lg_seg_refresh(cpu, 6 * 8));
	ASSERT_EQ(lg_vet_descriptor(MODEL_DATA32 | MODEL_DPL3, false), running(0, 6 * 8));
	ASSERT_EQ(0, lg_seg_refresh(cpu, 6 * 8));
	/* From something to something else: on the way to user level. */
	write_desc(GDT_AT, 6, MODEL_DATA32 | MODEL_DPL3 | 0x5000ull << 16);
	lg_seg_sync(cpu);
	ASSERT_EQ(0x5000, lg_desc_base(running(1, 6 * 8)));
	/* The emulation always looks. */
	write_desc(GDT_AT, 6, 0);
	ASSERT_EQ(0, lg_seg_fetch(cpu, 6 * 8, &desc));
	ASSERT_EQ(0, desc);
	ASSERT_EQ(0, running(0, 6 * 8));
}

TEST(a_table_that_cannot_be_read)
{
	u64 desc;

	model_start(&m);
	write_desc(GDT_AT, 12, MODEL_CODE32);
	write_desc(GDT_AT, 13, MODEL_DATA32);
	/* 60 descriptors before the page's end; the next page is not there. */
	lg_seg_load_gdt(cpu, GDT_AT + 0xe20, 0xfff);
	model_set_page(&m, GDT_AT + 0x1000, false, false, false);
	ASSERT_EQ(-EFAULT, lg_seg_refresh(cpu, 61 * 8));
	ASSERT_EQ(LG_TRAP_PF, cpu->fault.vector);
	ASSERT_EQ(GDT_AT + 0xe20 + 61 * 8, cpu->fault.gva);
	/* A supervisor's read, also if user level loaded the selector. */
	ASSERT_EQ(0, cpu->fault.error);
	ASSERT_EQ(-EFAULT, lg_seg_fetch(cpu, 61 * 8, &desc));
	/* Beyond 4 GiB it goes on at 0. */
	lg_seg_load_gdt(cpu, U32_MAX - 15, 0xfff);
	ASSERT_EQ(-EFAULT, lg_seg_fetch(cpu, 8, &desc));
	ASSERT_EQ(U32_MAX - 7, cpu->fault.gva);
	ASSERT_EQ(0, lg_seg_fetch(cpu, 16, &desc));
	model_check(&m, LG_RUN);
}

/* ---- LLDT, LTR ---- */

TEST(lldt)
{
	u64 desc;

	model_start(&m);
	ASSERT_EQ(-ENOENT, lg_seg_fetch(cpu, 7, &desc));
	write_desc(LDT_AT, 0, MODEL_DATA32 | MODEL_DPL3);
	write_desc(LDT_AT, 1, MODEL_CODE32 | MODEL_DPL3);
	write_desc(LDT_AT, 2, MODEL_DATA32 | MODEL_DPL3);
	lg_segment_set(cpu, 20, system_descriptor(LG_TYPE_LDT, LDT_AT, 2 * 8 - 1));
	ASSERT_EQ(0, lg_seg_load_ldt(cpu, 20 * 8));
	ASSERT_EQ(LG_LDT, m.state.guest_ldt);
	/* Entry 0 of an LDT is one like the others. */
	ASSERT_EQ(lg_vet_descriptor(MODEL_DATA32 | MODEL_DPL3, true), running(1, 4));
	ASSERT_EQ(lg_vet_descriptor(MODEL_CODE32 | MODEL_DPL3, true), running(1, 8 + 4));
	ASSERT_FALSE(lg_desc_is_code(running(0, 8 + 4)));
	ASSERT_EQ(0, running(1, 16 + 4));
	/* The descriptors of the running LDTs are in the switcher's slots. */
	ASSERT_EQ((u64)(uintptr_t)m.state.ldt[1] & 0xffffff,
		  m.state.gdt[1][LG_LDT / 8] >> 16 & 0xffffff);
	ASSERT_EQ((u64)(uintptr_t)m.state.ldt[1] >> 32, m.state.gdt[1][LG_LDT / 8 + 1]);
	ASSERT_EQ(4095, m.state.gdt[1][LG_LDT / 8] & 0xffff);

	/* Stores are found as in the GDT. */
	write_desc(LDT_AT, 0, 0);
	lg_seg_sync(cpu);
	ASSERT_EQ(0, running(1, 4));
	/* Without an LDT, what registers have of it goes. */
	lg_seg_put(cpu, LG_SREG_GS, 8 + 4 + 3);
	ASSERT_EQ(0, lg_seg_load_ldt(cpu, 0));
	ASSERT_EQ(0, m.state.guest_ldt);
	ASSERT_EQ(0, m.state.regs.gs);
	ASSERT_EQ(0, running(1, 8 + 4));
	/* A second one has nothing of the first. */
	lg_segment_set(cpu, 20, system_descriptor(LG_TYPE_LDT, LDT_AT + 0x800, 0xfff));
	ASSERT_EQ(0, lg_seg_load_ldt(cpu, 20 * 8));
	ASSERT_EQ(0, running(1, 8 + 4));
	/* The largest one: only the first 512 entries count. */
	lg_segment_set(cpu, 20, system_descriptor(LG_TYPE_LDT, LDT_AT, 0xffff));
	ASSERT_EQ(0, lg_seg_load_ldt(cpu, 20 * 8));
	ASSERT_EQ(-ENOENT, lg_seg_fetch(cpu, 512 * 8 + 4, &desc));
	model_check(&m, LG_RUN);
}

TEST(lldt_and_ltr_of_every_type)
{
	unsigned int type, p;

	for (type = 0; type < 32; type++) {
		for (p = 0; p < 2; p++) {
			u64 desc = system_descriptor(type, TSS_AT, 0x67);
			int vector;

			if (!p)
				desc &= ~LG_DESC_PRESENT;
			model_start(&m);
			lg_segment_set(cpu, 20, desc);
			vector = type != LG_TYPE_LDT ? LG_TRAP_GP : p ? 0 : LG_TRAP_NP;
			ASSERT_EQ(vector ? -EFAULT : 0, lg_seg_load_ldt(cpu, 20 * 8 + 1));
			if (vector) {
				ASSERT_EQ(vector, cpu->fault.vector);
				ASSERT_EQ(20 * 8, cpu->fault.error);
			}
			vector = type != LG_TYPE_TSS16 && type != LG_TYPE_TSS32 ? LG_TRAP_GP :
				 p						? 0 :
										  LG_TRAP_NP;
			ASSERT_EQ(vector ? -EFAULT : 0, lg_seg_load_tr(cpu, 20 * 8 + 2));
			if (vector) {
				ASSERT_EQ(vector, cpu->fault.vector);
				ASSERT_EQ(20 * 8, cpu->fault.error);
			} else {
				ASSERT_EQ(TSS_AT, cpu->seg.tss_base);
				ASSERT_EQ(type, cpu->seg.tss_type);
				/* It is busy now. */
				ASSERT_EQ(-EFAULT, lg_seg_load_tr(cpu, 20 * 8));
			}
		}
	}
	/* Null, and from an LDT. */
	ASSERT_EQ(-EFAULT, lg_seg_load_tr(cpu, 0));
	ASSERT_EQ(0, cpu->fault.error);
	ASSERT_EQ(-EFAULT, lg_seg_load_tr(cpu, 20 * 8 + 4));
	ASSERT_EQ(20 * 8 + 4, cpu->fault.error);
	ASSERT_EQ(-EFAULT, lg_seg_load_ldt(cpu, 20 * 8 + 4));
}

TEST(ltr_marks_the_tss_busy_in_memory)
{
	u64 desc;

	model_start(&m);
	write_desc(GDT_AT, 12, MODEL_CODE32);
	write_desc(GDT_AT, 13, MODEL_DATA32);
	write_desc(GDT_AT, 16, system_descriptor(LG_TYPE_TSS32, TSS_AT, 0x67));
	lg_seg_load_gdt(cpu, GDT_AT, 0xff);
	cpu->ss1 = MODEL_KERNEL_DS;
	ASSERT_EQ(0, lg_seg_load_tr(cpu, 16 * 8));
	memcpy(&desc, m.memory + GDT_AT + 16 * 8, 8);
	ASSERT_EQ(LG_TYPE_TSS32 | LG_TYPE_BUSY, LG_DESC_TYPE(desc));
	/* The stack is the TSS's now. */
	ASSERT_EQ(0, cpu->ss1);
	/* Where that cannot be written, it is a page fault. */
	write_desc(GDT_AT, 16, system_descriptor(LG_TYPE_TSS32, TSS_AT, 0x67));
	model_set_page(&m, GDT_AT, true, false, true);
	ASSERT_EQ(-EFAULT, lg_seg_load_tr(cpu, 16 * 8));
	ASSERT_EQ(LG_TRAP_PF, cpu->fault.vector);
}

/* Whatever the level changes to, what is left in DS, ES, FS and GS can be loaded there. */
TEST(registers_on_the_way_to_user_level)
{
	model_start(&m);
	lg_seg_put(cpu, LG_SREG_DS, MODEL_KERNEL_DS);
	lg_seg_put(cpu, LG_SREG_ES, MODEL_USER_DS);
	lg_seg_put(cpu, LG_SREG_FS, MODEL_USER_CS);
	lg_seg_put(cpu, LG_SREG_GS, 3);
	cpu->user = true;
	lg_seg_drop_unusable(cpu);
	ASSERT_EQ(0, m.state.regs.ds);
	ASSERT_EQ(MODEL_USER_DS, m.state.regs.es);
	ASSERT_EQ(MODEL_USER_CS, m.state.regs.fs);
	ASSERT_EQ(3, m.state.regs.gs);
}

TEST_HARNESS_MAIN
