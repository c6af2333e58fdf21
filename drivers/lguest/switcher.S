/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The switcher: from the Host's world into the Guest's and back. The narrowest
 * room of all: whoever enters brings a struct lg_state (switcher.h) in RDI,
 * interrupts off, and leaves with the Host whole again.
 *
 * A processor's world is made of CR3, GDT, IDT, TR, LDT, the selectors, the GS
 * base and a stack. They cannot change in one instruction, and an NMI or a
 * machine check may come between any two. So there are three sets of tables:
 *
 *	host	Linux's own.
 *	T	transition. The IDT's gates name our handlers and use selector
 *		__KERNEL_CS, which means the same in the host's GDT and in T's.
 *		T's GDT has both that and our own selectors, and a copy of the
 *		host's TSS descriptor.
 *	own	what the processor has while the Guest runs. The GDT holds
 *		vetted descriptors of the Guest's (it may have any low selector
 *		for itself) and ours at the top; the IDT's gates use LG_CS.
 *
 * On the way in, T's IDT is loaded first; on the way out, the host's is loaded
 * last. In between every event is ours (S6): no handler of the host ever sees a
 * foreign GDT, TR, GS base, CR3 or stack. What comes in that time is
 *
 *	on the way in	(in_start to in_end): the entry is given up. Nothing of
 *			the Guest has changed, its registers are in memory
 *			still. A fault here means that its selectors or its
 *			address cannot be entered with.
 *	elsewhere	NMI, #MC: noted, and the way out is continued; #DB:
 *			ignored (it can only be a leftover of MOV SS).
 *
 * Noted ones are given to the host at the end (S8). From an NMI until then
 * there must be no IRET, for it would unblock NMIs while Linux's own handler
 * relies on them being blocked: hence LRETQ in ring0_resume.
 *
 * The text is page aligned and alone on its pages, as it is mapped, at its own
 * address, while a Guest runs (S4). It is on the blacklist of kprobes by its
 * section; nothing here may be traced or patched.
 */
#include <linux/linkage.h>
#include <asm/alternative.h>
#include <asm/cpufeatures.h>
#include <asm/msr-index.h>
#include <asm/segment.h>

#include "compat-asm.S"
#include "switcher.h"
#include "switcher-offsets.h"

/*
 * Descriptors of the T set, by offset from the state. The type byte of a
 * descriptor is its sixth.
 */
#define T_OUR_TSS_TYPE	(LG_T_GDT_TABLE + LG_TSS + 5)
#define T_HOST_TSS_TYPE	(LG_T_GDT_TABLE + GDT_ENTRY_TSS * 8 + 5)
#define TSS_AVAILABLE	0x89
#define TSS_BUSY_BIT	0x02

/* An event's frame on the stack, once a stub has pushed the vector. */
#define EV_VECTOR	0
#define EV_ERROR	8
#define EV_IP		16
#define EV_CS		24
#define EV_FLAGS	32
#define EV_SP		40

/*
 * Vectors for which the processor pushes an error code: 8, 10-14, 17, 21, 29,
 * 30.
 */
#define PUSHES_ERROR(v)	((0x60227d00 >> (v)) & 1)

	.section .kprobes.text, "ax"
	.balign PAGE_SIZE, 0xcc
SYM_CODE_START(lg_switcher_text)
	LG_UNWIND_HINT_UNDEFINED
/*
 * One stub a vector, LG_STUB_SIZE apart. May be entered with any register
 * values and from any ring (S1). PUSH of a byte sign-extends; the vector is cut
 * to a byte again where it is read.
 */
	.set vector, 0
	.rept LG_VECTORS
	.balign LG_STUB_SIZE, 0xcc
	LG_UNWIND_HINT_UNDEFINED
	LG_ENDBR
	.if vector >= 32
	push	$0
	.elseif PUSHES_ERROR(vector) == 0
	push	$0
	.endif
	.byte	0x6a, vector			/* push $vector */
	.if vector == X86_TRAP_DF
	/* Has a stack of its own, so it is never handled like an exit. */
	jmp	ring0
	.else
	jmp	event
	.endif
	.set vector, vector + 1
	.endr
	.balign LG_STUB_SIZE, 0xcc

SYM_INNER_LABEL_ALIGN(event, SYM_L_LOCAL)
	LG_UNWIND_HINT_UNDEFINED
	testb	$3, EV_CS(%rsp)
	jz	ring0

	/*
	 * From the Guest. RSP is at the frame's vector, at its fixed place in
	 * the state. Any other register is the Guest's, and so are DF, AC and,
	 * in ring 3's manner, nothing else.
	 */
	mov	%rdi, (LG_DI - LG_FRAME_VECTOR)(%rsp)
	lea	-LG_FRAME_VECTOR(%rsp), %rdi
	mov	%rax, LG_AX(%rdi)
	mov	%rbx, LG_BX(%rdi)
	mov	%rcx, LG_CX(%rdi)
	mov	%rdx, LG_DX(%rdi)
	mov	%rsi, LG_SI(%rdi)
	mov	%rbp, LG_BP(%rdi)
	mov	%ds, LG_DS_SEL(%rdi)
	mov	%es, LG_ES_SEL(%rdi)
	mov	%fs, LG_FS_SEL(%rdi)
	mov	%gs, LG_GS_SEL(%rdi)
	mov	EV_VECTOR(%rsp), %eax
	cmp	$X86_TRAP_NMI, %al
	je	note_nmi

/*
 * The way out. RDI: the state; RSP: a stack inside it. May be begun anew from
 * any of its own points, as every step only depends on memory that it does not
 * change.
 */
SYM_INNER_LABEL(way_out, SYM_L_LOCAL)
	LG_UNWIND_HINT_UNDEFINED
	mov	LG_HOST_CR3(%rdi), %rax
	mov	%rax, %cr3
	lgdt	LG_T_GDT(%rdi)
	lidt	LG_T_IDT(%rdi)
	andb	$~TSS_BUSY_BIT, T_HOST_TSS_TYPE(%rdi)
	mov	$(GDT_ENTRY_TSS * 8), %eax
	ltr	%ax
	lea	1f(%rip), %rax
	push	$__KERNEL_CS
	push	%rax
	lretq
1:
	/* Only LRETQ comes here, which needs no ENDBR. */
	ANNOTATE_NOENDBR
	LG_UNWIND_HINT_UNDEFINED
	lgdt	LG_HOST_GDT(%rdi)
	mov	$__KERNEL_DS, %eax
	mov	%eax, %ss
	/*
	 * In 64-bit mode DS has no base. But QEMU (7.2) adds it where the
	 * segment is named, and Linux on one CPU makes its LOCK prefixes DS: a
	 * base of the Guest's would have it write elsewhere (S5).
	 */
	mov	%eax, %ds
	lldt	LG_HOST_LDT(%rdi)
	/*
	 * The Launcher's GS. Its DS, ES, FS and FS base, which the kernel does
	 * not use, wait for lg_world_put(). GS was loaded a moment ago and can
	 * be loaded again; should it be refused all the same, ring0 makes EAX 0
	 * and tries again.
	 */
	movzwl	LG_HOST_GS(%rdi), %eax
load_gs:
	ANNOTATE_NOENDBR
	mov	%eax, %gs

	/*
	 * KERNEL_GS_BASE was never touched, so that no SWAPGS is needed
	 * anywhere.
	 */
	mov	LG_HOST_GS_BASE(%rdi), %rax
	ALTERNATIVE "jmp gs_base_by_msr", "", X86_FEATURE_FSGSBASE
	wrgsbase %rax
gs_base_whole:
	cmpb	$0, LG_DEBUG(%rdi)
	jne	debug_off
debug_is_off:
	/* Guest addresses mean nothing from here on: no breakpoint of its own is on (S5). */
	lidt	LG_HOST_IDT(%rdi)
	mov	LG_HOST_SP(%rdi), %rsp
	/*
	 * The world is whole. NMIs are blocked still if we took one, and INT
	 * must be the first to end that (S8).
	 */
	cmpw	$0, LG_NMI_MCE(%rdi)
	jne	raise_noted
noted_raised:
	/*
	 * What this host asks of itself between user and kernel, before the
	 * first RET and the first indirect branch.
	 */
	LG_LEAVE_RING3
	popfq
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	RET

debug_off:
	xor	%eax, %eax
	mov	%rax, %db7
	jmp	debug_is_off

gs_base_by_msr:
	mov	%rax, %rdx
	shr	$32, %rdx
	mov	$MSR_GS_BASE, %ecx
	wrmsr
	jmp	gs_base_whole

raise_noted:
	cmpb	$0, LG_NMI(%rdi)
	je	1f
	movb	$0, LG_NMI(%rdi)
	int	$X86_TRAP_NMI
1:	cmpb	$0, LG_MCE(%rdi)
	je	noted_raised
	movb	$0, LG_MCE(%rdi)
	int	$X86_TRAP_MC
	jmp	noted_raised

note_nmi:
	LG_UNWIND_HINT_UNDEFINED
	movb	$1, LG_NMI(%rdi)
	jmp	way_out

/* An event in our own ring, while T's or our own IDT was loaded. */
ring0:
	LG_UNWIND_HINT_UNDEFINED
	push	%rdi
	push	%rax
	push	%rcx
	push	%rdx
#define EV_OFF	32
	/*
	 * The stack may be an alias of the exit stack, which is gone with the
	 * Guest's CR3: from here on it is the page itself, which says where that is.
	 */
	mov	%rsp, %rax
	mov	%rsp, %rdi
	and	$-PAGE_SIZE, %rdi
	mov	(%rdi), %rdi
	and	$(PAGE_SIZE - 1), %eax
	lea	LG_EXIT_PAGE(%rdi, %rax), %rsp
	mov	EV_OFF + EV_IP(%rsp), %rax
	movzbl	EV_OFF + EV_VECTOR(%rsp), %edx
	cmp	$X86_TRAP_NMI, %edx
	jne	1f
	movb	$1, LG_NMI(%rdi)
1:	cmp	$X86_TRAP_MC, %edx
	jne	2f
	movb	$1, LG_MCE(%rdi)
2:
	lea	in_start(%rip), %rcx
	cmp	%rcx, %rax
	jb	3f
	lea	in_end(%rip), %rcx
	cmp	%rcx, %rax
	jae	3f
	/* On the way in: give up. */
give_up:
	LG_UNWIND_HINT_UNDEFINED
	movb	$1, LG_ABORTED(%rdi)
	mov	%rdx, LG_ABORT_VECTOR(%rdi)
	mov	EV_OFF + EV_ERROR(%rsp), %rax
	mov	%rax, LG_ABORT_ERROR(%rdi)
	jmp	way_out
3:
	cmp	$X86_TRAP_NMI, %edx
	je	ring0_resume
	cmp	$X86_TRAP_MC, %edx
	je	ring0_resume
	cmp	$X86_TRAP_DB, %edx
	je	ring0_resume
	/* A selector of the Launcher's was refused: null instead. */
	lea	load_gs(%rip), %rcx
	cmp	%rcx, %rax
	jne	give_up
	movq	$0, 16(%rsp)			/* the RAX that ring0_resume pops */

/*
 * Continue where the event came, without IRET: IP, CS and FLAGS go just below
 * the stack pointer of that place, where nothing lives (this event's own frame
 * does), and are taken from there.
 */
ring0_resume:
	LG_UNWIND_HINT_UNDEFINED
	mov	EV_OFF + EV_SP(%rsp), %rdi
	mov	EV_OFF + EV_CS(%rsp), %rcx
	mov	EV_OFF + EV_FLAGS(%rsp), %rdx
	mov	%rcx, -8(%rdi)
	mov	%rax, -16(%rdi)
	mov	%rdx, -24(%rdi)
	sub	$24, %rdi
	mov	%rdi, EV_OFF + EV_VECTOR(%rsp)
	pop	%rdx
	pop	%rcx
	pop	%rax
	pop	%rdi
	pop	%rsp
	popfq
	lretq

/*
 * void lg_switch(struct lg_state *state): into the Guest; returns after its
 * next exit, or when it could not be entered.
 */
SYM_INNER_LABEL_ALIGN(lg_switch, SYM_L_GLOBAL)
	LG_UNWIND_HINT_FUNC
	LG_ENDBR
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	pushfq
	LG_UNWIND_HINT_UNDEFINED
	mov	%gs, LG_HOST_GS(%rdi)
	mov	%rsp, LG_HOST_SP(%rdi)
	/*
	 * The stack is the IRETQ frame that C has prepared; there is room below
	 * it for events.
	 */
	lea	LG_FRAME_IP(%rdi), %rsp
in_start:
	ANNOTATE_NOENDBR
	lidt	LG_T_IDT(%rdi)
	cmpb	$0, LG_DEBUG(%rdi)
	jne	debug_on
debug_done:
	lgdt	LG_T_GDT(%rdi)
	movb	$TSS_AVAILABLE, T_OUR_TSS_TYPE(%rdi)
	mov	$LG_TSS, %eax
	ltr	%ax
	lidt	LG_OWN_IDT(%rdi)
	lgdt	LG_OWN_GDT(%rdi)
	mov	LG_GUEST_CR3(%rdi), %rax
	mov	%rax, %cr3
	lldt	LG_GUEST_LDT(%rdi)
	mov	LG_DS_SEL(%rdi), %ds
	mov	LG_ES_SEL(%rdi), %es
	mov	LG_FS_SEL(%rdi), %fs
	mov	LG_GS_SEL(%rdi), %gs
	/*
	 * What IRETQ to a 16-bit stack leaves of our RSP is the Guest's own (S9).
	 */
	mov	LG_FRAME_SP(%rdi), %eax
	xor	%ax, %ax
	or	LG_ALIAS(%rdi), %rax
	mov	%rax, %rsp
	/*
	 * By MOV, not POP: an event here writes below RSP, and the registers
	 * must survive it.
	 */
	mov	LG_AX(%rdi), %rax
	mov	LG_BX(%rdi), %rbx
	mov	LG_CX(%rdi), %rcx
	mov	LG_DX(%rdi), %rdx
	mov	LG_SI(%rdi), %rsi
	mov	LG_BP(%rdi), %rbp
	/*
	 * R8 to R15 are as C left them: no instruction names them outside
	 * 64-bit code, of which the Guest has none (S3).
	 */
	/*
	 * Buffers that still hold Host data are overwritten; all that is read
	 * after this is the Guest's own.
	 */
	LG_CLEAR_BUFFERS LG_VERW(%rdi)
	mov	LG_DI(%rdi), %rdi
	iretq
debug_on:
	mov	LG_GUEST_DR7(%rdi), %rax
	mov	%rax, %db7
	jmp	debug_done
in_end:
	ANNOTATE_NOENDBR
	int3
	.balign PAGE_SIZE, 0xcc
SYM_INNER_LABEL(lg_switcher_text_end, SYM_L_GLOBAL)
SYM_CODE_END(lg_switcher_text)

/*
 * Gives a vector that the processor took while the Guest ran to the host. The
 * STI holds interrupts back until the INT is done, so that the frame of the
 * interrupted shows interrupts on: Linux 7 puts off what it would do on the way
 * out otherwise, its timer included.
 */
	.section .text
	.balign LG_STUB_SIZE, 0xcc
SYM_CODE_START(lg_raise_thunks)
	.set vector, 0
	.rept LG_VECTORS
	.balign LG_STUB_SIZE, 0xcc
	LG_UNWIND_HINT_FUNC
	LG_ENDBR
	sti
	.byte	0xcd, vector			/* int $vector */
	RET
	.set vector, vector + 1
	.endr
	.balign LG_STUB_SIZE, 0xcc
SYM_CODE_END(lg_raise_thunks)
