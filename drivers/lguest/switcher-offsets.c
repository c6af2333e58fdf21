// SPDX-License-Identifier: GPL-2.0
/*
 * Makes switcher-offsets.h: the layout of switcher.h in numbers for switcher.S.
 * Never linked.
 */
#define COMPILE_OFFSETS
#include <linux/kbuild.h>
#include <linux/stddef.h>

#include "switcher.h"

#define STATE(name, field) OFFSET(LG_##name, lg_state, field)

static void __used switcher_offsets(void)
{
	STATE(AX, regs.ax);
	STATE(BX, regs.bx);
	STATE(CX, regs.cx);
	STATE(DX, regs.dx);
	STATE(SI, regs.si);
	STATE(DI, regs.di);
	STATE(BP, regs.bp);
	STATE(DS_SEL, regs.ds);
	STATE(ES_SEL, regs.es);
	STATE(FS_SEL, regs.fs);
	STATE(GS_SEL, regs.gs);
	STATE(GUEST_CR3, guest_cr3);
	STATE(HOST_CR3, host_cr3);
	STATE(HOST_SP, host_sp);
	STATE(HOST_GS_BASE, host_gs_base);
	STATE(ALIAS, alias);
	STATE(EXIT_PAGE, self);
	STATE(HOST_GS, host_gs);
	STATE(HOST_LDT, host_ldt);
	STATE(GUEST_LDT, guest_ldt);
	STATE(VERW, verw);
	STATE(NMI_MCE, nmi);
	STATE(NMI, nmi);
	STATE(MCE, mce);
	STATE(DEBUG, debug);
	STATE(GUEST_DR7, guest_dr7);
	STATE(ABORTED, aborted);
	STATE(ABORT_VECTOR, abort_vector);
	STATE(ABORT_ERROR, abort_error);
	STATE(HOST_GDT, host_gdt);
	STATE(HOST_IDT, host_idt);
	STATE(T_GDT, t_gdt);
	STATE(T_IDT, t_idt);
	STATE(OWN_GDT, own_gdt);
	STATE(OWN_IDT, own_idt);
	STATE(FRAME_VECTOR, frame.vector);
	STATE(FRAME_IP, frame.ip);
	STATE(FRAME_SP, frame.sp);
	STATE(T_GDT_TABLE, t_gdt_table);
}
