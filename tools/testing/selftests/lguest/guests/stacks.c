// SPDX-License-Identifier: GPL-2.0
/*
 * Stack segments of 16 bits, at both levels. The processor's IRET loads only SP there, and leaves in
 * the rest of ESP what is not the Guest's: an address of the Host's (S9). So whatever the Guest
 * had in bits 31 to 16 has to be there still, after each way into the Host and back that there is.
 */
#include "guest.h"
#include "../guests/stacks.h"

#define USER_NARROW	(20 * 8 + 3)
#define KERNEL_NARROW	(21 * 8)

#define CODE		0x00400000u
#define STACK		0x00410000u	/* where the segments begin; one page is there, in the middle */
#define STACK_PAGE	0x8000u
#define SP		0x8f00u

/* Upper halves: those of no address, of ours, and of what a Host's may be. */
static const u32 halves[] = {
	0x00000000, 0x00010000, 0x80000000, 0xffff0000, 0x12340000, 0xc0000000, 0x5a5a0000, 0x81820000,
};

/* 64 KiB from STACK on, data that grows down as stacks do, the B bit clear. */
static void set_narrow(u32 sel, u32 dpl)
{
	u64 desc = 0x0000920000000000ull | 0xffff | (u64)dpl << 45 | (u64)(STACK & 0xffffff) << 16;

	hypercall(LHCALL_LOAD_GDT_ENTRY, sel / 8, (u32)desc, desc >> 32, 0);
}

/*
 * At user level: EAX is what ESP is to be. Loads the segment by itself, looks at ESP over and over,
 * as often as EBX says, and tells in EAX what it saw last. The stack is not used.
 */
extern const u8 user_program[];
extern const u32 user_program_bytes;
asm("	.section .rodata\n"
    "user_program:\n"
    "	movl	%eax, %edx\n"
    "	movl	%edi, %ecx\n"
    "	movl	%ecx, %ss\n"
    "	movl	%edx, %esp\n"
    "1:	movl	%esp, %eax\n"
    "	cmpl	%edx, %eax\n"
    "	jne	2f\n"
    "	decl	%ebx\n"
    "	jnz	1b\n"
    "2:	int	$0x80\n"
    "user_program_bytes:\n"
    "	.long	. - user_program\n"
    "	.text\n");

static void check(u32 half, u32 esp, const char *where)
{
	if (esp != (half | SP))
		GUEST_FAIL("%s: ESP is 0x%x, and was 0x%x", where, esp, half | SP);
}

/* sel: the stack segment that an IRET of ours goes to; the program loads the narrow one anyway. */
static void at_user_level(u32 half, u32 sel, u32 turns)
{
	struct trap_frame state = {
		.ip = CODE, .cs = USER_CS, .flags = FLAGS_ONE | FLAGS_IF, .sp = half | SP, .ss = sel,
		.ax = half | SP, .bx = turns, .di = USER_NARROW, .ds = USER_DS, .es = USER_DS,
	};

	GUEST_ASSERT_EQ(0x80, guest_try_state(&state));
	GUEST_ASSERT_EQ(USER_NARROW, state.ss);
	check(half, state.ax, "seen at user level");
	check(half, state.sp, "in the frame of a trap");
}

/* Right after the IRET, before any instruction of the program: the first one traps. */
static void after_iret(u32 half)
{
	struct trap_frame state = {
		.ip = CODE + 0x800, .cs = USER_CS, .flags = FLAGS_ONE | FLAGS_IF, .sp = half | SP,
		.ss = USER_NARROW, .ds = USER_DS, .es = USER_DS,
	};

	GUEST_ASSERT_EQ(0x80, guest_try_state(&state));
	check(half, state.sp, "after an IRET");
}

/* Hypercalls, and an instruction that is emulated. */
static void at_kernel_level(u32 half)
{
	u32 seen, after;

	asm volatile("movl %%esp, %%edi\n"
		     "movl %[sel], %%ss\n"
		     "movl %[sp], %%esp\n"
		     "xorl %%eax, %%eax\n"
		     "int %[entry]\n"
		     "movl %%esp, %[seen]\n"
		     "movl %%cr0, %%eax\n"
		     "movl %%esp, %[after]\n"
		     "movl %[ds], %%eax\n"
		     "movl %%eax, %%ss\n"
		     "movl %%edi, %%esp\n"
		     : [seen] "=&b" (seen), [after] "=&c" (after)
		     : [sel] "d" (KERNEL_NARROW), [sp] "S" (half | SP), [ds] "i" (KERNEL_DS),
		       [entry] "N" (LGUEST_TRAP_ENTRY)
		     : "eax", "edi", "memory", "cc");
	check(half, seen, "after a hypercall");
	check(half, after, "after an emulated instruction");
}

/* A trap at kernel level, with its frame on the narrow stack; ESP is 12 bytes lower in it. */
static volatile u32 sp_in_trap;
extern char note_sp[];
asm("	.text\n"
    "note_sp:\n"
    "	pushl	%eax\n"
    "	leal	16(%esp), %eax\n"
    "	movl	%eax, %ds:sp_in_trap\n"
    "	popl	%eax\n"
    "	iret\n");

static void trap_at_kernel_level(u32 half)
{
	u32 after;

	asm volatile("movl %%esp, %%edi\n"
		     "movl %[sel], %%ss\n"
		     "movl %[sp], %%esp\n"
		     "int $0x81\n"
		     "movl %%esp, %[after]\n"
		     "movl %[ds], %%eax\n"
		     "movl %%eax, %%ss\n"
		     "movl %%edi, %%esp\n"
		     : [after] "=&c" (after)
		     : [sel] "d" (KERNEL_NARROW), [sp] "S" (half | SP), [ds] "i" (KERNEL_DS)
		     : "eax", "edi", "memory", "cc");
	check(half, sp_in_trap, "in the handler of a trap");
	check(half, after, "after its IRET");
}

void guest_main(void)
{
	u32 code = guest_alloc(1, PAGE_SIZE), stack = guest_alloc(1, PAGE_SIZE), handler = (u32)note_sp, i;

	memcpy(va(code), user_program, user_program_bytes);
	memcpy(va(code + 0x800), "\xcd\x80", 2);
	guest_map(lguest_pgdir, CODE, code | PTE_ALL);
	guest_map(lguest_pgdir, STACK + STACK_PAGE, stack | PTE_ALL);
	guest_flush_all();
	set_narrow(USER_NARROW, 3);
	set_narrow(KERNEL_NARROW, 1);
	hypercall(LHCALL_LOAD_IDT_ENTRY, 0x81, KERNEL_CS << 16 | (handler & 0xffff),
		  (handler & 0xffff0000) | 0x8f00, 0);

	for (i = 0; i < ARRAY_SIZE(halves); i++) {
		at_kernel_level(halves[i]);
		trap_at_kernel_level(halves[i]);
		after_iret(halves[i]);
		at_user_level(halves[i], USER_DS, 1);
		/* Long enough for the Host's interrupts. */
		at_user_level(halves[i], USER_NARROW, mailbox->in[STACKS_TURNS]);
	}
}
