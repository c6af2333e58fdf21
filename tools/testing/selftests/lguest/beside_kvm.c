// SPDX-License-Identifier: GPL-2.0
/*
 * KVM on the same CPUs: it switches a bit of EFER on and off by IPI (SVM), or reads EFER by one to
 * have it for later (VMX), and saves and restores what lguest bars, breakpoints and the FPU. Neither
 * takes anything from the other (S1, S5).
 *
 * QEMU's processor has SVM, and those of Bochs have VMX, so that a stock KVM runs in the emulated
 * host. That of a Penryn does not switch EFER by itself: KVM does, with what its interrupt read. (Newer
 * kernels warn of two of them, and their KVM takes no long mode there.)
 *
 * lguest-host: smp=2
 * lguest-host: smp=2 emulator=bochs version=6.1 cpu=core2_penryn_t9600
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "harness.h"
#include "cpus.h"
#include "helper.h"
#include "launcher.h"
#include "guests/work.h"

#define PAGE		4096ul

/* What a KVM guest has, from address 0 on, a page for each. */
enum { PML4, PDPT, PAGE_DIRECTORY, CODE, PAGES };

/* What it counts in, behind its code. */
#define COUNTER		(CODE * PAGE + 0x800)

#define CR0_PG_NE_PE	0x80000021ul
#define CR4_PAE		0x20u
/* As Linux has it: KVM compares it with what it believes the host's to be. */
#define EFER_NX_LMA_LME_SCE	0xd01ul

/* A page table's entry: present, writable; a large page. */
#define ENTRY		0x3ul
#define LARGE		0x80ul

/* A virtual machine of KVM's, which counts in memory and halts, over and over. */
struct kvm_vm {
	int vm, vcpu;
	struct kvm_run *run;
	volatile uint8_t *memory;
};

static int kvm = -1;

static bool kvm_is_there(void)
{
	if (access("/dev/kvm", F_OK) &&
	    system("modprobe kvm_amd 2>/dev/null || modprobe kvm_intel 2>/dev/null"))
		return false;
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	return kvm >= 0;
}

static void kvm_make(struct kvm_vm *k)
{
	/* 0: incw COUNTER; hlt; jmp 0 */
	static const uint8_t code[] = { 0x66, 0xff, 0x04, 0x25, COUNTER & 0xff, COUNTER >> 8, 0, 0,
					0xf4, 0xeb, 0xf5 };
	struct kvm_userspace_memory_region region = { .memory_size = PAGES * PAGE };
	struct kvm_regs regs = { .rip = CODE * PAGE, .rflags = 2 };
	struct kvm_sregs sregs;
	uint64_t *tables;

	k->memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	tables = (uint64_t *)k->memory;
	tables[PML4 * PAGE / 8] = PDPT * PAGE | ENTRY;
	tables[PDPT * PAGE / 8] = PAGE_DIRECTORY * PAGE | ENTRY;
	tables[PAGE_DIRECTORY * PAGE / 8] = LARGE | ENTRY;
	memcpy((void *)k->memory + CODE * PAGE, code, sizeof(code));
	region.userspace_addr = (uintptr_t)k->memory;
	k->vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (k->vm < 0 || ioctl(k->vm, KVM_SET_USER_MEMORY_REGION, &region))
		FAIL("KVM: %s", strerror(errno));
	k->vcpu = ioctl(k->vm, KVM_CREATE_VCPU, 0);
	k->run = mmap(NULL, ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE,
		      MAP_SHARED, k->vcpu, 0);
	if (k->vcpu < 0 || k->run == MAP_FAILED || ioctl(k->vcpu, KVM_GET_SREGS, &sregs))
		FAIL("KVM: %s", strerror(errno));
	sregs.cs = (struct kvm_segment) { .selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1,
					  .limit = ~0u };
	sregs.tr.type = 11;
	sregs.cr0 = CR0_PG_NE_PE;
	sregs.cr3 = PML4 * PAGE;
	sregs.cr4 = CR4_PAE;
	sregs.efer = EFER_NX_LMA_LME_SCE;
	if (ioctl(k->vcpu, KVM_SET_SREGS, &sregs) || ioctl(k->vcpu, KVM_SET_REGS, &regs))
		FAIL("KVM: %s", strerror(errno));
}

static void kvm_turn(struct kvm_vm *k)
{
	uint16_t before = *(volatile uint16_t *)(k->memory + COUNTER);

	while (ioctl(k->vcpu, KVM_RUN, 0))
		if (errno != EINTR)
			FAIL("KVM_RUN: %s", strerror(errno));
	if (k->run->exit_reason != KVM_EXIT_HLT)
		FAIL("KVM's guest ended with %u", k->run->exit_reason);
	if (*(volatile uint16_t *)(k->memory + COUNTER) != (uint16_t)(before + 1))
		FAIL("KVM's guest has not counted");
}

static void kvm_drop(struct kvm_vm *k)
{
	munmap(k->run, ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0));
	close(k->vcpu);
	close(k->vm);
	munmap((void *)k->memory, PAGES * PAGE);
}

static struct kvm_vm machine;

/* KVM's first machine, and its last: it comes and goes while the other CPU is inside a Guest. */
static void make_a_machine(struct vm *vm)
{
	run_on(1);
	wait_for_turns(vm, 1000);
	kvm_make(&machine);
	kvm_turn(&machine);
	vm->mailbox->in[WORK_STOP] = 1;
}

static void drop_the_machine(struct vm *vm)
{
	run_on(1);
	wait_for_turns(vm, 1000);
	kvm_drop(&machine);
	vm->mailbox->in[WORK_STOP] = 1;
}

static void spin_meanwhile(void (*what)(struct vm *vm))
{
	struct helper helper;
	struct vm vm;

	vm_start(&vm, "work", NULL);
	start_helper(&helper, &vm, what);
	vm_pass(&vm);
	pthread_join(helper.thread, NULL);
	vm_stop(&vm);
}

TEST(kvm_begins_and_ends_beside_a_running_guest)
{
	int rounds = test_rounds(5, 20), i;

	if (!kvm_is_there())
		SKIP(return, "no KVM here");
	run_on(0);
	for (i = 0; i < rounds; i++) {
		spin_meanwhile(make_a_machine);
		/* On the CPU that was inside the Guest when KVM was switched on. */
		kvm_turn(&machine);
		spin_meanwhile(drop_the_machine);
	}
}

static void *kvm_turns(void *arg)
{
	volatile int *stop = arg;
	struct kvm_vm k;
	int turns = 0, cpu = 0;
	sigset_t alarms;

	/* They are for the thread that reads; KVM does not make a machine while one is pending. */
	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &alarms, NULL);
	kvm_make(&k);
	while (!*stop) {
		run_on(cpu = !cpu);
		kvm_turn(&k);
		if (++turns % 100 == 0) {
			kvm_drop(&k);
			kvm_make(&k);
		}
	}
	kvm_drop(&k);
	return NULL;
}

TEST(both_at_work)
{
	static const uint32_t modes[] = { WORK_FPU, WORK_MEMORY };
	uint32_t turns = test_rounds(300, 2000);
	volatile int stop = 0;
	pthread_t thread;
	struct vm vm;
	int i;

	if (!kvm_is_there())
		SKIP(return, "no KVM here");
	ASSERT_EQ(0, pthread_create(&thread, NULL, kvm_turns, (void *)&stop));
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		vm_start(&vm, "work", NULL);
		vm.mailbox->in[WORK_MODE] = modes[i];
		vm.mailbox->in[WORK_PAGES] = modes[i] == WORK_MEMORY ? 64 : 0;
		vm.mailbox->in[WORK_SALT] = 0x1234;
		ualarm(3000, 3000);
		while (vm.mailbox->out[WORK_TURNS] < turns) {
			ASSERT_EQ(-EINTR, vm_run(&vm));
			run_on(vm.mailbox->out[WORK_TURNS] & 1);
		}
		ualarm(0, 0);
		vm.mailbox->in[WORK_STOP] = 1;
		vm_pass(&vm);
		vm_stop(&vm);
	}
	stop = 1;
	pthread_join(thread, NULL);
}

static void on_alarm(int number)
{
}

static void __attribute__((constructor)) alarms_end_reads(void)
{
	signal(SIGALRM, on_alarm);
}

TEST_HARNESS_MAIN
