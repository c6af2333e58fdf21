// SPDX-License-Identifier: GPL-2.0
/*
 * A kernel with processes: each has an address space, a stack, a heap that comes page by page on
 * faults, thread-local storage behind GS, and FPU registers that are switched when they are first
 * used. A timer takes the processor away from them, also inside the kernel; system calls come
 * through a gate that leaves interrupts on. All must find their own, and only that, until they have
 * seen enough of each other.
 */
#include "user.h"

#define PROCESSES	5
#define TICKS		60		/* that must come before any process ends */
#define TICK_NS		300000u
#define HEAP_PAGES	6
#define TIMER_VECTOR	LGUEST_FIRST_IRQ_VECTOR

#define TLS_ENTRY	6
#define TLS_SELECTOR	(TLS_ENTRY * 8 + 3)

enum { SYS_BEGIN = 1, SYS_ADD, SYS_MORE, SYS_EXIT };

/* ---- The program ---- */

static USER u32 thread_word(void)
{
	u32 word;

	asm volatile("movl %%gs:0, %0" : "=r" (word));
	return word;
}

static USER void check(bool right, u32 where)
{
	if (!right)
		syscall(SYS_EXIT, 0xbad00000 | where, 0);
}

USER void program(u32 id)
{
	volatile u32 *heap = (u32 *)USER_HEAP;
	u32 turn, page, sum = id, number, flags;

	asm volatile("fninit; fildl %0" : : "m" (id));
	for (turn = 0; turn < 50 || syscall(SYS_MORE, 0, 0); turn++) {
		for (page = 0; page < HEAP_PAGES; page++) {
			volatile u32 *cell = &heap[page * 1024 + (turn + id) % 1024];

			check(*cell == 0 || *cell == (id ^ page) * 0x01000193, 1);
			*cell = (id ^ page) * 0x01000193;
			/* Only its first turns count: how many there are is chance. */
			if (turn < 50)
				sum = sum * 31 + *cell;
		}
		check(syscall(SYS_ADD, turn, id) == turn + id, 2);
		check(thread_word() == 0x7e500000 + id, 3);
		/* The number has been in the FPU since the first turn. */
		asm volatile("fistl %0" : "=m" (number));
		check(number == id, 4);
		/* Flags survive whatever comes in between. */
		asm volatile("stc; std; nop; pushf; popl %0; cld" : "=r" (flags) : : "cc");
		check((flags & (0x401 | FLAGS_IF)) == (0x401 | FLAGS_IF), 5);
	}
	syscall(SYS_EXIT, sum, 0);
}

/* ---- The kernel ---- */

struct process {
	u32 pgdir, result;
	bool done, has_fpu;
	u64 tls;
	struct trap_frame frame;
	u8 fpu[108] __attribute__((aligned(16)));
};

static struct process process[PROCESSES], *current, *fpu_owner;
static volatile u32 ticks, nested_ticks, switches, faults, calls, fpu_switches;

static u64 tls_descriptor(u32 base)
{
	/* Data, DPL 3, 32 bits, one page long. */
	return 0x0040f20000000fffull | (u64)(base & 0xffffff) << 16 | (u64)(base >> 24) << 56;
}

static void set_timer(void)
{
	hypercall(LHCALL_SET_CLOCKEVENT, TICK_NS, 0, 0, 0);
}

/* From the one in *frame to the next that is not done. False: there is none. */
static bool switch_process(struct trap_frame *frame)
{
	static u64 tls[3];
	u32 i, at = current - process;

	for (i = 1; i <= PROCESSES; i++) {
		struct process *next = &process[(at + i) % PROCESSES];

		if (next->done)
			continue;
		if (next == current)
			return true;
		current->frame = *frame;
		*frame = next->frame;
		current = next;
		switches++;
		user_load_pgdir(next->pgdir);
		tls[0] = next->tls;
		hypercall(LHCALL_LOAD_TLS, pa(tls), 0, 0, 0);
		hypercall(LHCALL_TS, fpu_owner != current, 0, 0, 0);
		return true;
	}
	return false;
}

static bool on_timer(struct trap_frame *frame)
{
	/* Virtual interrupts are off in the handler, and were on before. */
	GUEST_ASSERT_EQ(0, lguest_data.irq_enabled);
	GUEST_ASSERT(frame->flags & FLAGS_IF);
	ticks++;
	set_timer();
	if (frame->cs & 2) {
		GUEST_ASSERT_EQ(USER_CS, frame->cs);
		GUEST_ASSERT_EQ(USER_DS, frame->ss);
		switch_process(frame);
	} else {
		GUEST_ASSERT_EQ(KERNEL_CS, frame->cs);
		nested_ticks++;
	}
	return true;
}

static bool on_syscall(struct trap_frame *frame)
{
	u32 spin;
	bool more = true;

	GUEST_ASSERT_EQ(LGUEST_IF, lguest_data.irq_enabled);
	GUEST_ASSERT_EQ(USER_CS, frame->cs);
	calls++;
	switch (frame->ax) {
	case SYS_BEGIN:
		/* What goes on is the last process from its start; then the first one. */
		*frame = current->frame;
		lguest_data.irq_enabled = 0;
		switch_process(frame);
		set_timer();
		break;
	case SYS_ADD:
		frame->ax = frame->bx + frame->cx;
		/* Long enough for the timer now and then. */
		for (spin = 0; spin < 300; spin++)
			asm volatile("" : : : "memory");
		break;
	case SYS_MORE:
		frame->ax = ticks < TICKS || nested_ticks < 2 || switches < TICKS / 2;
		break;
	case SYS_EXIT:
		current->done = true;
		current->result = frame->bx;
		if (fpu_owner == current)
			fpu_owner = NULL;
		/* No tick between here and the next process. */
		lguest_data.irq_enabled = 0;
		more = switch_process(frame);
		break;
	default:
		guest_failed(__FILE__, __LINE__, "a system call", 0, frame->ax);
	}
	return more;
}

static bool on_page_fault(struct trap_frame *frame)
{
	u32 address = lguest_data.cr2;

	GUEST_ASSERT_EQ(USER_CS, frame->cs);
	if (address < USER_HEAP || address >= USER_HEAP + HEAP_PAGES * PAGE_SIZE) {
		guest_printf("process %u: page fault at 0x%x, ip 0x%x, error 0x%x",
			     (u32)(current - process), address, frame->ip, frame->error);
		guest_failed(__FILE__, __LINE__, "an address of the heap", USER_HEAP, address);
	}
	/* The program reads first: not present, user. */
	GUEST_ASSERT_EQ(PF_USER, frame->error);
	lguest_data.irq_enabled = 0;
	guest_map(va(current->pgdir), address & -PAGE_SIZE, guest_alloc(1, PAGE_SIZE) | PTE_ALL);
	faults++;
	return true;
}

static bool on_no_fpu(struct trap_frame *frame)
{
	GUEST_ASSERT_EQ(USER_CS, frame->cs);
	lguest_data.irq_enabled = 0;
	hypercall(LHCALL_TS, 0, 0, 0, 0);
	if (fpu_owner)
		asm volatile("fnsave %0" : "=m" (fpu_owner->fpu));
	if (current->has_fpu)
		asm volatile("frstor %0" : : "m" (current->fpu));
	current->has_fpu = true;
	fpu_owner = current;
	fpu_switches++;
	return true;
}

static u32 expected_result(u32 id)
{
	u32 turn, page, sum = id;

	for (turn = 0; turn < 50; turn++)
		for (page = 0; page < HEAP_PAGES; page++)
			sum = sum * 31 + (id ^ page) * 0x01000193;
	return sum;
}

static void make_process(u32 id)
{
	struct process *p = &process[id];
	u32 *stack;

	p->pgdir = user_pgdir();
	stack = va(*guest_pte(va(p->pgdir), USER_STACK - PAGE_SIZE) & -PAGE_SIZE);
	stack[1023] = id;		/* the argument */
	/* Its own word, in a page at the same address as everybody's. */
	guest_map(va(p->pgdir), USER_STACK, guest_alloc(1, PAGE_SIZE) | PTE_ALL);
	*(u32 *)va(*guest_pte(va(p->pgdir), USER_STACK) & -PAGE_SIZE) = 0x7e500000 + id;
	/* And through another base: every process has another descriptor. */
	guest_map(va(p->pgdir), USER_STACK + (id + 1) * PAGE_SIZE,
		  *guest_pte(va(p->pgdir), USER_STACK));
	p->tls = tls_descriptor(USER_STACK + (id + 1) * PAGE_SIZE);
	p->frame = (struct trap_frame){
		.ip = user_address(program),
		.cs = USER_CS,
		.flags = FLAGS_ONE | FLAGS_IF,
		.sp = USER_STACK - 8,
		.ss = USER_DS,
		.ds = USER_DS,
		.es = USER_DS,
		.gs = TLS_SELECTOR,
	};
}

/* Asks for the first process: the kernel has none to go on with before that. */
USER void begin(void)
{
	syscall(SYS_BEGIN, 0, 0);
}

void guest_main(void)
{
	struct trap trap;
	u32 id;

	for (id = 0; id < PROCESSES; id++)
		make_process(id);
	guest_handle(TIMER_VECTOR, on_timer);
	guest_handle(0x80, on_syscall);
	guest_handle(VEC_PF, on_page_fault);
	guest_handle(VEC_NM, on_no_fpu);
	user_interrupt_gate(TIMER_VECTOR);
	lguest_data.blocked_interrupts = ~1u;

	/* In the last one's address space; its frame is made anew by the system call. */
	current = &process[PROCESSES - 1];
	user_load_pgdir(current->pgdir);
	/*
	 * The last process's last system call has none to go to: that is the trap that ends this.
	 */
	GUEST_ASSERT_EQ(0x80, guest_try_user(user_address(begin), USER_STACK - 8,
					     FLAGS_ONE | FLAGS_IF, 0, &trap));

	hypercall(LHCALL_SET_CLOCKEVENT, 0, 0, 0, 0);
	for (id = 0; id < PROCESSES; id++)
		GUEST_ASSERT_EQ(expected_result(id), process[id].result);
	GUEST_ASSERT_EQ(PROCESSES * HEAP_PAGES, faults);
	GUEST_ASSERT(ticks >= TICKS);
	GUEST_ASSERT(fpu_switches >= PROCESSES);
	guest_printf(
		"%u ticks, %u of them in the kernel, %u switches, %u system calls, %u FPU switches",
		ticks, nested_ticks, switches, calls, fpu_switches);
}
