/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A kernel of ten lines: what a test's Guest needs besides the lines that are its test.
 *
 *	#include "guest.h"
 *
 *	void guest_main(void)
 *	{
 *		GUEST_ASSERT_EQ(2, 1 + 1);
 *	}
 *
 * It runs at LGUEST_PAGE_OFFSET with all of memory mapped there (as far as there is room) and below
 * at virtual == physical, at kernel privilege, virtual interrupts off, every vector of its IDT
 * taken. When guest_main() returns, the Guest powers off: that is what passing looks like.
 */
#ifndef LGUEST_TEST_GUEST_H
#define LGUEST_TEST_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdarg.h>
#include <linux/types.h>
#include <asm/lguest.h>
#include "mailbox.h"

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))
#define PAGE_SIZE		4096u

/* All of memory once more, from physical 0 on. */
#define va(gpa)			((void *)((u32)(gpa) + LGUEST_PAGE_OFFSET))
#define pa(address)		((u32)(address) - LGUEST_PAGE_OFFSET)

#define mailbox			((volatile struct mailbox *)va(MAILBOX_GPA))

extern struct lguest_data lguest_data;
extern u32 lguest_pgdir[1024];

/* Selectors: the Guest's kernel has privilege level 1 (guest-interface.rst). */
#define KERNEL_CS	LGUEST_BOOT_CS
#define KERNEL_DS	LGUEST_BOOT_DS
#define USER_CS		(14 * 8 + 3)
#define USER_DS		(15 * 8 + 3)

/* Flags (SDM vol. 1, 3.4.3). */
#define FLAGS_ONE	0x2u		/* always set */
#define FLAGS_TF	0x100u
#define FLAGS_IF	0x200u
#define FLAGS_DF	0x400u
#define FLAGS_IOPL	0x3000u
#define FLAGS_NT	0x4000u
#define FLAGS_RF	0x10000u
#define FLAGS_VM	0x20000u
#define FLAGS_AC	0x40000u

/* Vectors (SDM vol. 3, 6.3.1). */
enum {
	VEC_DE, VEC_DB, VEC_NMI, VEC_BP, VEC_OF, VEC_BR, VEC_UD, VEC_NM, VEC_DF,
	VEC_TS = 10, VEC_NP, VEC_SS, VEC_GP, VEC_PF, VEC_MF = 16, VEC_AC, VEC_MC, VEC_XM,
};

/* Page-fault error code (SDM vol. 3, 4.7). */
#define PF_PRESENT	0x1u
#define PF_WRITE	0x2u
#define PF_USER		0x4u
#define PF_RSVD		0x8u
#define PF_FETCH	0x10u

/* Page-table entries (SDM vol. 3, 4.3 and 4.4). */
#define PTE_P		0x1u
#define PTE_W		0x2u
#define PTE_U		0x4u
#define PTE_A		0x20u
#define PTE_D		0x40u
#define PTE_PS		0x80u
#define PTE_G		0x100u
#define PTE_NX		(1ull << 63)
#define PTE_ALL		(PTE_P | PTE_W | PTE_U)

#define CR0_PE		0x1u
#define CR0_EM		0x4u
#define CR0_TS		0x8u
#define CR0_WP		0x10000u
#define CR0_PG		0x80000000u
#define CR4_PSE		0x10u
#define CR4_PAE		0x20u
#define CR4_PGE		0x80u
#define MSR_EFER	0xc0000080u
#define EFER_NX		0x800u

/* ---- Hypercalls ---- */
static inline void hypercall(u32 number, u32 a, u32 b, u32 c, u32 d)
{
	asm volatile("int %0" : : "N" (LGUEST_TRAP_ENTRY), "a" (number), "b" (a), "c" (b), "d" (c),
		     "S" (d) : "memory");
}

/*
 * A call for the ring, which the next hypercall() finds there, and the entry that it goes to. If
 * that one is not free, the ring is full: the call is made by INT, and comes last all the same.
 */
void guest_queue(u32 number, u32 a, u32 b, u32 c);
extern u32 guest_ring_next;

/* Ends the Guest with a message; LGUEST_SHUTDOWN_*. */
void __attribute__((noreturn)) guest_shutdown(const char *message, u32 reason);

/* ---- Talking to the launcher: talk.c ---- */
void __attribute__((format(printf, 1, 2))) guest_printf(const char *format, ...);
/* The launcher's vm_run() returns with this number. */
void guest_sync(u32 number);
/* Reports and ends the Guest. */
void __attribute__((noreturn)) guest_failed(const char *file, u32 line, const char *what, u32 expected,
					    u32 seen);
int __attribute__((format(printf, 3, 4))) guest_snprintf(char *to, size_t size, const char *format, ...);

/* The compiler needs these four. */
void *memcpy(void *to, const void *from, size_t len);
void *memmove(void *to, const void *from, size_t len);
void *memset(void *to, int byte, size_t len);
int memcmp(const void *a, const void *b, size_t len);

/* Fails the test with a line of its own making. */
#define GUEST_FAIL(...)									\
	do {										\
		guest_printf(__VA_ARGS__);						\
		guest_failed(__FILE__, __LINE__, "not to come here", 0, 1);		\
	} while (0)

#define GUEST_ASSERT(condition)								\
	do {										\
		if (!(condition))							\
			guest_failed(__FILE__, __LINE__, #condition, 1, 0);		\
	} while (0)

#define GUEST_ASSERT_EQ(expected, seen)							\
	do {										\
		u32 expected_ = (u32)(expected), seen_ = (u32)(seen);			\
											\
		if (expected_ != seen_)							\
			guest_failed(__FILE__, __LINE__, #expected " == " #seen,	\
				     expected_, seen_);					\
	} while (0)

/* ---- Traps: trap.c, entry.S ---- */
/* What a trap leaves on the stack, lowest address first. */
struct trap_frame {
	u32 di, si, bp, sp_unused, bx, dx, cx, ax;
	u32 gs, fs, es, ds;
	u32 vector, error;
	u32 ip, cs, flags;
	u32 sp, ss;			/* only if it came from user level */
};

/* A trap that guest_try() met. */
struct trap {
	u32 vector;			/* NO_TRAP: none */
	u32 error, cr2;
	u32 ip, cs, flags;
	u32 sp, ss;			/* at kernel level: where the frame lies, and 0 */
	u32 ax;
};

#define NO_TRAP		0xffffffffu

/*
 * Calls function(argument) and returns the vector of the first trap in it, or NO_TRAP: what is left
 * of the function is not done then. Traps in guest_try() within it are the inner one's.
 */
u32 guest_try(void (*function)(u32 argument), u32 argument, struct trap *trap);

/*
 * Goes to ip at user level, EAX being ax, and returns the vector of the trap that ends that. flags:
 * IF, and whatever.
 */
u32 guest_try_user(u32 ip, u32 sp, u32 flags, u32 ax, struct trap *trap);

/*
 * Goes on with all of these registers, at the level that CS has (SP and SS count at user level; at
 * kernel level SP does, and must have room below it), until the first trap. *state is then what
 * that left, with SP and SS in any case. Returns the vector.
 */
u32 guest_try_state(struct trap_frame *state);

/*
 * A handler for a vector, which sees it before guest_try() does: true if it has dealt with it, and
 * the Guest goes on where it was. NULL for none.
 */
void guest_handle(u32 vector, bool (*handler)(struct trap_frame *frame));

/* Asks the Host for a gate at this vector: our stub, with this privilege level (0 to 3). */
void guest_set_gate(u32 vector, u32 dpl);

/* ---- Processor ---- */
static inline u64 rdtsc(void)
{
	u32 low, high;

	asm volatile("rdtsc" : "=a" (low), "=d" (high));
	return (u64)high << 32 | low;
}

#define DEFINE_CR(n)									\
	static inline u32 read_cr##n(void)						\
	{										\
		u32 value;								\
											\
		asm volatile("mov %%cr" #n ", %0" : "=r" (value) : : "memory");		\
		return value;								\
	}										\
	static inline void write_cr##n(u32 value)					\
	{										\
		asm volatile("mov %0, %%cr" #n : : "r" (value) : "memory");		\
	}
DEFINE_CR(0)
DEFINE_CR(2)
DEFINE_CR(3)
DEFINE_CR(4)

static inline u64 rdmsr(u32 msr)
{
	u32 low, high;

	asm volatile("rdmsr" : "=a" (low), "=d" (high) : "c" (msr));
	return (u64)high << 32 | low;
}

static inline void wrmsr(u32 msr, u64 value)
{
	asm volatile("wrmsr" : : "c" (msr), "a" ((u32)value), "d" ((u32)(value >> 32)) : "memory");
}

static inline void invlpg(u32 address)
{
	asm volatile("invlpg (%0)" : : "r" (address) : "memory");
}

/* ---- Memory: paging.c ---- */
/*
 * Zeroed pages of free memory, next to each other: their Guest-physical address, a multiple of
 * align.
 */
u32 guest_alloc(u32 pages, u32 align);

/* Where the 2-level entry for an address is, in a directory whose table is there. */
u32 *guest_pte(u32 *pgdir, u32 address);
/* Enters a page into a directory, with a table of its own if there is none; nothing is flushed. */
void guest_map(u32 *pgdir, u32 address, u32 entry);
/* A new directory with the same kernel half as ours, and nothing below it: Guest-physical. */
u32 guest_new_pgdir(void);
void guest_flush_all(void);

/*
 * Goes over to PAE paging, with NX or without: all of memory is mapped once more, by 2 MiB pages,
 * at the same two places. There is no way back.
 */
void guest_enter_pae(bool nx);
extern bool guest_has_pae, guest_has_nx;
/* The page-directory entry for an address, once in PAE paging. */
u64 *guest_pae_pde(u32 address);

/*
 * Both formats of paging under one name: entries have 32 or 64 bits, a page directory's entry
 * spans:
 */
u32 guest_large_size(void);
u64 guest_read_pde(u32 address);
void guest_write_pde(u32 address, u64 entry);
/* Entry `index` of the page table at this Guest-physical address. */
u64 guest_read_entry(u32 table, u32 index);
void guest_write_entry(u32 table, u32 index, u64 entry);
/* Which entry of its page table an address has. */
u32 guest_pte_index(u32 address);

void guest_main(void);

#endif /* LGUEST_TEST_GUEST_H */
