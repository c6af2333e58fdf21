// SPDX-License-Identifier: GPL-2.0
/*
 * A hostile kernel: its descriptor tables, TSS, stacks and return frames are random, lie anywhere,
 * and are written to by the launcher while the Host reads them. It goes on as long as it lives;
 * whatever it meets is right, as long as the Host is well. mailbox.in[0] is the seed, out[0] where
 * the tables are, out[1] counts what it has tried.
 *
 * No IRET here finds VM set in its frame: the emulated host's processor (QEMU 7.2) would go to
 * virtual-8086 mode, from ring 3 and in long mode, where a processor does not look at that bit; and
 * that is the end of any 64-bit kernel on it.
 */
#include "user.h"

#define AREA_PAGES	8
#define USER_AT		0x00400000u

struct table_register {
	u16 limit;
	u32 base;
} __attribute__((packed));

static u64 state;
static u8 *area;
static u32 pgdir;

static u32 rnd(void)
{
	u64 z = state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z >> 31;
}

/* Somewhere in the tables, on a border, behind all memory, in a device, nowhere. */
static u32 wild_address(void)
{
	switch (rnd() % 8) {
	case 0:
		return rnd();
	case 1:
		return 0xffffffffu - rnd() % 64;
	case 2:
		return 0x70000000u - rnd() % 32;	/* not mapped */
	case 3:
		return (u32)area + AREA_PAGES * PAGE_SIZE - rnd() % 64;
	default:
		return (u32)area + rnd() % (AREA_PAGES * PAGE_SIZE);
	}
}

static u64 wild_descriptor(void)
{
	static const u64 kinds[] = {
		0x00cf9b000000ffffull, 0x00cf93000000ffffull, 0x00cffb000000ffffull, 0x00cff3000000ffffull,
		0x0000890000000067ull, 0x0000820000000fffull, 0x00af9b000000ffffull, 0x00008c0000000000ull,
		0x0000e50000000000ull, 0x00cf97000000ffffull, 0x00cf9f000000ffffull, 0x008f92000000ffffull,
	};
	u64 desc = (u64)rnd() << 32 | rnd();

	if (desc % 4 == 0)
		return desc;
	return kinds[rnd() % ARRAY_SIZE(kinds)] ^ (desc % 4 == 1 ? 1ull << rnd() % 64 : 0);
}

static void refill(void)
{
	u64 *desc = (u64 *)area;
	u32 i;

	for (i = 0; i < 128; i++)
		desc[rnd() % (AREA_PAGES * PAGE_SIZE / 8)] = wild_descriptor();
}

/* Back to the Host's own tables: one hypercall for each. */
static void recover(void)
{
	hypercall(LHCALL_LOAD_GDT_ENTRY, KERNEL_CS / 8, 0x0000ffff, 0x00cfbb00, 0);
	hypercall(LHCALL_LOAD_GDT_ENTRY, KERNEL_DS / 8, 0x0000ffff, 0x00cfb300, 0);
	hypercall(LHCALL_LOAD_GDT_ENTRY, USER_CS / 8, 0x0000ffff, 0x00cffb00, 0);
	hypercall(LHCALL_LOAD_GDT_ENTRY, USER_DS / 8, 0x0000ffff, 0x00cff300, 0);
	guest_set_gate(VEC_GP, 0);
}

static void load_gdt(u32 unused)
{
	struct table_register r = { rnd(), wild_address() };

	asm volatile("lgdt %0" : : "m" (r) : "memory");
}

static void load_idt(u32 unused)
{
	struct table_register r = { rnd(), wild_address() };

	asm volatile("lidt %0" : : "m" (r) : "memory");
}

static void load_ldt(u32 sel)
{
	asm volatile("lldt %w0" : : "r" (sel) : "memory");
}

static void load_tr(u32 sel)
{
	asm volatile("ltr %w0" : : "r" (sel) : "memory");
}

static void load_data(u32 sel)
{
	switch (rnd() % 3) {
	case 0:
		asm volatile("movl %0, %%fs" : : "r" (sel));
		break;
	case 1:
		asm volatile("movl %0, %%gs" : : "r" (sel));
		break;
	default:
		asm volatile("movl %0, %%es" : : "r" (sel));
		break;
	}
}

static void load_stack(u32 sel)
{
	asm volatile("movl %0, %%ss" : : "r" (sel));
}

static void return_far(u32 sel)
{
	asm volatile("pushl %0; pushl $1f; lret; 1:" : : "r" (sel) : "memory");
}

static void return_anywhere(u32 sel)
{
	asm volatile("pushl %0; pushl %1; pushl %2; pushl %3; pushl %4; iret"
		     : : "r" (rnd() % 512), "r" (wild_address()), "r" (rnd() & ~FLAGS_VM), "r" (sel), "r" (wild_address())
		     : "memory");
}

static void write_msrs(u32 sel)
{
	wrmsr(0x174, sel);
	wrmsr(0x175, wild_address());
	wrmsr(0x176, wild_address());
}

/* Where nothing is mapped, or half of it. */
static void iret_through_bad_stack(u32 unused)
{
	u32 sp = rnd() % 2 ? 0x70000000u - rnd() % 32 : 0xffffffffu - rnd() % 32;

	asm volatile("movl %0, %%esp; iret" : : "r" (sp) : "memory");
}

static void software_interrupt(u32 n)
{
	switch (n % 8) {
	case 0:
		asm volatile("int $0x80");
		break;
	case 1:
		asm volatile("int $3");
		break;
	case 2:
		asm volatile("int $0x21");
		break;
	case 3:
		asm volatile("ud2");
		break;
	case 4:
		asm volatile("int $8");
		break;
	case 5:
		asm volatile("int $0xff");
		break;
	case 6:
		*(volatile u8 *)0x70000000 = 1;
		break;
	default:
		asm volatile("divl %0" : : "r" (0), "a" (1), "d" (0));
		break;
	}
}

static void store_tables(u32 unused)
{
	asm volatile("sgdt (%0)" : : "r" (wild_address()) : "memory");
	asm volatile("sidt (%0)" : : "r" (wild_address()) : "memory");
}

static void user_program(void)
{
	/* int $0x80; then anything. */
	u8 *code = va(*guest_pte(va(pgdir), USER_AT) & -PAGE_SIZE);
	struct trap trap;
	u32 i;

	for (i = 0; i < 64; i++)
		code[i] = rnd();
	memcpy(code + 62, "\xcd\x80", 2);
	guest_try_user(USER_AT + rnd() % 64, USER_AT + 0x800, FLAGS_ONE | FLAGS_IF | (rnd() & (FLAGS_TF | FLAGS_AC)), 0,
		       &trap);
}

void guest_main(void)
{
	static void (*const attempts[])(u32) = {
		load_gdt, load_idt, load_ldt, load_tr, load_data, load_stack, return_far, return_anywhere, write_msrs,
		iret_through_bad_stack, software_interrupt, store_tables,
	};
	struct trap trap;
	u32 tried;

	state = mailbox->in[0];
	area = va(guest_alloc(AREA_PAGES, PAGE_SIZE));
	mailbox->out[0] = pa(area);
	pgdir = user_pgdir();
	guest_map(va(pgdir), USER_AT, guest_alloc(1, PAGE_SIZE) | PTE_ALL);
	user_load_pgdir(pgdir);
	lguest_data.blocked_interrupts = 0;
	lguest_data.irq_enabled = rnd() & LGUEST_IF;
	refill();
	guest_sync(1);

	for (tried = 0; ; tried++) {
		mailbox->out[1] = tried;
		refill();
		/* Now and then several at once, before things are put right. */
		guest_try(attempts[rnd() % ARRAY_SIZE(attempts)], rnd() % (rnd() % 2 ? 0x100 : 0x10000), &trap);
		if (rnd() % 16)
			recover();
		hypercall(LHCALL_SET_STACK, KERNEL_DS, rnd() % 16 ? (u32)area + AREA_PAGES * PAGE_SIZE : wild_address(), 1, 0);
		if (rnd() % 2)
			hypercall(LHCALL_LOAD_GDT_ENTRY, 32 + rnd() % 472, rnd(), rnd(), 0);
		if (rnd() % 4 == 0)
			user_program();
		hypercall(LHCALL_SET_CLOCKEVENT, 1 + rnd() % 10000, 0, 0, 0);
	}
}
