/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The Host's own structures, and what each room of drivers/lguest/ offers the others.
 *
 * One direction, no room entered twice:
 *
 *	dev -> request
 *	dev -> run -> world (switcher)
 *	       run -> exits -> hypercall, emulate, trap -> segments, shadow -> walk -> mem
 *
 * A room declares here what another needs and no more. What a Guest or a Launcher controls is
 * called hostile; it is checked where it enters, once (M6).
 *
 * Words: gva, gpa, gfn are Guest-virtual, Guest-physical, Guest frame number; hva is an address in
 * the Launcher; pfn a Host frame. "Level" is the virtual privilege level (kernel or user), "view"
 * which of the two sets of shadow pages.
 */
#ifndef _LGUEST_LG_H
#define _LGUEST_LG_H

#include <linux/completion.h>
#include <linux/hrtimer.h>
#include <linux/irqflags.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/nospec.h>
#include <linux/refcount.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/timekeeping.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/lguest.h>
#include <asm/irq_vectors.h>
#include <asm/lguest.h>
#include <asm/trapnr.h>

#include "compat.h"
#include "walk.h"
#include "segments.h"
#include "trap.h"
#include "emulate.h"
#include "stats.h"
#include "switcher.h"

struct lguest;
struct lg_shadow;
struct lg_spage;
struct dentry;

/* The two views of a Guest address space (design.md, decision 2); an index. */
enum lg_view { LG_VIEW_KERNEL, LG_VIEW_USER, LG_VIEWS };

/* How many IDT vectors of a Guest the Host keeps. */
#define LG_IDT_ENTRIES		256

/* The first of the three GDT entries that LHCALL_LOAD_TLS sets. */
#define GDT_ENTRY_GUEST_TLS	6

/* Entries of 1 GiB that map what a 32-bit Guest can name: lg_world_low(). */
#define LG_TOPS			4

/* Shadow pages that lie ready for the next fill: shadow_page.c. */
struct lg_shadow_spare {
	unsigned int count;
	struct lg_spage *page[8];
};

/* The top tables of a page directory when it was last left: shadow_flush.c. */
struct lg_root {
	u64 epoch;			/* lg_shadow.epoch; another one now: worthless */
	u64 cr3, pdpte[LG_TOPS];
	u64 top[LG_VIEWS][LG_TOPS];
};

#define LG_ROOTS		8

/* A walk that has been done: what a TLB would know of a page. mem.c. */
struct lg_known {
	u64 page;			/* gva, with bit 0 set; 0: nothing is known */
	u64 gpa;			/* of the page; it may lie outside memory */
	void __user *at;		/* where the page is in the Launcher, or NULL */
	u32 access;			/* the rights that it was walked for */
};

#define LG_KNOWN		16

/* A vCPU's registers, for those who look from outside: debugfs_cpu.c. */
struct lg_snapshot {
	struct mutex lock;		/* one who asks at a time; guards the rest */
	bool wanted;			/* any task sets it, who clears it may write below */
	struct completion taken;
	bool exact;			/* between two instructions of the Guest */
	struct lg_regs regs;
	struct lg_frame frame;
	u64 segment[LG_SREGS];		/* as the processor has them */
	struct lg_paging paging;
	u32 cr0, cr2;
	u8 iopl;
	bool stepping, user;
};

/*
 * One vCPU. Everything here belongs to the task that runs it, unless said otherwise. Fields that
 * another task or an interrupt may touch are atomic or say which lock they take.
 */
struct lg_cpu {
	struct lguest *lg;
	unsigned int id;
	struct task_struct *task;	/* the one task that may run it; a reference is held */

	/* The switcher's memory and what it must be told: world.h. */
	struct lg_state *state;		/* registers, own GDT, IDT, TSS, stack: switcher.h */
	struct lg_world *world;		/* page-table tops, T set, host facts */
	int host_cpu;		/* any task: the host CPU this vCPU is inside the Guest on, or -1 */
	bool kicked;		/* any context: look at what is pending before the next entry */
	bool loaded;		/* FPU of the Guest is in the CPU, preemption off: world.c */
	u64 exit_cr2, exit_dr6; /* of the last page fault and debug exception in the hardware */

	/* The virtual processor. */
	bool user; /* virtual privilege level: false kernel, true user (decision 1) */
	struct lg_paging
		paging; /* cr0, cr3, cr4, PDPTEs: what the walk needs; changed by shadow.c alone */
	struct lg_known known[LG_KNOWN];
	struct lg_shadow_spare spare;
	struct lg_root root[LG_ROOTS];
	unsigned int root_now;		/* which of them is that of the current CR3 */
	u32 cr2;
	u8 no_fpu;			/* CR0.TS and EM: the FPU is not the Guest's to use, #NM */
	bool virtual_if; /* virtual IF until LHCALL_LGUEST_INIT, then lguest_data has it */
	struct lg_segments seg;		/* GDT, LDT, TSS as the Guest gave them: segments.c */
	u64 idt[LG_IDT_ENTRIES];	/* gates by LHCALL_LOAD_IDT_ENTRY; 0 is none */
	bool idt_in_memory;		/* LIDT gave the table: read at each delivery */
	u32 idt_base, idt_limit;
	struct lg_quick quick;
	u32 ss1, esp1; /* stack for entries from user mode; ss1 0: the TSS has it */
	u8 iopl;			/* as the Guest's kernel last loaded it into EFLAGS */
	bool sti_shadow; /* an instruction held interrupts back from the next one, at sti_ip */
	u32 sti_ip;
	bool stepping;			/* TF in the frame is the Host's, to end that */
	u32 dr[8];			/* debug registers as the Guest believes them to be */
	u64 msr[LG_MSRS];		/* by the table in emu_system.c */
	struct lg_io io;		/* device accesses of the instruction at hand */

	/* struct lguest_data, once the Guest has said where. */
	u64 data_gpa;			/* 0 before LHCALL_LGUEST_INIT */
	u32 noirq_iret, kernel_address;
	u8 syscall_vec, first_irq_vector;	/* the latter is good before, too */
	u8 next_hcall;			/* the Host's own cursor in the ring */
	bool no_memory;			/* for what is at hand: mem.c; read() says so */
	struct lg_event event;		/* if event_waits */

	/* Interrupts: any task or hard interrupt sets a bit, the vCPU clears it on delivery. */
	unsigned long irqs_pending;
	/* What the run loop must see to before it enters the Guest: all of it at a glance. */
	union {
		struct {
			bool told_pending;	/* irq_pending in lguest_data may be set */
			bool halted;
			/* What is left over of something that could not be done as a whole. */
			union {
				struct {
					bool hypercall_waits;	/* for the Launcher, or for memory */
					bool io_waits;		/* lg_io_waits(), when read() began */
					bool event_waits;	/* no memory for its delivery */
					u8 untold;		/* LG_UNTOLD_* */
				};
				u32 left_over;
			};
		};
		u64 waits;
	};
	bool call_untold;		/* nor has the ring been told of the call before next_hcall */
	struct wait_queue_head wq;	/* a halted vCPU sleeps here */
	bool brk;			/* any task: LHREQ_BREAK is on */
	struct hrtimer timer;

	/* A page fault or trap for the Guest, found by walk or emulation. */
	struct lg_fault fault;

	/* What the next read() tells; reason 0: nothing yet. */
	struct lguest_exit exit;

	/* For those who watch. */
	unsigned int runs;		/* odd: the vCPU's task is at work on it; any task reads */
	u64 look_at;			/* any task: the last address asked of debugfs */
	struct lg_snapshot snapshot;
	struct lg_stats stats;
};

/* A claim of the Launcher's: window.c. */
#define LG_WINDOWS 64

struct lg_window {
	u8 kind;			/* LGUEST_SPACE_* */
	u64 start, last;
};

struct lg_windows {
	spinlock_t lock;		/* guards the rest; tasks only */
	unsigned int count;
	struct lg_window window[LG_WINDOWS];	/* by kind and address; none overlaps another */
};

/* Eventfds of the Launcher's: eventfd.c. */
struct lg_events {
	struct mutex lock;		/* guards irqfds */
	spinlock_t doorbells_lock;	/* guards doorbells; tasks only */
	struct list_head irqfds, doorbells;
	unsigned int irqfds_count, doorbells_count;
	struct work_struct reap;	/* releases irqfds whose eventfd was closed */
};

/*
 * One Guest: an open file. Freed when the file is released and the last reader of debugfs is gone.
 */
struct lguest {
	struct mutex lock;		/* INITIALIZE against everything that needs it done */
	bool ready;			/* INITIALIZE succeeded: release-stored under lock */
	bool dead;			/* ended; exit in cpu says how; any task reads it */

	/* Guest memory: mem.c. Constant once ready. */
	struct mm_struct *mm;		/* the Launcher's; an mmgrab reference */
	unsigned long base;		/* hva of gpa 0 */
	unsigned long pfn_limit;	/* pages */
	struct mmu_notifier notifier;	/* shadow_page.c: what the Host takes back */

	struct lg_shadow *shadow;	/* shadow.h: pages, hash, reverse map, its lock */
	struct lg_windows windows;	/* what the Launcher answers for */
	struct lg_events events;	/* eventfds that raise lines or are told of writes */
	struct lg_cpu cpu;		/* the only vCPU so far */

	/* For those who watch: debugfs.c. */
	refcount_t refs;		/* the file, and each open file of debugfs */
	struct rw_semaphore alive;	/* held for reading by who looks */
	bool gone;			/* under alive: nothing but this is left to look at */
	unsigned int number;		/* of the Guest, since the module was loaded */
	pid_t pid;			/* of the Launcher */
	ktime_t born;
	char name[LGUEST_NAME_MAX];
	struct list_head guests;	/* all that are initialised */
	struct dentry *debugfs;
};

/* ---- main.c, host_check.c, dev.c, request.c ---- */
extern struct dentry *lg_debugfs;	/* /sys/kernel/debug/lguest */
extern const struct file_operations lg_fops;
int lg_host_check(void);
int lg_may_run(struct lg_cpu *cpu);
ssize_t lg_request(struct lguest *lg, struct lg_cpu *cpu, const char __user *in, size_t size);

/* ---- guest.c ---- */
int lg_guest_init(struct lguest *lg, unsigned long base, unsigned long pages, u64 pgdir, u64 start);
void lg_guest_destroy(struct lguest *lg);
int lg_get_register(struct lg_cpu *cpu, u64 which, u64 *value);
int lg_set_register(struct lg_cpu *cpu, u64 which, u64 value);
/* Ends the Guest: the sentence (no newline), then registers and code, go to cpu->exit (G1). */
__printf(2, 3) enum lg_next lg_kill(struct lg_cpu *cpu, const char *fmt, ...);
enum lg_next lg_shutdown(struct lg_cpu *cpu, u32 how, const char *message);

/* ---- debugfs.c: the Guest for those who watch ---- */
/* In this order: when the file is opened; when INITIALIZE has begun; when it has succeeded. */
void lg_look_init(struct lguest *lg);
void lg_look_number(struct lguest *lg);
void lg_look_show(struct lguest *lg);
/* After lg_look_show(): nobody looks any more, and nobody will. Waits for those who do. */
void lg_look_hide(struct lguest *lg);
/* Frees the Guest, now or when the last file of its folder is closed. */
void lg_look_put(struct lguest *lg);
/* Bytes of the Host's own memory that the Guest costs. By who keeps it alive. */
u64 lg_host_bytes(struct lguest *lg);
/* All Guests together. May sleep. */
struct lg_sum {
	unsigned int guests;
	u64 guest_bytes, host_bytes;
};
void lg_look_sum(struct lg_sum *sum);
/*
 * By the vCPU's task, between two instructions: its registers, for who has asked for them with a
 * kick.
 */
void lg_snapshot_answer(struct lg_cpu *cpu);

/* ---- stats.c, sysfs.c ---- */
void lg_stats_module_init(void);
void lg_stats_init(struct lg_cpu *cpu);
u64 lg_ticks_to_ns(u64 ticks);
/* A word for each; the first one NULL if there is none. */
const char *lg_vector_name(unsigned int vector);
const char *lg_account_name(unsigned int account);
extern const struct attribute_group *lg_sysfs_groups[];

/* ---- timer.c ---- */
void lg_timer_init(struct lg_cpu *cpu);
void lg_timer_destroy(struct lg_cpu *cpu);
void lg_timer_set(struct lg_cpu *cpu, u32 ns);
void lg_raise_irq(struct lg_cpu *cpu, unsigned int line);

/*
 * ---- mem.c: Guest memory. By the vCPU's task; may sleep, and then puts the vCPU (world.c). ----
 *
 * All return 0 or -EFAULT. After -EFAULT of those that take a gva, cpu->fault is the fault for the
 * Guest: of its own tables, or, where they lead outside memory or the Launcher's memory is not
 * there, as for a reserved bit. If it was the Host that had no memory, cpu->no_memory is set, those
 * that take a gpa return -ENOMEM, and the Guest is not to be told: no delivery and no lg_kill() comes
 * of it, read() says so, and what was at hand is done again. So it is if a signal has to be seen to
 * before others let the Guest's tables rest.
 */
/*
 * Makes [base, base + pages) of current->mm the Guest's memory. -EINVAL: not aligned, no page or
 * too many, not in the address space; -EFAULT: not all mapped and writable, or the first page
 * cannot be had.
 */
int lg_mem_init(struct lguest *lg, unsigned long base, unsigned long pages);
/* Also without lg_mem_init(). */
void lg_mem_destroy(struct lguest *lg);
/*
 * True if [gpa, gpa + len) is inside memory: the one check of Guest-physical addresses (M6). Any
 * context.
 */
bool lg_gpa_ok(const struct lguest *lg, u64 gpa, u64 len);
int lg_read_gpa(struct lg_cpu *cpu, u64 gpa, void *to, size_t len);
int lg_write_gpa(struct lg_cpu *cpu, u64 gpa, const void *from, size_t len);
/*
 * Through the Guest's tables with the rights in access (LG_PF_* bits). A write that faults has
 * written nothing.
 */
int lg_read_gva(struct lg_cpu *cpu, u64 gva, void *to, size_t len, u32 access);
int lg_write_gva(struct lg_cpu *cpu, u64 gva, const void *from, size_t len, u32 access);
/* The gpa behind a gva by walking the Guest's tables (decision 4); it may lie outside memory. */
int guest_pa(struct lg_cpu *cpu, u64 gva, u32 access, u64 *gpa);
/*
 * Forgets all walks: by whoever changes the Guest's paging or flushes for it (shadow_flush.c), as
 * the Host's walks are remembered like a TLB's.
 */
void lg_mem_forget(struct lg_cpu *cpu);
/* A page fault of the Guest's does so for its address (SDM vol. 3, 4.10.4.1). */
void lg_mem_forget_gva(struct lg_cpu *cpu, u64 gva);
/* Sets cpu->fault to what tables that lead outside memory give. */
void lg_fault_unreadable(struct lg_cpu *cpu, u64 gva, u32 access);
/*
 * Reads `count` page-table entries, of 4 or 8 bytes, that lie in one page. Does not sleep and does
 * not put the vCPU: false if they cannot be had so.
 */
bool lg_entries_peek(struct lg_cpu *cpu, u64 gpa, unsigned int size, unsigned int count,
		     u64 *entries);
/*
 * The Host's page behind a gfn inside memory, with a reference. For a write it is writable; for a
 * read *writable tells whether it happens to be. Or an ERR_PTR: -ENOMEM if the Host has no memory,
 * another errno if the Launcher's memory does not allow it.
 */
struct page *lg_mem_page(struct lg_cpu *cpu, u64 gfn, bool write, bool *writable);
/*
 * For any task: reads what is there, and brings nothing there. -EFAULT: outside memory; -ENXIO:
 * swapped out, never touched, unmapped. May sleep. The Guest must be kept from going away
 * (debugfs.h).
 */
int lg_peek_gpa(struct lguest *lg, u64 gpa, void *to, size_t len);
/*
 * Are the LG_LARGE_PAGES frames from gfn on, a multiple of that, and inside memory, writable and
 * one behind the other in the Host's memory, aligned like a huge page? Does not sleep.
 */
bool lg_mem_contiguous(struct lg_cpu *cpu, u64 gfn);
#define LG_LARGE_PAGES		512

/*
 * ---- shadow.c, shadow_page.c. By the vCPU's task; may sleep, and then puts the vCPU, unless said
 * otherwise. ----
 */
int lg_shadow_module_init(void);
void lg_shadow_module_exit(void);
/* Makes the file lguest/shadow_check in debugfs. */
void lg_shadow_debugfs(void);
/* After lg_mem_init(). 0, -ENOMEM, -EINTR; then nothing is left of it. */
int lg_shadow_init(struct lguest *lg);
/* Nobody runs the vCPU any more. Before lg_world_destroy(). Also without lg_shadow_init(). */
void lg_shadow_destroy(struct lguest *lg);
enum lg_shadow_result {
	/* The entry is there, or may be the next time: go on, after a look at signals. */
	LG_SHADOW_DONE,
	LG_SHADOW_REFLECT, /* the Guest's own fault: cpu->fault */
	LG_SHADOW_DEVICE,  /* allowed, but outside memory: *gpa */
	LG_SHADOW_GONE,	   /* the Launcher's memory is not there, or not to be used so */
	LG_SHADOW_NO_MEMORY, /* the Host has none: nothing has changed */
};
/* A hardware page fault at gva; error as the processor pushed it. */
enum lg_shadow_result lg_shadow_fault(struct lg_cpu *cpu, u64 gva, u32 error, u64 *gpa);
/*
 * New CR3 by hypercall (flushes nothing that is known) or, flush set, by MOV CR3 / task switch. 0;
 * -EFAULT: directory outside memory or PDPTEs with reserved bits, nothing has changed.
 */
int lg_shadow_load_cr3(struct lg_cpu *cpu, u64 cr3, bool flush);
/*
 * CR0, CR4, EFER bits that change paging (WP, PG, PSE, PAE, PGE, NXE): the format may change;
 * flushes. CR4.SMEP and SMAP are not for Guests to set. Also the first one, with cpu->paging.cr3
 * set. 0; -EFAULT as above, or long mode.
 */
int lg_shadow_set_mode(struct lg_cpu *cpu, u64 cr0, u64 cr4, u64 efer);
/* Flushes: spin, do not sleep, do not put. */
void lg_shadow_flush_all(struct lg_cpu *cpu);
void lg_shadow_flush_user(struct lg_cpu *cpu); /* below cpu->kernel_address, current directory */
void lg_shadow_flush_gva(struct lg_cpu *cpu, u64 gva);	/* INVLPG */
/* What the Guest's hypercalls of these names say; arguments are checked here. */
void lg_shadow_set_pte(struct lg_cpu *cpu, u64 pgdir, u64 gva, u64 value);
void lg_shadow_set_pgd(struct lg_cpu *cpu, u64 pgdir, u32 index);
void lg_shadow_set_pmd(struct lg_cpu *cpu, u64 pmd, u32 index);
/* What the Guest's flushes are about; the tracepoint's lguest_flush has these numbers. */
enum lg_flush { LG_FLUSH_ALL, LG_FLUSH_LOCAL, LG_FLUSH_USER, LG_FLUSH_GVA, LG_FLUSH_TABLE };

/* ---- shadow_show.c: by any task that keeps the Guest from going away ---- */
struct lg_shadow_stats {
	u64 fills, prefills, zaps, retries, frames, made, reused, syncs, invalidations;
	u64 flushes_all, flushes_local, flushes_user, flushes_one;
};
void lg_shadow_get_stats(struct lguest *lg, struct lg_shadow_stats *stats);
struct lg_shadow_size {
	unsigned int used, pages,
		max; /* shadow pages: in use, with those that lie ready, at most */
	u64 bytes;
};
void lg_shadow_get_size(struct lguest *lg, struct lg_shadow_size *size);
struct lg_shadow_view_size {
	unsigned int pages[2];		/* shadow pages by level - 1, of the current directory */
	unsigned int entries;		/* that map memory */
};
void lg_shadow_get_view_size(struct lg_cpu *cpu, enum lg_view view,
			     struct lg_shadow_view_size *size);
void lg_shadow_get_paging(struct lg_cpu *cpu, struct lg_paging *paging);
/* One mapping: [start, end], to gpa on. Of the Guest's tables or of a view of the shadow. */
struct lg_piece {
	u64 start, end, gpa;
	u32 flags;			/* LG_PIECE_* */
	u8 page_shift;			/* size of its page */
	u8 view;			/* enum lg_view */
};
#define LG_PIECE_WRITE		BIT(0)
#define LG_PIECE_USER		BIT(1)
#define LG_PIECE_NX		BIT(2)
#define LG_PIECE_GLOBAL		BIT(3)
#define LG_PIECE_UNCACHED	BIT(4)
#define LG_PIECE_THROUGH	BIT(5)
#define LG_PIECE_OUTSIDE	BIT(6)	/* of the Guest's memory */
#define LG_PIECE_LOST		BIT(7)	/* no mapping: the table at gpa cannot be read */
bool lg_shadow_look(struct lg_cpu *cpu, enum lg_view view, u64 *gva, struct lg_piece *piece);

/* ---- world.c, world_make.c, world_host.c: the C half of the switcher ---- */
void lg_world_module_init(void);
int lg_world_init(struct lg_cpu *cpu);
void lg_world_destroy(struct lg_cpu *cpu);
u64 lg_world_bytes(struct lg_cpu *cpu);
/*
 * The page of top-level entries that maps 0-4 GiB in a view: shadow.c writes entries 0-3 of it (1
 * GiB each).
 */
u64 *lg_world_low(struct lg_cpu *cpu, enum lg_view view);
/* Of the host's page tables, and so of ours: 4 or 5. */
unsigned int lg_host_levels(void);
/* What CR3 is while the Guest runs in a view. */
u64 lg_world_cr3(struct lg_cpu *cpu, enum lg_view view);
/* world_check.c: says what breaks a rule in these page tables (see there). */
unsigned long lg_world_check(struct lg_cpu *cpu, struct seq_file *m);
/* Guest's FPU out, preemption on: whoever may sleep calls this first. Harmless when not loaded. */
void lg_world_put(struct lg_cpu *cpu);
/* What lg_world_enter() returns besides hardware vectors. */
#define LG_EXIT_KICKED	0x100
#define LG_EXIT_ABORTED	0x101
/* Beside a vector: it was the host's, and has been given to it. */
#define LG_EXIT_HOST	0x200
int lg_world_enter(struct lg_cpu *cpu);
/*
 * XSETBV: 0, or -EINVAL where the processor would refuse or the host has none. The vCPU is not
 * loaded afterwards.
 */
int lg_world_set_xcr0(struct lg_cpu *cpu, u64 xcr0);
/*
 * Programs call the host by INT 0x80. It has no use for that without its 32-bit programs
 * (ia32_emulation=0): then the vector may be a device's, whose interrupt is the host's to have (S8).
 */
extern bool lg_host_has_int80;
/* A vector of the host's own: no exception, and no gate that a Guest may use by INT. */
static inline bool lg_host_vector(int vector)
{
	return vector >= FIRST_EXTERNAL_VECTOR && vector < LG_VECTORS &&
	       !(vector == IA32_SYSCALL_VECTOR && lg_host_has_int80);
}
/*
 * No vCPU of lg runs on old shadow entries once it returns: kicks and waits. Preemption may be off,
 * IRQs are on.
 */
void lg_world_flush_tlbs(struct lguest *lg);
/*
 * Makes a vCPU look at its requests soon: wakes it if halted, kicks it out of the Guest. Any
 * context.
 */
void lg_kick(struct lg_cpu *cpu);

/* ---- run.c ---- */
/* Runs until the Launcher is needed: 0 (cpu->exit is filled), -EINTR, ... */
int lg_run(struct lg_cpu *cpu);

/* ---- hypercall.c ---- */
enum lg_next lg_hypercall(struct lg_cpu *cpu);
enum lg_next lg_hypercall_again(struct lg_cpu *cpu);
/* NULL: there is none with this number. */
const char *lg_hypercall_name(unsigned int nr);

/* ---- window.c ---- */
int lg_window_set(struct lguest *lg, u64 kind, u64 start, u64 size, bool on);

/* ---- eventfd.c ---- */
void lg_events_init(struct lguest *lg);
void lg_events_destroy(struct lguest *lg);
int lg_irqfd_set(struct lguest *lg, u64 line, u64 fd, bool on);
int lg_doorbell_set(struct lguest *lg, u64 kind, u64 addr, u64 size, u64 fd, bool on);

/*
 * ---- processor.c: what the plain rooms of the virtual processor (env.h) need of the kernel ----
 */
/* Wall clock, in nanoseconds. */
static inline u64 lg_wall_clock(void)
{
	return ktime_get_real_ns();
}

u64 lg_rdtsc(void);
/* CPUID for a Guest: EAX and ECX in, EAX, EBX, ECX and EDX out. */
void lg_cpuid(u32 reg[4]);

#include "segreg.h"

#endif /* _LGUEST_LG_H */
