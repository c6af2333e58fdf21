/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What switcher.S needs of kernel headers that differ between versions: hints
 * for objtool, ENDBR, and what a host's mitigations ask at the boundary of ring
 * 3.
 */
#ifndef _LGUEST_COMPAT_ASM_H
#define _LGUEST_COMPAT_ASM_H

#include <linux/objtool.h>
#include <linux/stringify.h>
#include <linux/version.h>
#include <asm/ibt.h>
#include <asm/msr-index.h>
#include <asm/nospec-branch.h>
#include <asm/page_types.h>
#include <asm/trapnr.h>
#include <asm/unwind_hints.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
#define LG_UNWIND_HINT_UNDEFINED	UNWIND_HINT_UNDEFINED
#else
#define LG_UNWIND_HINT_UNDEFINED	UNWIND_HINT_EMPTY
#endif
#define LG_UNWIND_HINT_FUNC		UNWIND_HINT_FUNC
/*
 * Where an indirect branch or an event may arrive: a real ENDBR64 wherever the
 * kernel might use IBT.
 */
#define LG_ENDBR			endbr64

/*
 * MDS and its kin (VERW), as the kernel does it on its way to user mode; \sel
 * is memory with a writable data selector.
 */
.macro LG_CLEAR_BUFFERS sel:req
#ifdef X86_FEATURE_CLEAR_CPU_BUF
	ALTERNATIVE "jmp .Lno_verw_\@", "", X86_FEATURE_CLEAR_CPU_BUF
	verw	\sel
.Lno_verw_\@:
#endif
.endm

/*
 * After ring 3, before the first RET: untrain what AMD's return predictor
 * learnt, fill the return stack buffer, overwrite the branch history (200 taken
 * branches; the longest history known keeps 194). Clobbers RAX, RCX, RDX,
 * flags; needs 256 bytes of stack.
 */
.macro LG_LEAVE_RING3
	CALL_UNTRAIN_RET
#ifdef X86_FEATURE_CALL_DEPTH
	ALTERNATIVE "", __stringify(RESET_CALL_DEPTH), X86_FEATURE_CALL_DEPTH
#endif
	/*
	 * The kernel's own function for this is KVM's alone in newer versions.
	 */
	ALTERNATIVE "jmp .Lno_ibpb_\@", "", X86_FEATURE_ENTRY_IBPB
	mov	$MSR_IA32_PRED_CMD, %ecx
	mov	$PRED_CMD_IBPB, %eax
	xor	%edx, %edx
	wrmsr
.Lno_ibpb_\@:
	ALTERNATIVE "jmp .Lno_rsb_\@", "", X86_FEATURE_RSB_CTXSW
	.rept 32
	ANNOTATE_INTRA_FUNCTION_CALL
	call	772f
	int3
772:
	.endr
	add	$(32 * 8), %rsp
	lfence
.Lno_rsb_\@:
#ifdef X86_FEATURE_CLEAR_BHB_LOOP
	ALTERNATIVE "jmp .Lno_bhb_\@", "", X86_FEATURE_CLEAR_BHB_LOOP
	mov	$100, %eax
.Lhistory_\@:
	jmp	.Lonward_\@
	int3
.Lonward_\@:
	dec	%eax
	jnz	.Lhistory_\@
	lfence
.Lno_bhb_\@:
#endif
.endm

#endif /* _LGUEST_COMPAT_ASM_H */
