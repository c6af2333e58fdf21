// SPDX-License-Identifier: GPL-2.0
/*
 * The surroundings of the virtual processor in plain tests.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "model.h"

#define CHECK(condition)								\
	do {										\
		if (!(condition)) {							\
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);	\
			abort();							\
		}									\
	} while (0)

static struct model *model_of(const struct lg_cpu *cpu)
{
	return (struct model *)((char *)cpu - offsetof(struct model, cpu));
}

/* ---- Memory ---- */

bool lg_gpa_ok(const struct lguest *lg, u64 gpa, u64 len)
{
	return len <= MODEL_MEMORY && gpa <= MODEL_MEMORY - len;
}

static int access_gpa(struct lg_cpu *cpu, u64 gpa, size_t len)
{
	struct model *m = model_of(cpu);

	if (m->interfere)
		m->interfere(m);
	if (m->lacking && !--m->lacking) {
		m->lacking = 1;
		cpu->no_memory = true;
		return -ENOMEM;
	}
	return lg_gpa_ok(cpu->lg, gpa, len) ? 0 : -EFAULT;
}

int lg_read_gpa(struct lg_cpu *cpu, u64 gpa, void *to, size_t len)
{
	int err = access_gpa(cpu, gpa, len);

	if (!err)
		memcpy(to, model_of(cpu)->memory + gpa, len);
	return err;
}

int lg_write_gpa(struct lg_cpu *cpu, u64 gpa, const void *from, size_t len)
{
	int err = access_gpa(cpu, gpa, len);

	if (!err)
		memcpy(model_of(cpu)->memory + gpa, from, len);
	return err;
}

int guest_pa(struct lg_cpu *cpu, u64 gva, u32 access, u64 *gpa)
{
	static const struct model_page none;
	struct model *m = model_of(cpu);
	const struct model_page *page =
		gva / MODEL_PAGE <= MODEL_PAGES ? &m->page[gva / MODEL_PAGE] : &none;
	bool ok = page->present && (page->writable || !(access & LG_PF_WRITE)) &&
		  (page->user || !(access & LG_PF_USER));

	CHECK(gva <= U32_MAX);
	if (ok) {
		*gpa = gva;
		return 0;
	}
	cpu->fault = (struct lg_fault){
		.vector = LG_TRAP_PF,
		.has_error = true,
		.gva = gva,
		.error = (page->present ? LG_PF_PRESENT : 0) |
			 (access & (LG_PF_WRITE | LG_PF_USER)),
	};
	return -EFAULT;
}

static int access_gva(struct lg_cpu *cpu, u64 gva, u8 *bytes, size_t len, u32 access, bool write)
{
	u64 gpa, at;
	size_t part;
	int err;

	for (at = gva; at < gva + len; at += MODEL_PAGE - at % MODEL_PAGE) {
		if (guest_pa(cpu, at, access, &gpa))
			return -EFAULT;
	}
	for (; len; len -= part, gva += part, bytes += part) {
		part = MODEL_PAGE - gva % MODEL_PAGE < len ? MODEL_PAGE - gva % MODEL_PAGE : len;
		if (guest_pa(cpu, gva, access, &gpa))
			return -EFAULT;
		err = write ? lg_write_gpa(cpu, gpa, bytes, part) :
			      lg_read_gpa(cpu, gpa, bytes, part);
		if (err) {
			/* As mem.c has it for what is not memory. */
			cpu->fault = (struct lg_fault){
				.vector = LG_TRAP_PF,
				.has_error = true,
				.gva = gva,
				.error = LG_PF_PRESENT | LG_PF_RSVD |
					 (access & (LG_PF_WRITE | LG_PF_USER)),
			};
			return -EFAULT;
		}
	}
	return 0;
}

int lg_read_gva(struct lg_cpu *cpu, u64 gva, void *to, size_t len, u32 access)
{
	return access_gva(cpu, gva, to, len, access, false);
}

int lg_write_gva(struct lg_cpu *cpu, u64 gva, const void *from, size_t len, u32 access)
{
	return access_gva(cpu, gva, (u8 *)from, len, access | LG_PF_WRITE, true);
}

/* Not for all: so that what has to be done without is tried, too. */
bool lg_data_begin(struct lg_cpu *cpu)
{
	return !model_of(cpu)->interfere && !model_of(cpu)->lacking && cpu->data_gpa % 4 == 0 &&
	       lg_gpa_ok(cpu->lg, cpu->data_gpa, sizeof(struct lguest_data));
}

struct lguest_data *lg_data_user(struct lg_cpu *cpu)
{
	return (struct lguest_data *)(model_of(cpu)->memory + cpu->data_gpa);
}

bool lg_words_begin(struct lg_cpu *cpu, u32 gva, unsigned int count, u32 access, lg_words_t *words)
{
	struct lg_fault kept = cpu->fault;
	u64 gpa;

	if (!lg_data_begin(cpu) || gva % MODEL_PAGE > MODEL_PAGE - count * 4)
		return false;
	if (guest_pa(cpu, gva, access, &gpa) || !lg_gpa_ok(cpu->lg, gpa, count * 4)) {
		cpu->fault = kept;
		return false;
	}
	*words = (u32 *)(model_of(cpu)->memory + gpa);
	model_of(cpu)->words++;
	return true;
}

/* ---- Other rooms ---- */

int lg_shadow_load_cr3(struct lg_cpu *cpu, u64 cr3, bool flush)
{
	/* A CR3 that a PAE Guest could not load. */
	if (cr3 & 1)
		return -EFAULT;
	model_of(cpu)->loads_cr3++;
	cpu->paging.cr3 = cr3;
	return 0;
}

int lg_shadow_set_mode(struct lg_cpu *cpu, u64 cr0, u64 cr4, u64 efer)
{
	model_of(cpu)->modes++;
	cpu->paging.cr0 = cr0;
	cpu->paging.cr4 = cr4;
	cpu->paging.efer = efer;
	return 0;
}

void lg_shadow_flush_gva(struct lg_cpu *cpu, u64 gva)
{
	CHECK(gva <= U32_MAX);
	model_of(cpu)->flushes++;
	model_of(cpu)->flushed = gva;
}

bool lg_window_claims(struct lg_cpu *cpu, unsigned int kind, u64 addr, unsigned int size)
{
	if (kind == LGUEST_SPACE_PORT)
		return addr >= MODEL_PORT && addr + size <= MODEL_PORT + MODEL_PORTS;
	return addr >= MODEL_DEVICE && addr + size <= MODEL_DEVICE + MODEL_WINDOW;
}

bool lg_doorbell_rings(struct lg_cpu *cpu, unsigned int kind, u64 addr, unsigned int size)
{
	bool rings = kind == LGUEST_SPACE_MEMORY && addr == MODEL_DOORBELL && size == 4;

	model_of(cpu)->doorbells += rings;
	return rings;
}

enum lg_next lg_kill(struct lg_cpu *cpu, const char *fmt, ...)
{
	struct model *m = model_of(cpu);
	va_list args;

	if (m->dead || cpu->no_memory)
		return LG_LAUNCHER;
	va_start(args, fmt);
	vsnprintf(m->sentence, sizeof(m->sentence), fmt, args);
	va_end(args);
	m->dead = true;
	cpu->exit = (struct lguest_exit){ .reason = LGUEST_EXIT_DEATH };
	return LG_LAUNCHER;
}

u64 lg_wall_clock(void)
{
	return 1000000000999999999ull;
}

u64 lg_rdtsc(void)
{
	return 0x123456789abcdef0ull;
}

void lg_cpuid(u32 reg[4])
{
	reg[0] = 7;
	reg[1] = 0x11111111;
	reg[2] = 0x22222222;
	reg[3] = 0x33333333;
}

int lg_world_set_xcr0(struct lg_cpu *cpu, u64 xcr0)
{
	return xcr0 & 1 ? 0 : -EINVAL;
}

/* ---- Start ---- */

void model_start(struct model *m)
{
	unsigned int i;

	memset(m, 0, sizeof(*m));
	m->cpu.lg = &m->lg;
	m->cpu.state = &m->state;
	m->cpu.virtual_if = true;
	m->cpu.first_irq_vector = LGUEST_FIRST_IRQ_VECTOR;
	m->cpu.paging.cr0 = LG_CR0_PE | LG_CR0_PG | LG_CR0_WP | LG_CR0_ET | LG_CR0_NE;
	lg_segment_set(&m->cpu, LG_SEL_INDEX(MODEL_KERNEL_CS), MODEL_CODE32);
	lg_segment_set(&m->cpu, LG_SEL_INDEX(MODEL_KERNEL_DS), MODEL_DATA32);
	lg_segment_set(&m->cpu, LG_SEL_INDEX(MODEL_USER_CS), MODEL_CODE32 | MODEL_DPL3);
	lg_segment_set(&m->cpu, LG_SEL_INDEX(MODEL_USER_DS), MODEL_DATA32 | MODEL_DPL3);
	lg_seg_put(&m->cpu, LG_SREG_CS, MODEL_KERNEL_CS);
	lg_seg_put(&m->cpu, LG_SREG_SS, MODEL_KERNEL_DS);
	lg_seg_put(&m->cpu, LG_SREG_DS, MODEL_KERNEL_DS);
	lg_seg_put(&m->cpu, LG_SREG_ES, MODEL_KERNEL_DS);
	m->state.frame.flags = LG_FLAGS_FIXED | LG_FLAGS_IF;
	for (i = 0; i <= MODEL_PAGES; i++)
		m->page[i] = (struct model_page){ true, true, true };
	lg_msr_reset(&m->cpu);
}

void model_to_user(struct model *m)
{
	m->cpu.user = true;
	lg_seg_put(&m->cpu, LG_SREG_CS, MODEL_USER_CS);
	lg_seg_put(&m->cpu, LG_SREG_SS, MODEL_USER_DS);
	lg_seg_put(&m->cpu, LG_SREG_DS, MODEL_USER_DS);
	lg_seg_put(&m->cpu, LG_SREG_ES, MODEL_USER_DS);
}

void model_set_page(struct model *m, u32 gva, bool present, bool writable, bool user)
{
	m->page[gva / MODEL_PAGE] = (struct model_page){ present, writable, user };
}

u32 model_read32(struct model *m, u32 gpa)
{
	u32 value;

	memcpy(&value, m->memory + gpa, 4);
	return value;
}

void model_write32(struct model *m, u32 gpa, u32 value)
{
	memcpy(m->memory + gpa, &value, 4);
}

/* ---- What must always hold ---- */

/* S3, said differently from how segments.c does it. */
static bool harmless(u64 desc)
{
	unsigned int access = desc >> 40 & 0xff;

	if (!desc)
		return true;
	/* Code or data, DPL 3, accessed; no 64-bit code. */
	return (access & 0x10) && (access & 0x60) == 0x60 && (access & 1) && !(desc >> 53 & 1);
}

void model_check(struct model *m, enum lg_next next)
{
	struct lg_cpu *cpu = &m->cpu;
	unsigned int i, level;
	enum lg_sreg reg;

	CHECK((next == LG_LAUNCHER) == (cpu->exit.reason != 0) || cpu->no_memory);
	CHECK(cpu->io.count <= LG_IO_LOG);
	for (level = 0; level < 2; level++) {
		for (i = 0; i < LG_SEG_GDT_ENTRIES; i++)
			CHECK(harmless(m->state.gdt[level][i]));
		for (i = 0; i < LG_SEG_LDT_ENTRIES; i++)
			CHECK(harmless(m->state.ldt[level][i]));
		/* The slots above are the switcher's, but for the LDT's. */
		for (i = LG_SEG_GDT_ENTRIES; i < LG_LDT / 8; i++)
			CHECK(!m->state.gdt[level][i]);
		CHECK(!m->state.gdt[level][0]);
		/*
		 * No user code can be executed at kernel level, nor kernel code at user level (see
		 * the next).
		 */
	}
	if (m->dead)
		return;
	CHECK((m->state.frame.cs & 3) == 3 && (m->state.frame.ss & 3) == 3);
	CHECK(lg_desc_loadable(lg_seg_running(cpu, LG_SREG_CS), LG_SREG_CS));
	CHECK(lg_desc_loadable(lg_seg_running(cpu, LG_SREG_SS), LG_SREG_SS));
	for (reg = LG_SREG_ES; cpu->user && reg < LG_SREGS; reg++) {
		if (lg_seg_get(cpu, reg) & ~LG_SEL_RPL)
			CHECK(lg_desc_loadable(lg_seg_running(cpu, reg), reg));
	}
	CHECK(m->state.frame.flags & LG_FLAGS_IF);
	CHECK(!(m->state.frame.flags & (LG_FLAGS_IOPL | LG_FLAGS_VM | LG_FLAGS_NT)));
}
