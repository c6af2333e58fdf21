/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the switcher's assembly and its C half share: the layout of a vCPU's
 * switcher memory.
 *
 * One naturally aligned block of LG_STATE_SIZE per vCPU. The first LG_STATE_SHARED
 * bytes are mapped while the Guest runs, at their direct-map address,
 * supervisor, not executable (S4). The rest is read by the Host only.
 */
#ifndef _LGUEST_SWITCHER_H
#define _LGUEST_SWITCHER_H

#define LG_STATE_SIZE 0x8000
#define LG_STATE_ORDER 3
#define LG_STATE_SHARED 0x7000

#define LG_GDT_ENTRIES 512 /* of the running GDTs: one page */
#define LG_GDT_GUEST 504 /* the Guest may own the ones below */
#define LG_LDT_ENTRIES 512 /* of the running LDTs: one page */
/*
 * Ours, at the top of the running GDTs and of the T set. None is reachable from
 * ring 3 (S3).
 */
#define LG_CS (505 * 8)
#define LG_DS (506 * 8)
#define LG_TSS (508 * 8)
#define LG_LDT (510 * 8)

#define LG_STUB_SIZE 16
#define LG_VECTORS 256

/*
 * IRET to a 16-bit stack segment loads SP and leaves the rest of ESP as the Host's stack pointer
 * has it. So that stack pointer has bits 31 to 16 of the Guest's ESP: the page of the exit stack is
 * also mapped once in each 64 KiB of LG_ALIAS_SIZE bytes, which begin where the upper half of all
 * addresses does, in a hole of Linux's map.
 */
#define LG_ALIAS_START(levels) (~0UL << (9 * (levels) + 11))
#define LG_ALIAS_SIZE BIT_ULL(32)
#define LG_ALIAS_STEP 0x10000

#ifndef __ASSEMBLY__
#include <linux/types.h>
#include <asm/desc_defs.h>

/*
 * General registers and selectors of the Guest, as the hardware has them (CPL
 * 3, RPL as loaded).
 */
struct lg_regs {
	u64 ax, bx, cx, dx, si, di, bp;
	u16 ds, es, fs, gs;
};

/*
 * What the processor pushed at the exit, and IRETQ takes at the entry: the top
 * of the exit stack.
 */
struct lg_frame {
	u64 vector, error;
	u64 ip, cs, flags, sp, ss;
};

struct lg_tss {
	u32 reserved0;
	u64 sp0, sp1, sp2;
	u64 reserved1;
	u64 ist[7];
	u64 reserved2;
	u16 reserved3;
	u16 io_bitmap;
} __packed;

struct lg_desc_ptr {
	u16 limit;
	u64 base;
} __packed __aligned(2);

struct lg_state {
	/* Page 0: the assembly's. */
	struct lg_regs regs;
	u64 guest_cr3, host_cr3;
	u64 host_sp, host_gs_base;
	u64 alias; /* where the first of the exit stack's aliases has frame.ip */
	u64 abort_vector, abort_error;
	u64 guest_dr7;
	u16 host_gs, host_ldt;
	u16 guest_ldt; /* LG_LDT or 0 */
	u16 verw; /* operand of VERW: a writable data selector */
	/* Came while host state was not whole: raised again at the end of lg_switch(). */
	u8 nmi, mce;
	u8 debug; /* the Guest's breakpoints are to be on inside: guest_dr7 */
	u8 aborted; /* the entry failed in our own ring: abort_vector and abort_error say how */
	struct lg_desc_ptr host_gdt, host_idt, t_gdt, t_idt, own_gdt, own_idt;
	struct lg_tss tss __aligned(16);
	/*
	 * Page 1: the exit stack, the #DF stack at its lower end. TSS.RSP0 is
	 * the end of frame, TSS.IST1 that of df_stack. Where the state is stands
	 * in front of them, for who finds himself on an alias of the page.
	 */
	u64 self __aligned(4096);
	u8 df_stack[1024 - sizeof(u64)];
	u8 stack[4096 - 1024 - sizeof(struct lg_frame)];
	struct lg_frame frame;
	/*
	 * Pages 2, 3: the running GDT of each virtual privilege level (enum
	 * lg_view). Page 4: own IDT.
	 */
	u64 gdt[2][LG_GDT_ENTRIES] __aligned(4096);
	gate_desc idt[256] __aligned(4096);
	/*
	 * Pages 5, 6: the running LDT of each virtual privilege level, which
	 * LG_LDT of the GDT of that level names: segments.c.
	 */
	u64 ldt[2][LG_LDT_ENTRIES] __aligned(4096);
	/* From here on Host only. Page 7: the GDT of the T set. */
	u64 t_gdt_table[LG_GDT_ENTRIES] __aligned(4096);
};

/*
 * switcher.S: into the Guest and back. IRQs off, FPU the Guest's; world.c is
 * the only caller.
 */
void lg_switch(struct lg_state *state);
/*
 * The page-aligned text that is mapped while a Guest runs, LG_STUB_SIZE bytes
 * for each vector first.
 */
extern const char lg_switcher_text[], lg_switcher_text_end[];
/*
 * `sti; int $vector; ret`, LG_STUB_SIZE bytes for each vector; not mapped for
 * Guests.
 */
extern const char lg_raise_thunks[];

/*
 * Gives the host an interrupt that came to a Guest (S8). Interrupts are off before, and on
 * afterwards. What it calls has no hash before it for a kernel that checks such calls.
 */
static __always_inline __nocfi void lg_raise_host_vector(unsigned int vector)
{
	void (*thunk)(void) = (void *)(lg_raise_thunks + vector * LG_STUB_SIZE);

	thunk();
}
#endif /* !__ASSEMBLY__ */
#endif /* _LGUEST_SWITCHER_H */
