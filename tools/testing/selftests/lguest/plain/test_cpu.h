/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What drivers/lguest/env.h includes in userspace: as much of struct lg_cpu and struct lg_state as
 * the rooms of the virtual processor touch (names and types are those of lg.h and switcher.h), and
 * the surroundings that model.c makes for them: a small Guest memory, a page map in the place of
 * page tables, two devices, a lg_kill() that notes its sentence.
 */
#ifndef LGUEST_TEST_CPU_H
#define LGUEST_TEST_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <asm/lguest.h>
#include <linux/lguest.h>

#include "plain.h"
#include "walk.h"
#include "segments.h"
#include "trap.h"
#include "emulate.h"

#define READ_ONCE(x)		(*(volatile __typeof__(x) *)&(x))
#define clear_bit(n, p)		((void)(*(p) &= ~(1ul << (n))))
#define array_index_nospec(index, size) (index)
#define likely(x)		(x)
#define unlikely(x)		(x)
#define __ffs(x)		((unsigned int)__builtin_ctzl(x))

#define LG_LDT			(510 * 8)
#define LG_IDT_ENTRIES		256

struct lg_regs {
	u64 ax, bx, cx, dx, si, di, bp;
	u16 ds, es, fs, gs;
};

struct lg_frame {
	u64 ip, cs, flags, sp, ss;
};

struct lg_state {
	struct lg_regs regs;
	struct lg_frame frame;
	u16 guest_ldt;
	u64 gdt[2][512];
	u64 ldt[2][512];
};

struct lguest {
	int unused;
};

struct lg_cpu {
	struct lguest *lg;
	struct lg_state *state;
	u64 exit_dr6;
	bool user;
	struct lg_paging paging;
	u32 cr2;
	u8 no_fpu;
	bool virtual_if;
	struct lg_segments seg;
	u64 idt[LG_IDT_ENTRIES];
	bool idt_in_memory;
	u32 idt_base, idt_limit;
	struct lg_quick quick;
	u32 ss1, esp1;
	u8 iopl;
	bool sti_shadow, stepping;
	uint32_t sti_ip;
	u32 dr[8];
	u64 msr[LG_MSRS];
	struct lg_io io;
	u64 data_gpa;
	u32 noirq_iret;
	u8 first_irq_vector;
	unsigned long irqs_pending;
	bool told_pending;
	bool halted;
	bool no_memory, event_waits;
	u8 untold;
	struct lg_event event;
	struct lg_fault fault;
	struct lguest_exit exit;
};

/* What lg.h declares of other rooms; model.c has them. */
bool lg_gpa_ok(const struct lguest *lg, u64 gpa, u64 len);
int lg_read_gpa(struct lg_cpu *cpu, u64 gpa, void *to, size_t len);
int lg_write_gpa(struct lg_cpu *cpu, u64 gpa, const void *from, size_t len);
int lg_read_gva(struct lg_cpu *cpu, u64 gva, void *to, size_t len, u32 access);
int lg_write_gva(struct lg_cpu *cpu, u64 gva, const void *from, size_t len, u32 access);
int guest_pa(struct lg_cpu *cpu, u64 gva, u32 access, u64 *gpa);
/* What words.h has in the module. */
typedef u32 *lg_words_t;
bool lg_words_begin(struct lg_cpu *cpu, u32 gva, unsigned int count, u32 access, lg_words_t *words);
bool lg_data_begin(struct lg_cpu *cpu);
struct lguest_data *lg_data_user(struct lg_cpu *cpu);
#define lg_words_end()		((void)0)
#define lg_word_get(word, at, fault)							\
	do {										\
		if (!(at))								\
			goto fault;							\
		memcpy(&(word), (at), sizeof(u32));					\
	} while (0)
#define lg_word_put(word, at, fault)							\
	do {										\
		u32 word_ = (word);							\
											\
		if (!(at))								\
			goto fault;							\
		memcpy((at), &word_, sizeof(u32));					\
	} while (0)
int lg_shadow_load_cr3(struct lg_cpu *cpu, u64 cr3, bool flush);
int lg_shadow_set_mode(struct lg_cpu *cpu, u64 cr0, u64 cr4, u64 efer);
void lg_shadow_flush_gva(struct lg_cpu *cpu, u64 gva);
__attribute__((format(printf, 2, 3))) enum lg_next lg_kill(struct lg_cpu *cpu, const char *fmt,
							   ...);
u64 lg_wall_clock(void);
u64 lg_rdtsc(void);
void lg_cpuid(u32 reg[4]);
int lg_world_set_xcr0(struct lg_cpu *cpu, u64 xcr0);

#endif /* LGUEST_TEST_CPU_H */
