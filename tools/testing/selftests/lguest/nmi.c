// SPDX-License-Identifier: GPL-2.0
/*
 * NMIs by the thousand on a CPU that runs a Guest: at every instruction of the switcher sooner or
 * later. Each one reaches the host's handler once, and neither host nor Guest nor launcher is the
 * worse for it (S6, S8).
 *
 * The NMIs come from the other CPU, which writes to the command register of its own local APIC (SDM
 * vol. 3,
 * 10.6). The host lets nobody map that without iomem=relaxed.
 *
 * lguest-host: smp=2 args=iomem=relaxed,numa=fake=2,secretmem.enable=1 timeout=300
 * lguest-host: smp=2 args=iomem=relaxed,pti=on,nofsgsbase cpu=max,+la57,erms=off timeout=300
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>

#include "harness.h"
#include "cpus.h"
#include "helper.h"
#include "launcher.h"
#include "guests/work.h"

#define PAGE		4096ul
#define APIC_GPA	0xfee00000
#define APIC_ID		(0x20 / 4)
#define APIC_ICR_LOW	(0x300 / 4)
#define APIC_ICR_HIGH	(0x310 / 4)
#define ICR_NMI		0x4400u		/* fixed destination, assert, delivery mode NMI */
#define ICR_BUSY	0x1000u
#define GUEST_CPU	0
#define NMI_CPU		1

/* How many the Guest's CPU has had. */
static long nmis(void)
{
	static int fd = -1;
	static char text[1 << 14];
	const char *line;
	ssize_t got = 0, part;

	if (fd < 0)
		fd = open("/proc/interrupts", O_RDONLY | O_CLOEXEC);
	do {
		part = pread(fd, text + got, sizeof(text) - 1 - got, got);
		if (part <= 0)
			FAIL("/proc/interrupts has no NMI");
		got += part;
		text[got] = 0;
		line = strstr(text, "NMI:");
	} while (!line || !strchr(line, '\n'));
	return strtol(line + 4, NULL, 10);
}

static volatile uint32_t *apic;

static void send_nmi(void)
{
	while (apic[APIC_ICR_LOW] & ICR_BUSY)
		;
	apic[APIC_ICR_HIGH] = GUEST_CPU << 24;
	apic[APIC_ICR_LOW] = ICR_NMI;
}

FIXTURE(nmi) {
	struct vm vm;
	struct helper helper;
	FILE *printk;
	int levels[4];
};

FIXTURE_VARIANT(nmi) {
	uint32_t mode;
};

FIXTURE_VARIANT_ADD(nmi, spinning_guest) { .mode = WORK_SPIN };
FIXTURE_VARIANT_ADD(nmi, guest_with_many_exits) { .mode = WORK_SYNC };
FIXTURE_VARIANT_ADD(nmi, guest_with_fpu) { .mode = WORK_FPU };

FIXTURE_SETUP(nmi)
{
	/* To the host each NMI is an emergency, and has its words; the console need not hear them. */
	self->printk = fopen("/proc/sys/kernel/printk", "r+");
	ASSERT_NE(NULL, self->printk);
	ASSERT_EQ(1, fscanf(self->printk, "%d", self->levels));
	rewind(self->printk);
	fprintf(self->printk, "0");
	fflush(self->printk);

	vm_start(&self->vm, "work", NULL);
	self->vm.mailbox->in[WORK_MODE] = variant->mode;
	run_on(GUEST_CPU);
}

FIXTURE_TEARDOWN(nmi)
{
	rewind(self->printk);
	fprintf(self->printk, "%d", self->levels[0]);
	fclose(self->printk);
	vm_stop(&self->vm);
}

/* True if this test can send NMIs. */
static bool find_apic(void)
{
	int fd = open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC);
	void *at = MAP_FAILED;

	if (fd >= 0) {
		at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, APIC_GPA);
		close(fd);
	}
	apic = at;
	return at != MAP_FAILED;
}

/* The Guest works until the helper has switched it off. */
static void run_to_the_end(struct vm *vm)
{
	int came;

	do {
		came = vm_run(vm);
		if (came < 0 && came != -EINTR)
			FAIL("read: %s", strerror(-came));
	} while (came == LGUEST_EXIT_NOTIFY || came < 0);
	if (came != LGUEST_EXIT_SHUTDOWN || strcmp(vm->exit.text, "passed"))
		FAIL("%s", vm->exit.text);
}

/* One at a time: the count goes up by one for each, no more, no less. */
static void send_one_by_one(struct vm *vm)
{
	long before, sent, number = test_rounds(200, 5000);

	run_on(NMI_CPU);
	wait_for_turns(vm, 1);
	before = nmis();
	for (sent = 1; sent <= number; sent++) {
		send_nmi();
		while (nmis() == before + sent - 1)
			;
		if (nmis() != before + sent)
			FAIL("%ld NMIs for %ld", nmis() - before, sent);
	}
	vm->mailbox->in[WORK_STOP] = 1;
}

TEST_F(nmi, each_reaches_the_host_once)
{
	if (!find_apic())
		SKIP(return, "the local APIC cannot be mapped: iomem=relaxed");
	start_helper(&self->helper, &self->vm, send_one_by_one);
	run_to_the_end(&self->vm);
	pthread_join(self->helper.thread, NULL);
}

/* As fast as can be: they merge, so only what comes of it counts. */
static void storm(struct vm *vm)
{
	long i, number = test_rounds(10000, 100000);

	run_on(NMI_CPU);
	wait_for_turns(vm, 1);
	for (i = 0; i < number; i++)
		send_nmi();
	wait_for_turns(vm, 1);
	vm->mailbox->in[WORK_STOP] = 1;
}

TEST_F(nmi, storm)
{
	long before = nmis();

	if (!find_apic())
		SKIP(return, "the local APIC cannot be mapped: iomem=relaxed");
	start_helper(&self->helper, &self->vm, storm);
	run_to_the_end(&self->vm);
	pthread_join(self->helper.thread, NULL);
	EXPECT_LT(before, nmis());
}

/*
 * The way that an administrator knows: each l asks every other CPU where it is, by NMI. The kernel
 * waits for an answer for ten seconds and no longer, which a CPU that is emulated on a busy machine
 * may need: so each is waited for here, too, as the next one would merge with it.
 */
static void ask_for_backtraces(struct vm *vm)
{
	int fd = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC), times = test_rounds(5, 50), i;
	long before;

	run_on(NMI_CPU);
	wait_for_turns(vm, 1);
	before = nmis();
	for (i = 1; i <= times; i++) {
		if (write(fd, "l", 1) != 1)
			FAIL("sysrq: %s", strerror(errno));
		while (nmis() < before + i)
			usleep(1000);
		if (nmis() != before + i)
			FAIL("%ld NMIs for %d", nmis() - before, i);
	}
	close(fd);
	vm->mailbox->in[WORK_STOP] = 1;
}

TEST_F(nmi, backtrace_of_a_cpu_that_runs_a_guest)
{
	start_helper(&self->helper, &self->vm, ask_for_backtraces);
	run_to_the_end(&self->vm);
	pthread_join(self->helper.thread, NULL);
}

TEST_HARNESS_MAIN
