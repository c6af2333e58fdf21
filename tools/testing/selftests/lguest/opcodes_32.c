// SPDX-License-Identifier: GPL-2.0
/*
 * Every opcode of one and two bytes, with every form of its operand, at both levels of a Guest,
 * against the processor: the same bytes are run in this process too, which is a 32-bit one for that
 * reason.
 *
 * At user level all must be as it is here: vector, error code, address, registers. At kernel level
 * too, but for what privilege decides. A slice is all opcodes, each with a few of its operands,
 * other ones each time.
 *
 * lguest-host: timeout=300
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>

#include "harness.h"
#include "engine.h"

#define PAGE		4096ul
#define FLAGS_RF	0x10000u
#define PF_USER		4u
#define PF_FETCH	16u
#define VEC_SYSCALL	0x80u
#define VEC_HUNG	0xffffu

/* ---- The processor itself ---- */
/*
 * A child that cannot make a system call runs the cases. A signal's context is what a Guest would
 * find in the trap's frame.
 */
struct native {
	struct engine_case start[ENGINE_CASES], cases[ENGINE_CASES];
	unsigned int count;
	volatile unsigned int current;
};

/*
 * A case that a tick interrupts begins anew: the way back from a signal changes null selectors. One
 * that so many ticks interrupt never ends, however slow the machine is. Ticks are far apart, as a
 * case that goes through a page of data, and writes to it, takes QEMU a tenth of a second.
 */
#define TICK_SECONDS	3
#define PATIENCE	4

static struct native *native;
static uint32_t native_save[6];
static volatile unsigned int interrupted;	/* how often this case was */
static volatile bool begun, again;

int native_setjmp(uint32_t *save) __attribute__((returns_twice));
void native_longjmp(uint32_t *save) __attribute__((noreturn));
void native_enter(const struct engine_case *c) __attribute__((noreturn));

/*
 * native_enter: an engine_case into the registers. Offsets: di si bp sp bx dx cx ax (0..28), ip 32,
 * flags 36, ds 44, es 46. The stack is the case's from the start; what IRET needs is put below it
 * for a moment.
 */
asm(".text\n"
    "native_setjmp:\n"
    "	movl 4(%esp), %eax\n"
    "	movl %ebx, (%eax); movl %esi, 4(%eax); movl %edi, 8(%eax); movl %ebp, 12(%eax)\n"
    "	movl %esp, 16(%eax); movl (%esp), %edx; movl %edx, 20(%eax); xorl %eax, %eax; ret\n"
    "native_longjmp:\n"
    "	movl 4(%esp), %edx\n"
    "	movl (%edx), %ebx; movl 4(%edx), %esi; movl 8(%edx), %edi; movl 12(%edx), %ebp\n"
    "	movl 16(%edx), %esp; movl 20(%edx), %ecx; movl %ecx, (%esp); movl $1, %eax; ret\n"
    "native_enter:\n"
    "	movl 4(%esp), %eax\n"
    "	movl 12(%eax), %esp\n"
    "	pushl 36(%eax); pushl %cs; pushl 32(%eax); pushl 28(%eax)\n"
    "	movl (%eax), %edi; movl 4(%eax), %esi; movl 8(%eax), %ebp; movl 16(%eax), %ebx\n"
    "	movl 20(%eax), %edx; movl 24(%eax), %ecx\n"
    "	popl %eax\n"
    "	iret\n");

_Static_assert(offsetof(struct engine_case, sp) == 12 && offsetof(struct engine_case, ip) == 32 &&
	       offsetof(struct engine_case, flags) == 36, "native_enter");

static void native_trap(int number, siginfo_t *info, void *context)
{
	greg_t *reg = ((ucontext_t *)context)->uc_mcontext.gregs;
	struct engine_case *c = &native->cases[native->current];

	if (number == SIGALRM) {
		if (!begun)
			return;
		if (++interrupted < PATIENCE) {
			again = true;
			native_longjmp(native_save);
		}
		c->vector = VEC_HUNG;
	} else {
		c->vector = number == SIGSYS ? VEC_SYSCALL : (uint32_t)reg[REG_TRAPNO];
	}
	c->error = reg[REG_ERR];
	c->cr2 = ((ucontext_t *)context)->uc_mcontext.cr2;
	c->di = reg[REG_EDI];
	c->si = reg[REG_ESI];
	c->bp = reg[REG_EBP];
	c->sp = reg[REG_ESP];
	c->bx = reg[REG_EBX];
	c->dx = reg[REG_EDX];
	c->cx = reg[REG_ECX];
	c->ax = reg[REG_EAX];
	c->ip = reg[REG_EIP];
	c->flags = reg[REG_EFL];
	native_longjmp(native_save);
}

static void no_system_calls(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
	};
	struct sock_fprog program = { ARRAY_SIZE(filter), filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		FAIL("seccomp: %s", strerror(errno));
}

static void *map_at(unsigned long address)
{
	void *at = mmap((void *)address, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (at != (void *)address)
		FAIL("nothing can be mapped at 0x%lx", address);
	return at;
}

static void native_child(void)
{
	static const int signals[] = { SIGSEGV, SIGILL, SIGFPE, SIGTRAP, SIGBUS, SIGSYS, SIGALRM };
	static uint8_t signal_stack[65536];
	struct sigaction action = { .sa_sigaction = native_trap,
				    .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
	struct itimerval timer = { { TICK_SECONDS, 0 }, { TICK_SECONDS, 0 } };
	stack_t stack = { .ss_sp = signal_stack, .ss_size = sizeof(signal_stack) };
	uint8_t *code, *code_alias, *data, *stack_page;
	int i, fd = memfd_create("code", 0);

	/* The code is written through another mapping than it is run from. */
	if (fd < 0 || ftruncate(fd, PAGE))
		FAIL("memfd: %s", strerror(errno));
	code_alias = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	code = mmap((void *)ENGINE_CODE, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);
	if (code != (void *)ENGINE_CODE || code_alias == MAP_FAILED)
		FAIL("code: %s", strerror(errno));
	data = map_at(ENGINE_DATA);
	stack_page = map_at(ENGINE_STACK);
	memset(code_alias, 0xcc, PAGE);

	sigaltstack(&stack, NULL);
	for (i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	no_system_calls();

	/*
	 * From here on no library function that might make one, and no TLS: GS is null for the
	 * cases.
	 */
	if (!native_setjmp(native_save))
		begun = true;
	while (native->current < native->count) {
		const struct engine_case *c = &native->start[native->current];

		again = false;

		for (i = 0; i < 2 * ENGINE_CODE_BYTES; i++)
			code_alias[i] = i < ENGINE_CODE_BYTES ? c->code[i] : 0xcc;
		for (i = 0; i < PAGE; i += 4) {
			*(volatile uint32_t *)(data + i) = 0;
			*(volatile uint32_t *)(stack_page + i) = 0;
		}
		for (i = 0; i < ENGINE_STACK_WORDS; i++)
			*(volatile uint32_t *)(stack_page + (c->sp & (PAGE - 1)) + 4 * i) = c->stack[i];
		if (!native_setjmp(native_save)) {
			asm volatile("movw %w0, %%fs; movw %w0, %%gs" : : "r" (0));
			native_enter(c);
		}
		asm volatile("cld");
		if (again)
			continue;
		interrupted = 0;
		native->current++;
	}
	asm volatile("int $0x80" : : "a" (SYS_exit_group), "b" (0));
	__builtin_unreachable();
}

static void run_native(struct engine_case *cases, unsigned int count)
{
	int status;
	pid_t child;

	memcpy(native->start, cases, count * sizeof(*cases));
	memcpy(native->cases, cases, count * sizeof(*cases));
	native->count = count;
	native->current = 0;
	child = fork();
	if (!child)
		native_child();
	/* The engine's ticks come here too. */
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (status)
		FAIL("the processor's own run ended at case %u of %u: status 0x%x", native->current, count,
		     status);
	memcpy(cases, native->cases, count * sizeof(*cases));
}

/* ---- What may differ ---- */
enum differs {
	SAME,
	VALUES,		/* the vector is the same, registers need not be: time, random numbers, tables */
	PRIVILEGE,	/* at kernel level the Guest may do what a program may not */
	FREE,		/* the processor's answer means nothing for a Guest: any trap will do */
};

static enum differs one_byte(uint8_t opcode, uint8_t modrm)
{
	switch (opcode) {
	case 0xcd:					/* INT n */
		return FREE;
	case 0x6c ... 0x6f:				/* INS, OUTS */
	case 0xe4 ... 0xe7:				/* IN, OUT */
	case 0xec ... 0xef:
	case 0xf4:					/* HLT */
	case 0xfa: case 0xfb:				/* CLI, STI */
	case 0x8e:					/* segment registers, far transfers */
	case 0x07: case 0x17: case 0x1f:
	case 0xc4: case 0xc5:
	case 0x9a: case 0xea:
	case 0xca: case 0xcb: case 0xcf:
	case 0x0e: case 0x06: case 0x16: case 0x1e: case 0x8c:
	case 0x9c: case 0x9d:				/* flags */
		return PRIVILEGE;
	case 0xff:
		return (modrm >> 3 & 7) == 3 || (modrm >> 3 & 7) == 5 ? PRIVILEGE : SAME;
	case 0xd8 ... 0xdf:				/* x87: what it held before */
	case 0x9b:
		return VALUES;
	default:
		return SAME;
	}
}

static enum differs two_byte(uint8_t opcode, uint8_t modrm)
{
	switch (opcode) {
	case 0x05: case 0x07:				/* SYSCALL, SYSRET, SYSENTER: see hostile.c */
	case 0x34:
	case 0x00: case 0x01:				/* descriptor tables, VMX, SVM, ...: and Linux's UMIP */
	case 0x31:					/* RDTSC; XMM to EAX: the bytes behind use what came of it */
	case 0x2c: case 0x2d: case 0x50: case 0xc5: case 0xd7:
		return FREE;
	case 0x02: case 0x03:				/* LAR, LSL */
	case 0x06: case 0x08: case 0x09:
	case 0x20 ... 0x23:
	case 0x30: case 0x32: case 0x35:
	case 0xa1: case 0xa9:				/* POP FS, GS */
	case 0xb2: case 0xb4: case 0xb5:
	case 0x78: case 0x79:				/* VMREAD, VMWRITE */
		return PRIVILEGE;
	case 0x33:					/* RDPMC */
	case 0xa2:					/* CPUID */
	case 0xae: case 0xc7:				/* FPU state, RDRAND */
	case 0x0e: case 0x0f:
	case 0x10 ... 0x17: case 0x28 ... 0x2b:
	case 0x2e: case 0x2f:		/* MMX and SSE: what they held before */
	case 0x38: case 0x3a:
	case 0x51 ... 0x77: case 0x7c ... 0x7f:
	case 0xc2: case 0xc4: case 0xc6:
	case 0xd0 ... 0xd6: case 0xd8 ... 0xfe:
		return VALUES;
	default:
		return SAME;
	}
}

static enum differs how_it_differs(const uint8_t *code)
{
	while (*code == 0x66 || *code == 0xf2 || *code == 0xf3)
		code++;
	return code[0] == 0x0f ? two_byte(code[1], code[2]) : one_byte(code[0], code[1]);
}

/* ---- Cases ---- */
#define OPCODES	0x200		/* of one byte, then of two */
#define FORMS	16

/* Opcodes with which the other field says what the instruction is. */
static bool is_group(int opcode)
{
	switch (opcode) {
	case 0x80 ... 0x83:
	case 0x8c: case 0x8e:				/* segment registers */
	case 0xc0: case 0xc1: case 0xd0 ... 0xd3:
	case 0xf6: case 0xf7: case 0xfe: case 0xff:
	case 0x100: case 0x101:				/* descriptor tables, and all that came later */
	case 0x120 ... 0x123:				/* control and debug registers */
	case 0x1ae: case 0x1ba: case 0x1c7:
		return true;
	default:
		return false;
	}
}

/* The operand in memory at EBX, or register ECX; each with all eight values of the other field. */
static void make_case(struct engine_case *c, bool user, const uint8_t *prefix, int prefixes, int opcode,
		      int form)
{
	uint8_t code[ENGINE_CODE_BYTES];
	int n = 0;

	memset(code, 0xcc, sizeof(code));
	memcpy(code, prefix, prefixes);
	n = prefixes;
	if (opcode >= 0x100)
		code[n++] = 0x0f;
	code[n++] = opcode;
	code[n++] = form < 8 ? 0x03 | form << 3 : 0xc1 | (form - 8) << 3;
	/* Displacements, immediates, selectors. */
	code[n++] = 0x10;
	code[n++] = 0;
	code[n++] = 0;
	code[n++] = 0;
	*c = engine_case(user, code, sizeof(code));
}

static bool in_reach(uint32_t sp)
{
	/* Room for a frame, and for the handler behind it, in a page that is there. */
	return (sp & -PAGE) == ENGINE_STACK || (sp & -PAGE) == ENGINE_DATA ? (sp & (PAGE - 1)) > 0x600 : false;
}

static void describe(const struct engine_case *start, const struct engine_case *want,
		     const struct engine_case *got, bool user)
{
	fprintf(stderr, "# %s, code %02x %02x %02x %02x %02x %02x %02x %02x\n", user ? "user" : "kernel",
		start->code[0], start->code[1], start->code[2], start->code[3], start->code[4], start->code[5],
		start->code[6], start->code[7]);
	fprintf(stderr, "#  want vector %u error 0x%x cr2 0x%x ip 0x%x flags 0x%x sp 0x%x\n", want->vector,
		want->error, want->cr2, want->ip, want->flags, want->sp);
	fprintf(stderr, "#   got vector %u error 0x%x cr2 0x%x ip 0x%x flags 0x%x sp 0x%x\n", got->vector,
		got->error, got->cr2, got->ip, got->flags, got->sp);
	fprintf(stderr, "#  want ax %x cx %x dx %x bx %x bp %x si %x di %x\n", want->ax, want->cx, want->dx,
		want->bx, want->bp, want->si, want->di);
	fprintf(stderr, "#   got ax %x cx %x dx %x bx %x bp %x si %x di %x\n", got->ax, got->cx, got->dx,
		got->bx, got->bp, got->si, got->di);
}

static bool same_registers(const struct engine_case *a, const struct engine_case *b)
{
	return a->di == b->di && a->si == b->si && a->bp == b->bp && a->sp == b->sp && a->bx == b->bx &&
	       a->dx == b->dx && a->cx == b->cx && a->ax == b->ax &&
	       !((a->flags ^ b->flags) & ~FLAGS_RF);
}

/* True if what the Guest saw is what the processor says. */
static bool as_it_should_be(const struct engine_case *want, const struct engine_case *got,
			    const struct engine_result *result, enum differs differs, bool user)
{
	uint32_t error = want->error;

	if (differs == FREE || (differs == PRIVILEGE && !user))
		return true;
	if (want->vector == VEC_HUNG)
		return result->outcome == ENGINE_HUNG;
	/* At kernel level a trap wants a stack; without one the Guest ends. */
	if (!user && !in_reach(want->sp))
		return true;
	if (result->outcome != ENGINE_TRAPPED || want->vector != got->vector)
		return false;
	if (want->vector == 14) {
		/*
		 * This process has pages that may not be executed; the Guest's tables have no such
		 * thing.
		 */
		error &= ~PF_FETCH;
		if (!user)
			error &= ~PF_USER;
		if (want->cr2 != got->cr2)
			return false;
	}
	if (error != got->error || want->ip != got->ip)
		return false;
	return differs == VALUES || same_registers(want, got);
}

FIXTURE(opcodes) {
	struct engine engine;
};

FIXTURE_VARIANT(opcodes) {
	bool user;
	uint8_t prefix[2];
	int prefixes;
};

FIXTURE_VARIANT_ADD(opcodes, at_user_level) { .user = true };
FIXTURE_VARIANT_ADD(opcodes, at_kernel_level) { .user = false };
FIXTURE_VARIANT_ADD(opcodes, of_16_bits_at_user_level) { .user = true, .prefix = { 0x66 }, .prefixes = 1 };
FIXTURE_VARIANT_ADD(opcodes, of_16_bits_at_kernel_level) { .user = false, .prefix = { 0x66 }, .prefixes = 1 };
FIXTURE_VARIANT_ADD(opcodes, with_rep_at_user_level) { .user = true, .prefix = { 0xf3 }, .prefixes = 1 };
FIXTURE_VARIANT_ADD(opcodes, with_repne_at_kernel_level) { .user = false, .prefix = { 0xf2 }, .prefixes = 1 };

FIXTURE_SETUP(opcodes)
{
	native = mmap(NULL, sizeof(*native), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)native);
	/* At user level none goes on for ever. */
	engine_start(&self->engine, 20000, variant->user ? 200 : 20);
}

FIXTURE_TEARDOWN(opcodes)
{
	engine_stop(&self->engine);
}

TEST_F(opcodes, behave_as_on_the_processor)
{
	static struct engine_case start[ENGINE_CASES], want[ENGINE_CASES], got[ENGINE_CASES];
	static struct engine_result result[ENGINE_CASES];
	int opcode, form, step = test_rounds(0, 1) ? 1 : 4, wrong = 0;
	unsigned int n = 0, all = 0, i;
	uint64_t random = test_seed(variant->user + 2 * variant->prefix[0]);

	for (opcode = 0; opcode < OPCODES; opcode++) {
		int every = is_group(opcode) ? 1 : step;

		for (form = test_random(&random) % every; form < FORMS; form += every) {
			make_case(&start[n], variant->user, variant->prefix, variant->prefixes, opcode, form);
			all++;
			if (++n < ENGINE_CASES && (opcode < OPCODES - 1 || form + every < FORMS))
				continue;
			memcpy(want, start, sizeof(want));
			memcpy(got, start, sizeof(got));
			run_native(want, n);
			engine_run(&self->engine, got, result, n);
			for (i = 0; i < n; i++) {
				if (as_it_should_be(&want[i], &got[i], &result[i],
						    how_it_differs(start[i].code), variant->user))
					continue;
				describe(&start[i], &want[i], &got[i], variant->user);
				fprintf(stderr, "#   outcome %d %s\n", result[i].outcome, result[i].sentence);
				wrong++;
			}
			n = 0;
		}
	}
	EXPECT_EQ(0, wrong);
	/* It was about the processor's traps, not about the engine's deaths. */
	EXPECT_LT(all * 3 / 4, self->engine.outcomes[ENGINE_TRAPPED]);
}

TEST_HARNESS_MAIN
