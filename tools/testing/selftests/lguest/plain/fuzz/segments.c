// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzz target: descriptor tables of every sort, loaded and changed in any order, while segment
 * registers hold what they hold. Whatever the Guest does, the running tables are vetted (S3), and
 * what was loaded at a level can be loaded there again.
 */
#include "input.h"
#include "model.h"

#define EVENTS	64

static struct model m;
static struct lg_cpu *const cpu = &m.cpu;

static void interfere(struct model *model)
{
	u64 z = model->random += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z ^= z >> 31;
	if (z % 4 == 0)
		memcpy(model->memory + (z >> 8) % (MODEL_MEMORY - 8), &z, 8);
}

/* What the hardware does with a selector at the level: load it, or not. */
static void load(enum lg_sreg reg, u16 sel)
{
	u16 old = lg_seg_get(cpu, reg);

	lg_seg_put(cpu, reg, sel);
	if ((sel & ~LG_SEL_RPL || reg == LG_SREG_CS || reg == LG_SREG_SS) &&
	    !lg_desc_loadable(lg_seg_running(cpu, reg), reg))
		lg_seg_put(cpu, reg, old);
}

static u16 selector(struct input *in)
{
	u16 sel = input16(in);

	return sel & 0x8000 ? sel : sel % (32 * 8);
}

static void event(struct input *in)
{
	u8 what = input8(in);
	u64 desc;
	u32 at;

	switch (what % 12) {
	case 0:
		lg_segment_set(cpu, input16(in) % LG_SEG_GDT_ENTRIES, input64(in));
		break;
	case 1:
		lg_segment_set(cpu, input8(in) % 32,
			       input64(in) | LG_DESC_SEGMENT | LG_DESC_PRESENT);
		break;
	case 2:
		at = input32(in);
		lg_seg_load_gdt(cpu, what & 0x80 ? at : at % MODEL_MEMORY, input16(in));
		break;
	case 3:
		/* An LDT in memory, and its descriptor. */
		at = input32(in) % MODEL_MEMORY;
		lg_segment_set(cpu, 17,
			       (u64)input16(in) | (u64)(at & 0xffffff) << 16 | 0x82ull << 40);
		lg_seg_load_ldt(cpu, 17 * 8);
		break;
	case 4:
		lg_seg_load_ldt(cpu, selector(in));
		break;
	case 5:
		lg_seg_load_tr(cpu, selector(in));
		break;
	case 6:
	case 7:
		load(input8(in) % LG_SREGS, selector(in));
		break;
	case 8:
		lg_seg_refresh(cpu, selector(in));
		break;
	case 9:
		lg_seg_fetch(cpu, selector(in), &desc);
		break;
	case 10:
		at = input32(in) % (MODEL_MEMORY - 32);
		input_bytes(in, m.memory + at, 32);
		lg_seg_sync(cpu);
		break;
	default:
		lg_seg_release(cpu);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct input in = { bytes, len };
	unsigned int i;
	u32 linear;

	model_start(&m);
	m.random = input64(&in);
	if (m.random & 1)
		m.interfere = interfere;
	for (i = 0; i < EVENTS && in.left; i++) {
		event(&in);
		model_check(&m, LG_RUN);
		lg_seg_linear(cpu, input8(&in) % LG_SREGS, input32(&in), 1 + input8(&in) % 20,
			      input8(&in), &linear);
	}
	return 0;
}
