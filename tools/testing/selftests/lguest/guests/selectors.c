// SPDX-License-Identifier: GPL-2.0
/*
 * Every selector into a segment register, or as the target of a far jump, call or return, at one of
 * the levels: those of the Guest's own four segments as processor.rst says, all others #GP with the
 * selector.
 */
#include "guest.h"
#include "../guests/selectors.h"

/* Entries of the GDT: the Guest's segments. */
#define KERNEL_CODE	12u
#define KERNEL_DATA	13u
#define USER_CODE	14u
#define USER_DATA	15u

u32 kernel_stub(u32 what, u32 sel);
extern char user_stubs[];
#define USER_STUB	64

/*
 * At kernel level: loads it, reads back what is there, and puts things right again. Of a far return
 * that went to user level (its selector says so) the way back is INT 0x80. At user level the
 * selector comes in EAX, and what was read back goes in EAX too.
 */
#define KERNEL_LOAD(reg)								\
	"	movl	%eax, %" reg "; movl %" reg ", %eax\n"				\
	"	movl	$0x69, %edx; movl %edx, %" reg "\n"				\
	"	ret\n"
#define USER_LOAD(reg)									\
	"	.balign	64\n"								\
	"	movl	%eax, %" reg "; movl %" reg ", %eax; int $0x80\n"

asm(".text\n"
    "kernel_stub:\n"
    "	movl	4(%esp), %edx; movl 8(%esp), %eax; jmp *kernel_table(,%edx,4)\n"
    "kernel_ds:" KERNEL_LOAD("ds")
    "kernel_es:" KERNEL_LOAD("es")
    "kernel_fs:" KERNEL_LOAD("fs")
    "kernel_gs:" KERNEL_LOAD("gs")
    "kernel_ss:" KERNEL_LOAD("ss")
    "kernel_jmp:\n"
    "	pushl	%eax; pushl $1f; ljmp *(%esp)\n"
    "1:	movl	%cs, %eax; addl $8, %esp; jmp kernel_home\n"
    "kernel_call:\n"
    "	pushl	%eax; pushl $1f; lcall *(%esp)\n"
    "1:	movl	%cs, %eax; addl $16, %esp; jmp kernel_home\n"
    "kernel_ret:\n"
    "	movl	%esp, %ecx; pushl $0x7b; pushl %ecx; pushl %eax; pushl $1f; lret\n"
    "1:	movl	%cs, %eax; movl %eax, %ecx; shrl $3, %ecx; cmpl $14, %ecx; je 2f\n"
    "	addl	$8, %esp; jmp kernel_home\n"
    "2:	int	$0x80\n"
    "kernel_home:\n"
    "	pushl	$0x61; pushl $1f; lret\n"
    "1:	ret\n"
    "	.balign	64\n"
    "user_stubs:\n"
    USER_LOAD("ds")
    USER_LOAD("es")
    USER_LOAD("fs")
    USER_LOAD("gs")
    USER_LOAD("ss")
    "	.balign	64\n"
    "	pushl	%eax; pushl $1f; ljmp *(%esp)\n"
    "1:	movl	%cs, %eax; int $0x80\n"
    "	.balign	64\n"
    "	pushl	%eax; pushl $1f; lcall *(%esp)\n"
    "1:	movl	%cs, %eax; int $0x80\n"
    "	.balign	64\n"
    "	pushl	%eax; pushl $1f; lret\n"
    "1:	movl	%cs, %eax; int $0x80\n"
    "	.section .rodata\n"
    "	.balign	4\n"
    "kernel_table:\n"
    "	.long	kernel_ds, kernel_es, kernel_fs, kernel_gs, kernel_ss, kernel_jmp, kernel_call, kernel_ret\n"
    "	.text\n");

static u32 what, seen;

static void at_kernel_level(u32 sel)
{
	seen = kernel_stub(what, sel);
}

/* May this be loaded there? Null selectors apart. */
static bool good(u32 sel, bool user)
{
	u32 entry = sel >> 3, rpl = sel & 3;

	if (sel & 4)
		return false;			/* there is no LDT */
	switch (what) {
	case LOAD_DS:
	case LOAD_ES:
	case LOAD_FS:
	case LOAD_GS:
		if (user)
			return entry == USER_CODE || entry == USER_DATA;
		return entry >= KERNEL_CODE && entry <= USER_DATA;
	case LOAD_SS:
		if (user)
			return entry == USER_DATA && rpl == 3;
		return entry == KERNEL_DATA || (entry == USER_DATA && rpl == 3);
	case FAR_RET:
		if (user)
			return entry == USER_CODE && rpl == 3;
		return entry == KERNEL_CODE || (entry == USER_CODE && rpl == 3);
	default:
		return entry == (user ? USER_CODE : KERNEL_CODE);
	}
}

static void one(u32 sel, bool user, u32 stack)
{
	bool null = !(sel & ~3u), data = what <= LOAD_GS, to_user;
	struct trap trap;
	u32 vector;

	seen = ~0u;
	if (user)
		vector = guest_try_user((u32)user_stubs + what * USER_STUB, stack, FLAGS_IF, sel, &trap);
	else
		vector = guest_try(at_kernel_level, sel, &trap);
	mailbox->out[SELECTORS_DONE]++;

	if (null ? data : good(sel, user)) {
		mailbox->out[SELECTORS_GOOD]++;
		to_user = !user && what == FAR_RET && sel >> 3 == USER_CODE;
		if (user || to_user) {
			GUEST_ASSERT_EQ(0x80, vector);
			GUEST_ASSERT_EQ(3, trap.cs & 3);
			seen = trap.ax;
		}
		if (!(user || to_user) && vector != NO_TRAP)
			GUEST_FAIL("%u of 0x%x at level %u: vector %u, error 0x%x", what, sel, user, vector,
				   trap.error);
		/* The privilege level that it shows is another matter: processor.rst. */
		GUEST_ASSERT_EQ(sel >> 3, (seen & 0xffff) >> 3);
		return;
	}
	if (vector != VEC_GP || trap.error != (sel & 0xfffc))
		GUEST_FAIL("%u of 0x%x at level %u: vector %u, error 0x%x", what, sel, user, vector, trap.error);
}

void guest_main(void)
{
	u32 stack = guest_alloc(1, PAGE_SIZE) + PAGE_SIZE, sel;
	u32 step = mailbox->in[SELECTORS_STEP], skip = mailbox->in[SELECTORS_SKIP];
	bool user = mailbox->in[SELECTORS_USER];

	what = mailbox->in[SELECTORS_WHAT];
	for (sel = 0; sel < SELECTORS_ALL_BELOW; sel++)
		one(sel, user, stack);
	for (sel += skip; sel < 0x10000; sel += step)
		one(sel, user, stack);
}
