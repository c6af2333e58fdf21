// SPDX-License-Identifier: GPL-2.0
/*
 * A kernel that lives by the interface as the lguest kernels of its time did (guest-interface.rst
 * has the facts; no line is theirs): it believes in ring 1 and never leaves irq_enabled to the Host.
 *
 *	- Virtual IF is whole EFLAGS in irq_enabled. Each return, to user level and to its own,
 *	  pops them there and executes the one IRET at which no interrupt may push a frame.
 *	- Calls go through the ring, by INT only if that is full; a switch of processes puts CR3, TLS,
 *	  stack and TS there, and then says FLUSH_ASYNC.
 *	- Page tables are written, and told of afterwards: SET_PTE, and SET_PTE with 0 for one
 *	  address.
 *	- It idles by HALT, and its timer is one shot after the other. Kernel stacks have two pages.
 *
 * The small kernel's own traps (guest/trap.c) are not in this one.
 */
#include "user.h"

#define PROCESSES	4
#define STACK_PAGES	2
/* So long that a slow host gets something done between two. */
#define TICK_NS		1000000u
#define TICKS		80
#define SLEEP_TICKS	2
#define TIMER_VECTOR	LGUEST_FIRST_IRQ_VECTOR
#define SYSCALL_VECTOR	0x80
#define TLS_SELECTOR	(6 * 8 + 3)
#define ABSENT		0x7fff0000u

enum { SYS_ADD = 1, SYS_SLEEP, SYS_FREE, SYS_PROTECT, SYS_MORE, SYS_EXIT };

/* ---- The assembly that such a kernel is made of ---- */

struct frame {
	u32 di, si, bp, sp_unused, bx, dx, cx, ax;
	u32 ds, es, fs, gs;
	u32 vector, error;
	u32 ip, cs, flags, sp, ss;
};

extern char old_stubs[], old_return[], old_iret[];
void old_trap(struct frame *frame);
void old_switch(u32 *save, u32 sp);

asm("	.text\n"
    "	.balign	16\n"
    "old_stubs:\n"
    "	old_vector = 0\n"
    "	.rept	256\n"
    "	.balign	16\n"
    "	.if	!(old_vector == 8 || old_vector == 17 || (old_vector >= 10 && old_vector <= 14))\n"
    "	pushl	$0\n"
    "	.endif\n"
    "	pushl	$old_vector\n"
    "	jmp	old_common\n"
    "	old_vector = old_vector + 1\n"
    "	.endr\n"
    "old_common:\n"
    "	pushl	%gs\n"
    "	pushl	%fs\n"
    "	pushl	%es\n"
    "	pushl	%ds\n"
    "	pushal\n"
    "	movl	$0x69, %eax\n"		/* KERNEL_DS */
    "	movl	%eax, %ds\n"
    "	movl	%eax, %es\n"
    "	cld\n"
    "	pushl	%esp\n"
    "	call	old_trap\n"
    "	addl	$4, %esp\n"
    "old_return:\n"
    "	movl	$0, lguest_data\n"	/* interrupts off */
    "	popal\n"
    "	popl	%ds\n"
    "	popl	%es\n"
    "	popl	%fs\n"
    "	popl	%gs\n"
    "	addl	$8, %esp\n"
    /* EFLAGS of the frame, all of them, are what irq_enabled becomes. */
    "	pushl	8(%esp)\n"
    "	popl	%ss:lguest_data\n"
    "old_iret:\n"
    "	iret\n"
    "old_switch:\n"
    "	movl	4(%esp), %eax\n"
    "	movl	8(%esp), %edx\n"
    "	pushl	%ebp\n"
    "	pushl	%ebx\n"
    "	pushl	%esi\n"
    "	pushl	%edi\n"
    "	movl	%esp, (%eax)\n"
    "	movl	%edx, %esp\n"
    "	popl	%edi\n"
    "	popl	%esi\n"
    "	popl	%ebx\n"
    "	popl	%ebp\n"
    "	ret\n");

struct lguest_data lguest_data __attribute__((section(".lguest_data"))) = {
	.blocked_interrupts = 0xffffffff,
	.hcall_status = { [0 ... LGUEST_HCALL_RING - 1] = LGUEST_HCALL_FREE },
	.noirq_iret = (u32)old_iret,
	.kernel_address = LGUEST_PAGE_OFFSET,
	.syscall_vec = SYSCALL_VECTOR,
};

/* ---- Interrupts ---- */

static inline u32 save_flags(void)
{
	return *(volatile u32 *)&lguest_data.irq_enabled;
}

static inline void restore_flags(u32 flags)
{
	*(volatile u32 *)&lguest_data.irq_enabled = flags;
	if (flags & FLAGS_IF && *(volatile u32 *)&lguest_data.irq_pending)
		hypercall(LHCALL_SEND_INTERRUPTS, 0, 0, 0, 0);
}

static inline u32 irqs_off(void)
{
	u32 flags = save_flags();

	*(volatile u32 *)&lguest_data.irq_enabled = 0;
	return flags;
}

/* ---- Calls by the ring ---- */

static u32 ring_calls, ring_was_full;

static void lazy(u32 number, u32 a, u32 b, u32 c, u32 d)
{
	static u32 next;
	u32 flags = irqs_off();
	volatile u8 *status = &lguest_data.hcall_status[next];

	if (*status != LGUEST_HCALL_FREE) {
		ring_was_full++;
		hypercall(number, a, b, c, d);
	} else {
		lguest_data.hcalls[next] = (struct lguest_hcall){ number, { a, b, c, d } };
		asm volatile("" : : : "memory");
		*status = LGUEST_HCALL_WAITING;
		next = (next + 1) % LGUEST_HCALL_RING;
		ring_calls++;
	}
	restore_flags(flags);
}

static void flush_ring(void)
{
	hypercall(LHCALL_FLUSH_ASYNC, 0, 0, 0, 0);
}

/* ---- The program ---- */

static USER void check(bool right, u32 where)
{
	if (!right)
		syscall(SYS_EXIT, 0xbad00000 | where, 0);
}

USER void program(u32 id)
{
	volatile u32 *heap = (u32 *)USER_HEAP;
	u32 turn, word, flags, number;

	asm volatile("fninit; fildl %0" : : "m" (id));
	for (turn = 0; turn < 20 || syscall(SYS_MORE, 0, 0); turn++) {
		check(syscall(SYS_ADD, turn, id) == turn + id, 1);
		/* A page that comes, is written, goes, and comes again without what was in it. */
		check(heap[turn % 1024] == 0, 2);
		heap[turn % 1024] = ~id;
		syscall(SYS_PROTECT, USER_HEAP, 0);
		check(heap[turn % 1024] == ~id, 3);
		heap[turn % 1024] = id;
		check(heap[turn % 1024] == id, 4);
		syscall(SYS_FREE, USER_HEAP, 0);
		asm volatile("movl %%gs:0, %0" : "=r" (word));
		check(word == 0x7e500000 + id, 5);
		asm volatile("fistl %0" : "=m" (number));
		check(number == id, 6);
		asm volatile("stc; nop; pushf; popl %0" : "=r" (flags) : : "cc");
		check((flags & (1 | FLAGS_IF)) == (1 | FLAGS_IF), 7);
		if (turn % 4 == id % 4)
			syscall(SYS_SLEEP, 0, 0);
	}
	syscall(SYS_EXIT, 0x600d0000 | id, 0);
}

/* ---- Processes ---- */

struct process {
	u32 sp, stack_top, pgdir, result, wakes_at;
	bool done, sleeps, has_fpu;
	u64 tls[3];
	u8 fpu[108] __attribute__((aligned(16)));
};

/* The last one is the kernel's own, which idles. */
static struct process process[PROCESSES + 1], *current = &process[PROCESSES], *fpu_owner;
static volatile u32 ticks, kernel_ticks, switches, faults, protections, idles;

static void schedule(void)
{
	u32 flags = irqs_off(), i, at = current - process;
	struct process *next = &process[PROCESSES], *before = current;

	for (i = 1; i <= PROCESSES + 1; i++) {
		struct process *p = &process[(at + i) % (PROCESSES + 1)];

		if (p == &process[PROCESSES] || p->done)
			continue;
		if (p->sleeps && (int)(ticks - p->wakes_at) < 0)
			continue;
		p->sleeps = false;
		next = p;
		break;
	}
	if (next != current) {
		switches++;
		lazy(LHCALL_TS, fpu_owner != next, 0, 0, 0);
		lazy(LHCALL_LOAD_TLS, pa(next->tls), 0, 0, 0);
		lazy(LHCALL_SET_STACK, KERNEL_DS, next->stack_top, STACK_PAGES, 0);
		lazy(LHCALL_NEW_PGTABLE, next->pgdir, 0, 0, 0);
		flush_ring();
		current = next;
		old_switch(&before->sp, next->sp);
	}
	restore_flags(flags);
}

static void told_pte(u32 address, u32 entry)
{
	*guest_pte(va(current->pgdir), address) = entry;
	lazy(LHCALL_SET_PTE, current->pgdir, address, entry, 0);
}

/* ---- Traps ---- */

/* A fault of the kernel's that is expected: where to go on, and what came. */
static u32 fixup, fixed_vector, fixed_error, fixed_address;

static void on_timer(struct frame *frame)
{
	u32 before = lguest_data.time[0];

	GUEST_ASSERT_EQ(0, save_flags());
	GUEST_ASSERT(frame->flags & FLAGS_IF);
	GUEST_ASSERT(before);
	ticks++;
	kernel_ticks += !(frame->cs & 2);
	hypercall(LHCALL_SET_CLOCKEVENT, TICK_NS, 0, 0, 0);
	schedule();
}

static u32 on_syscall(struct frame *frame)
{
	u32 spin;

	switch (frame->ax) {
	case SYS_ADD:
		/* Long enough to be interrupted here now and then. */
		for (spin = 0; spin < 300; spin++)
			asm volatile("" : : : "memory");
		return frame->bx + frame->cx;
	case SYS_SLEEP:
		current->wakes_at = ticks + SLEEP_TICKS;
		current->sleeps = true;
		schedule();
		return 0;
	case SYS_FREE:
		told_pte(frame->bx, 0);
		flush_ring();
		return 0;
	case SYS_PROTECT:
		told_pte(frame->bx, *guest_pte(va(current->pgdir), frame->bx) & ~PTE_W);
		flush_ring();
		return 0;
	case SYS_MORE:
		return ticks < TICKS || kernel_ticks < 2;
	case SYS_EXIT:
		current->done = true;
		current->result = frame->bx;
		if (fpu_owner == current)
			fpu_owner = NULL;
		schedule();
		GUEST_FAIL("a process after its end");
	}
	GUEST_FAIL("system call %u", frame->ax);
}

static void on_page_fault(struct frame *frame)
{
	u32 address = *(volatile u32 *)&lguest_data.cr2;
	u32 *entry = guest_pte(va(current->pgdir), USER_HEAP);

	if (frame->cs != USER_CS || address - USER_HEAP >= PAGE_SIZE)
		GUEST_FAIL("page fault at 0x%x, error 0x%x, ip 0x%x", address, frame->error,
			   frame->ip);
	if (frame->error == (PF_PRESENT | PF_WRITE | PF_USER)) {
		protections++;
		told_pte(USER_HEAP, *entry | PTE_W);
		flush_ring();
		return;
	}
	/* From absent to present: nobody is told. */
	GUEST_ASSERT_EQ(PF_USER, frame->error);
	faults++;
	*entry = guest_alloc(1, PAGE_SIZE) | PTE_ALL;
}

static void on_no_fpu(void)
{
	hypercall(LHCALL_TS, 0, 0, 0, 0);
	if (fpu_owner)
		asm volatile("fnsave %0" : "=m" (fpu_owner->fpu));
	if (current->has_fpu)
		asm volatile("frstor %0" : : "m" (current->fpu));
	current->has_fpu = true;
	fpu_owner = current;
}

void old_trap(struct frame *frame)
{
	/* It has ring 1, and nothing has come between POPL and IRET. */
	GUEST_ASSERT(frame->cs == USER_CS || frame->cs == KERNEL_CS);
	GUEST_ASSERT(frame->cs == USER_CS || frame->ip != (u32)old_iret);
	if (frame->cs == USER_CS)
		GUEST_ASSERT_EQ(current->stack_top, frame + 1);
	if (frame->cs == KERNEL_CS && fixup && frame->vector < 32) {
		fixed_vector = frame->vector;
		fixed_error = frame->error;
		fixed_address = *(volatile u32 *)&lguest_data.cr2;
		frame->ip = fixup;
		fixup = 0;
		return;
	}
	switch (frame->vector) {
	case TIMER_VECTOR:
		on_timer(frame);
		break;
	case SYSCALL_VECTOR:
		frame->ax = on_syscall(frame);
		break;
	case VEC_PF:
		on_page_fault(frame);
		break;
	case VEC_NM:
		on_no_fpu();
		break;
	default:
		GUEST_FAIL("trap %u, error 0x%x, ip 0x%x, cs 0x%x", frame->vector, frame->error,
			   frame->ip, frame->cs);
	}
}

/* What entry.S wants of guest/trap.c. */
void guest_trap(struct trap_frame *frame);
void guest_trap(struct trap_frame *frame)
{
	GUEST_FAIL("a trap through somebody else's stub");
}

/* ---- Start ---- */

#define EXPECT_FAULT(vector, error, code, ...)						\
	do {										\
		fixed_vector = NO_TRAP;							\
		asm volatile("movl $1f, %0\n\t" code "\n1:"				\
			     : "+m" (fixup) : __VA_ARGS__ : "eax", "ecx", "edx", "memory");	\
		GUEST_ASSERT_EQ(vector, fixed_vector);					\
		GUEST_ASSERT_EQ(error, fixed_error);					\
	} while (0)

/* As a kernel finds out what it runs on. */
static void probe(void)
{
	u32 page = LGUEST_PAGE_OFFSET + guest_alloc(1, PAGE_SIZE), i, sum = 0, flags;
	u32 *entry = guest_pte(lguest_pgdir, page);
	u8 port;

	/* Does ring 1 honour a page that may only be read? The answer needs P of its own tables. */
	*entry &= ~PTE_W;
	lazy(LHCALL_SET_PTE, pa(lguest_pgdir), page, *entry, 0);
	flush_ring();
	EXPECT_FAULT(VEC_PF, PF_PRESENT | PF_WRITE, "movl $1, (%1)", "r" (page));
	GUEST_ASSERT_EQ(page, fixed_address);
	*entry |= PTE_W;
	lazy(LHCALL_SET_PTE, pa(lguest_pgdir), page, *entry, 0);
	flush_ring();
	*(volatile u32 *)page = 1;

	EXPECT_FAULT(VEC_PF, 0, "movl (%1), %%eax", "r" (ABSENT));
	GUEST_ASSERT_EQ(ABSENT, fixed_address);
	EXPECT_FAULT(VEC_GP, 0, "movl %1, %%ecx\n\trdmsr", "i" (0xc0ffee00));
	EXPECT_FAULT(VEC_GP, 0, "movl %1, %%ecx\n\txorl %%edx, %%edx\n\twrmsr", "i" (0xc0ffee00));
	EXPECT_FAULT(VEC_UD, 0, "ud2", "i" (0));

	/* Ports that nobody has, by the thousand. */
	for (i = 0; i < 2000; i++) {
		asm volatile("outb %%al, $0x43; inb $0x42, %0" : "=a" (port) : "0" (0));
		sum += port == 0 || port == 0xff;
	}
	GUEST_ASSERT_EQ(2000, sum);

	/* PUSHF shows an IF that is the hardware's; irq_enabled is what counts. */
	asm volatile("pushf; popl %0" : "=r" (flags));
	GUEST_ASSERT_EQ(0, save_flags());

	/* A call of the kernel's own through its system call gate, with nothing of a stack changed. */
	asm volatile("int $0x80" : "=a" (sum) : "0" (SYS_ADD), "b" (40), "c" (2) : "memory");
	GUEST_ASSERT_EQ(42, sum);

	/* More than the ring holds. */
	for (i = 0; i < 3 * LGUEST_HCALL_RING; i++)
		lazy(LHCALL_LOAD_GDT_ENTRY, 20, i, 0x00cff300, 0);
	GUEST_ASSERT(ring_was_full);
	flush_ring();
	asm volatile("lsl %1, %0" : "=r" (sum) : "r" (20 * 8 + 3));
	GUEST_ASSERT_EQ((0xf0000 | (3 * LGUEST_HCALL_RING - 1)) << 12 | 0xfff, sum);
}

static void make_process(u32 id)
{
	struct process *p = &process[id];
	u32 base = USER_STACK + (id + 1) * PAGE_SIZE;
	u32 *word, *stack;
	struct frame *frame;

	p->pgdir = user_pgdir();
	guest_map(va(p->pgdir), USER_HEAP, 0);
	word = va(*guest_pte(va(p->pgdir), USER_STACK - PAGE_SIZE) & -PAGE_SIZE);
	word[1023] = id;		/* the argument */
	guest_map(va(p->pgdir), base, guest_alloc(1, PAGE_SIZE) | PTE_ALL);
	*(u32 *)va(*guest_pte(va(p->pgdir), base) & -PAGE_SIZE) = 0x7e500000 + id;
	p->tls[0] = 0x0040f20000000fffull | (u64)(base & 0xffffff) << 16 | (u64)(base >> 24) << 56;

	p->stack_top = (u32)va(guest_alloc(STACK_PAGES, PAGE_SIZE)) + STACK_PAGES * PAGE_SIZE;
	frame = (struct frame *)p->stack_top - 1;
	*frame = (struct frame){
		.ds = USER_DS, .es = USER_DS, .gs = TLS_SELECTOR,
		.ip = user_address(program), .cs = USER_CS, .flags = FLAGS_ONE | FLAGS_IF,
		.sp = USER_STACK - 8, .ss = USER_DS,
	};
	/* As if it had called old_switch() just before its return. */
	stack = (u32 *)frame;
	*--stack = (u32)old_return;
	stack -= 4;
	p->sp = (u32)stack;
}

void __attribute__((noreturn)) lguest_start(void *boot_params);
void lguest_start(void *boot_params)
{
	u32 vector, stub, id, left;

	for (vector = 0; vector < 256; vector++) {
		if (vector == LGUEST_TRAP_ENTRY)
			continue;
		stub = (u32)old_stubs + vector * 16;
		lazy(LHCALL_LOAD_IDT_ENTRY, vector, KERNEL_CS << 16 | (stub & 0xffff),
		     (stub & 0xffff0000) | (vector == SYSCALL_VECTOR ? 0xef00 : 0x8e00), 0);
	}
	lazy(LHCALL_LOAD_GDT_ENTRY, USER_CS / 8, 0x0000ffff, 0x00cffb00, 0);
	lazy(LHCALL_LOAD_GDT_ENTRY, USER_DS / 8, 0x0000ffff, 0x00cff300, 0);
	flush_ring();
	GUEST_ASSERT_EQ(0, lguest_data.reserve_mem);
	GUEST_ASSERT(lguest_data.time[0]);
	probe();

	for (id = 0; id < PROCESSES; id++)
		make_process(id);
	current->pgdir = pa(lguest_pgdir);
	lguest_data.blocked_interrupts &= ~1u;
	hypercall(LHCALL_SET_CLOCKEVENT, TICK_NS, 0, 0, 0);
	do {
		schedule();
		/* Nobody wants to run: the next tick will tell. It switches interrupts on by itself. */
		idles++;
		hypercall(LHCALL_HALT, 0, 0, 0, 0);
		GUEST_ASSERT(save_flags() & FLAGS_IF);
		irqs_off();
		for (id = left = 0; id < PROCESSES; id++)
			left += !process[id].done;
	} while (left);
	hypercall(LHCALL_SET_CLOCKEVENT, 0, 0, 0, 0);

	for (id = 0; id < PROCESSES; id++)
		GUEST_ASSERT_EQ(0x600d0000 | id, process[id].result);
	GUEST_ASSERT(ticks >= TICKS && kernel_ticks >= 2);
	GUEST_ASSERT(protections >= PROCESSES * 20 && faults >= PROCESSES * 20);
	guest_printf("%u ticks, %u of them in the kernel, %u switches, %u page faults, %u idle, %u calls by the ring",
		     ticks, kernel_ticks, switches, faults + protections, idles, ring_calls);
	guest_shutdown("passed", LGUEST_SHUTDOWN_POWEROFF);
}
