// SPDX-License-Identifier: GPL-2.0
/*
 * Address translation in debugfs: the Guest's own page tables, both views of
 * the shadow, and the walk of one address. debugfs.h has the rules for readers.
 *
 * The Guest's tables are read as they stand, a table at a time, and nothing is
 * set in them: no accessed, no dirty. A table that is not in the Host's memory
 * at the moment stays where it is; the file says so.
 */
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "debugfs.h"

/* ---- Guest memory, for who is not the vCPU ---- */

void lg_look_paging(struct lguest *lg, struct lg_paging *paging)
{
	lg_shadow_get_paging(&lg->cpu, paging);
}

size_t lg_look_gva(struct lg_cpu *cpu, const struct lg_paging *paging, u64 gva,
		   void *to, size_t len)
{
	struct lg_translation t;
	struct lg_fault fault;
	size_t part, done;

	for (done = 0; done < len; done += part) {
		part = min_t(size_t, len - done,
			     PAGE_SIZE - offset_in_page(gva + done));
		if (lg_walk(cpu, paging, (u32)(gva + done), LG_WALK_LOOK, &t,
			    &fault) ||
		    lg_peek_gpa(cpu->lg, t.gpa, to + done, part))
			break;
	}
	return done;
}

/* ---- Ranges, one a line ---- */

/*
 * An open file whose lines are ranges. `piece` is what a source has found and
 * `line` what has become of pieces that belong together. The line of position
 * `index` (the first one after a heading has 1) is kept, as seq_file may ask
 * for it again.
 */
struct range_look {
	struct lg_look look;
	/* The next piece at or behind *gva, which moves on. False: no more. */
	bool (*source)(struct range_look *ranges, u64 *gva,
		       struct lg_piece *piece);
	struct lg_paging paging;
	u64 gva;
	enum lg_view view;
	struct lg_piece line, piece;
	bool has_line, has_piece;
	loff_t index;
	/* The Guest's tables on the way to gva: [0] the lowest. */
	struct {
		u64 gpa;
		bool valid;
		u8 page[PAGE_SIZE];
	} table[4];
};

static bool belong_together(const struct lg_piece *a, const struct lg_piece *b)
{
	return a->flags == b->flags && a->view == b->view &&
	       a->page_shift == b->page_shift && a->end + 1 == b->start &&
	       (a->flags & LG_PIECE_LOST ||
		a->gpa + (a->end + 1 - a->start) == b->gpa);
}

static void next_line(struct range_look *r)
{
	r->has_line = false;
	for (;;) {
		if (!r->has_piece) {
			if (!r->source(r, &r->gva, &r->piece))
				return;
			r->has_piece = true;
		}
		if (!r->has_line) {
			r->line = r->piece;
			r->has_line = true;
		} else if (belong_together(&r->line, &r->piece)) {
			r->line.end = r->piece.end;
		} else {
			return;
		}
		r->has_piece = false;
		cond_resched();
		if (signal_pending(current))
			return;
	}
}

static void *line_at(struct range_look *r, loff_t pos)
{
	if (!pos)
		return SEQ_START_TOKEN;
	while (r->index < pos) {
		if (r->index && !r->has_line)
			return NULL;
		next_line(r);
		r->index++;
	}
	return r->index == pos && r->has_line ? &r->line : NULL;
}

static void *ranges_start(struct seq_file *m, loff_t *pos)
{
	struct range_look *r = m->private;
	unsigned int i;

	down_read(&r->look.lg->alive);
	if (r->look.lg->gone)
		return ERR_PTR(-ENODEV);
	if (*pos < r->index || !*pos) {
		lg_look_paging(r->look.lg, &r->paging);
		r->gva = 0;
		r->view = LG_VIEW_KERNEL;
		r->has_line = false;
		r->has_piece = false;
		r->index = 0;
		for (i = 0; i < ARRAY_SIZE(r->table); i++)
			r->table[i].valid = false;
	}
	return line_at(r, *pos);
}

static void *ranges_next(struct seq_file *m, void *v, loff_t *pos)
{
	return line_at(m->private, ++*pos);
}

static void show_piece(struct seq_file *m, const struct lg_piece *p)
{
	static const char units[] = "KMG";
	unsigned int unit = (p->page_shift - 10) / 10;

	seq_printf(m, "%08llx-%08llx %8lluK", p->start, p->end,
		   (p->end + 1 - p->start) >> 10);
	if (p->flags & LG_PIECE_LOST) {
		seq_printf(m, " the table at %08llx cannot be read\n", p->gpa);
		return;
	}
	seq_printf(m, " %08llx r%c%c %s %u%c%s%s%s%s\n", p->gpa,
		   p->flags & LG_PIECE_WRITE ? 'w' : '-',
		   p->flags & LG_PIECE_NX ? '-' : 'x',
		   p->flags & LG_PIECE_USER ? "user" : "kernel",
		   1u << (p->page_shift - 10 * (unit + 1)), units[unit],
		   p->flags & LG_PIECE_GLOBAL ? " global" : "",
		   p->flags & LG_PIECE_UNCACHED ? " uncached" : "",
		   p->flags & LG_PIECE_THROUGH ? " writethrough" : "",
		   p->flags & LG_PIECE_OUTSIDE ? " outside" : "");
}

static int open_ranges(struct inode *inode, struct file *file,
		       const struct seq_operations *ops,
		       bool (*source)(struct range_look *ranges, u64 *gva,
				      struct lg_piece *piece))
{
	struct range_look *r;
	int err;

	err = lg_look_open(inode, file, ops, sizeof(*r));
	if (err)
		return err;
	r = ((struct seq_file *)file->private_data)->private;
	r->source = source;
	return 0;
}

/* ---- pagetables ---- */

/* How tables of a format lie: what walk.c has for the walk (SDM vol. 3, 4). */
struct tables {
	u8 levels; /* in memory */
	u8 index_bits;
	u8 entry_size;
};

static struct tables tables_of(const struct lg_paging *paging)
{
	switch (paging->format) {
	case LG_FMT_2LEVEL:
		return (struct tables){ 2, 10, 4 };
	case LG_FMT_PAE:
		return (struct tables){ 2, 9, 8 };
	case LG_FMT_4LEVEL:
		return (struct tables){ 4, 9, 8 };
	default:
		return (struct tables){};
	}
}

/* The entry for gva in a table; false: the table cannot be read. */
static bool read_entry(struct range_look *r, unsigned int level, u64 table,
		       unsigned int index, unsigned int size, u64 *entry)
{
	const u8 *at = r->table[level].page + index * size;

	if (!r->table[level].valid || r->table[level].gpa != table) {
		r->table[level].gpa = table;
		r->table[level].valid =
			!lg_peek_gpa(r->look.lg, table, r->table[level].page,
				     PAGE_SIZE);
		if (!r->table[level].valid)
			return false;
	}
	*entry = size == 8 ? *(const u64 *)at : *(const u32 *)at;
	return true;
}

static u32 piece_flags(u64 rights, u64 nx, u64 leaf)
{
	return (rights & LG_PTE_WRITE ? LG_PIECE_WRITE : 0) |
	       (rights & LG_PTE_USER ? LG_PIECE_USER : 0) |
	       (nx & LG_PTE_NX ? LG_PIECE_NX : 0) |
	       (leaf & _PAGE_GLOBAL ? LG_PIECE_GLOBAL : 0) |
	       (leaf & _PAGE_PCD ? LG_PIECE_UNCACHED : 0) |
	       (leaf & _PAGE_PWT ? LG_PIECE_THROUGH : 0);
}

/* Paging is off: each address is its own. */
static bool no_paging(u64 *gva, struct lg_piece *piece)
{
	if (*gva)
		return false;
	*gva = 1ULL << 32;
	*piece = (struct lg_piece){
		.end = U32_MAX,
		.flags = LG_PIECE_WRITE | LG_PIECE_USER,
		.page_shift = PAGE_SHIFT,
	};
	return true;
}

/*
 * The Guest's next page. What a walk would not get through, or cannot be read,
 * is passed over as a whole, whatever the level.
 */
static bool guest_source(struct range_look *r, u64 *gva, struct lg_piece *piece)
{
	const struct lg_paging *paging = &r->paging;
	struct tables f = tables_of(paging);
	u64 top, table, entry, rights, nx, size, gpa;
	unsigned int level, shift, index;
	bool large;

	if (!f.levels)
		return no_paging(gva, piece);
	/* What 32 bits name; of four levels, the lower half. */
	top = paging->format == LG_FMT_4LEVEL ? 1ULL << 47 : 1ULL << 32;

again:
	if (*gva >= top || signal_pending(current))
		return false;
	rights = LG_PTE_WRITE | LG_PTE_USER;
	nx = 0;
	entry = paging->cr3;
	if (paging->format == LG_FMT_PAE) {
		entry = paging->pdpte[*gva >> 30];
		if (!(entry & LG_PTE_PRESENT)) {
			*gva = ((*gva >> 30) + 1) << 30;
			goto again;
		}
	}
	gpa = lg_table_gpa(paging, entry);
	for (level = f.levels - 1;; level--) {
		table = gpa;
		shift = PAGE_SHIFT + f.index_bits * level;
		size = 1ULL << shift;
		index = *gva >> shift & ((1u << f.index_bits) - 1);
		*piece = (struct lg_piece){ .start = *gva & ~(size - 1) };
		if (!read_entry(r, level, table, index, f.entry_size,
				&entry)) {
			/* All that the table is for. */
			size <<= f.index_bits;
			piece->start = *gva & ~(size - 1);
			piece->end = piece->start + size - 1;
			piece->gpa = table;
			piece->flags = LG_PIECE_LOST;
			*gva = piece->start + size;
			return true;
		}
		if (!lg_walk_entry(paging, level, entry, &gpa, &large)) {
			*gva = piece->start + size;
			cond_resched();
			goto again;
		}
		rights &= entry;
		nx |= entry;
		if (large || !level)
			break;
	}

	piece->end = piece->start + size - 1;
	piece->page_shift = shift;
	piece->gpa = gpa;
	piece->flags = piece_flags(rights, nx, entry);
	if (!lg_gpa_ok(r->look.lg, piece->gpa, size))
		piece->flags |= LG_PIECE_OUTSIDE;
	*gva = piece->start + size;
	return true;
}

static const char *const format_names[] = {
	[LG_FMT_NONE] = "off",
	[LG_FMT_2LEVEL] = "2-level",
	[LG_FMT_PAE] = "PAE",
	[LG_FMT_4LEVEL] = "4-level",
};

static int pagetables_show(struct seq_file *m, void *v)
{
	struct range_look *r = m->private;

	if (v == SEQ_START_TOKEN)
		seq_printf(m, "paging %s cr3 %08llx\n",
			   format_names[r->paging.format], r->paging.cr3);
	else
		show_piece(m, v);
	return 0;
}

static const struct seq_operations pagetables_ops = {
	.start = ranges_start,
	.next = ranges_next,
	.stop = lg_look_stop,
	.show = pagetables_show,
};

static int pagetables_open(struct inode *inode, struct file *file)
{
	return open_ranges(inode, file, &pagetables_ops, guest_source);
}

LG_LOOK_FOPS(pagetables);

/* ---- shadow ---- */

static const char *const view_names[] = {
	[LG_VIEW_KERNEL] = "kernel",
	[LG_VIEW_USER] = "user",
};

static bool shadow_source(struct range_look *r, u64 *gva,
			  struct lg_piece *piece)
{
	for (; r->view < LG_VIEWS; r->view++, *gva = 0) {
		while (*gva < 1ULL << 32) {
			if (lg_shadow_look(r->look.cpu, r->view, gva, piece))
				return true;
			cond_resched();
		}
	}
	return false;
}

static int shadow_show(struct seq_file *m, void *v)
{
	struct range_look *r = m->private;
	const struct lg_piece *piece = v;
	struct lg_shadow_view_size size;
	enum lg_view view;

	if (v != SEQ_START_TOKEN) {
		seq_printf(m, "%-6s ", view_names[piece->view]);
		show_piece(m, piece);
		return 0;
	}
	for (view = 0; view < LG_VIEWS; view++) {
		lg_shadow_get_view_size(r->look.cpu, view, &size);
		seq_printf(m, "%s view: %u shadow pages of level 2, %u of level 1, %u entries\n",
			   view_names[view], size.pages[1], size.pages[0],
			   size.entries);
	}
	return 0;
}

static const struct seq_operations shadow_ops = {
	.start = ranges_start,
	.next = ranges_next,
	.stop = lg_look_stop,
	.show = shadow_show,
};

static int shadow_open(struct inode *inode, struct file *file)
{
	return open_ranges(inode, file, &shadow_ops, shadow_source);
}

LG_LOOK_FOPS(shadow);

/* ---- translate ---- */

struct translate_look {
	struct lg_look look;
	bool written; /* through this file */
	u64 gva;
};

static void show_entry(struct seq_file *m, unsigned int level, u64 table,
		       u64 entry)
{
	seq_printf(m, "level %u table %08llx entry %08llx", level + 1, table,
		   entry);
	if (!(entry & LG_PTE_PRESENT)) {
		seq_puts(m, " absent\n");
		return;
	}
	seq_printf(m, " %s %s%s%s%s%s%s%s%s\n",
		   entry & LG_PTE_WRITE ? "rw" : "ro",
		   entry & LG_PTE_USER ? "user" : "kernel",
		   entry & LG_PTE_NX ? " nx" : "",
		   entry & LG_PTE_ACCESSED ? " accessed" : "",
		   entry & LG_PTE_DIRTY ? " dirty" : "",
		   level && entry & LG_PTE_LARGE ? " large" : "",
		   entry & _PAGE_GLOBAL ? " global" : "",
		   entry & _PAGE_PCD ? " uncached" : "",
		   entry & _PAGE_PWT ? " writethrough" : "");
}

/* The Guest's tables, level by level, as far as the walk came. */
static void show_walk(struct seq_file *m, struct lg_cpu *cpu, u64 gva)
{
	struct lg_translation t = {};
	struct lg_paging paging;
	struct lg_fault fault = {};
	int err, i;

	lg_look_paging(cpu->lg, &paging);
	err = lg_walk(cpu, &paging, gva, LG_WALK_LOOK, &t, &fault);
	seq_printf(m, "address %08llx paging %s\n", gva,
		   format_names[paging.format]);
	if (paging.format == LG_FMT_PAE)
		seq_printf(m, "pdpte %llu %016llx\n", gva >> 30 & 3,
			   paging.pdpte[gva >> 30 & 3]);
	for (i = ARRAY_SIZE(t.table) - 1; i >= 0; i--) {
		if (t.table[i])
			show_entry(m, i, t.table[i], t.entry[i]);
	}

	if (err == -EFAULT)
		seq_printf(m, "guest: page fault, error %x\n", fault.error);
	else if (err)
		seq_puts(m, "guest: a table cannot be read\n");
	else
		seq_printf(m, "guest: %08llx r%c%c %s%s\n", t.gpa,
			   t.writable ? 'w' : '-', t.nx ? '-' : 'x',
			   t.user ? "user" : "kernel",
			   lg_gpa_ok(cpu->lg, t.gpa, 1) ? "" : " outside");
}

static bool look_at_page(struct lg_cpu *cpu, enum lg_view view, u64 gva,
			 struct lg_piece *piece)
{
	u64 next = gva;

	return lg_shadow_look(cpu, view, &next, piece) && piece->start <= gva;
}

static void show_views(struct seq_file *m, struct lg_cpu *cpu, u64 gva)
{
	struct lg_piece piece[LG_VIEWS];
	bool present[LG_VIEWS];
	enum lg_view view;

	for (view = 0; view < LG_VIEWS; view++) {
		present[view] = look_at_page(cpu, view, gva, &piece[view]);
		seq_printf(m, "%s view: ", view_names[view]);
		if (present[view])
			seq_printf(m, "%08llx r%c%c\n",
				   piece[view].gpa + (gva - piece[view].start),
				   piece[view].flags & LG_PIECE_WRITE ? 'w' :
									'-',
				   piece[view].flags & LG_PIECE_NX ? '-' : 'x');
		else
			seq_puts(m, "no entry\n");
	}
	if (present[LG_VIEW_KERNEL] != present[LG_VIEW_USER])
		seq_printf(m, "differ: only the %s view has an entry\n",
			   view_names[present[LG_VIEW_USER]]);
	else if (present[LG_VIEW_KERNEL] &&
		 piece[LG_VIEW_KERNEL].gpa - piece[LG_VIEW_KERNEL].start !=
			 piece[LG_VIEW_USER].gpa - piece[LG_VIEW_USER].start)
		seq_puts(m, "differ: the frame\n");
	else if (present[LG_VIEW_KERNEL] &&
		 piece[LG_VIEW_KERNEL].flags != piece[LG_VIEW_USER].flags)
		seq_puts(m, "differ: the rights\n");
}

static int translate_show(struct seq_file *m, void *v)
{
	struct translate_look *t = m->private;
	struct lg_cpu *cpu = t->look.cpu;
	u64 gva = t->written ? t->gva : READ_ONCE(cpu->look_at);

	show_walk(m, cpu, gva);
	show_views(m, cpu, gva);
	return 0;
}

static const struct seq_operations translate_ops = {
	.start = lg_look_start,
	.next = lg_look_next,
	.stop = lg_look_stop,
	.show = translate_show,
};

static int translate_open(struct inode *inode, struct file *file)
{
	return lg_look_open(inode, file, &translate_ops,
			    sizeof(struct translate_look));
}

/*
 * An address in hexadecimal. It holds for this open file, and for those that
 * are opened later (echo and cat are two) until there is another one.
 */
static ssize_t translate_write(struct file *file, const char __user *in,
			       size_t size, loff_t *off)
{
	struct seq_file *m = file->private_data;
	struct translate_look *t = m->private;
	u64 gva;
	int err;

	err = kstrtou64_from_user(in, size, 16, &gva);
	if (err)
		return err;
	if (gva > U32_MAX)
		return -EINVAL;
	/* In the order of a read, which has m->lock before lg_look_start(). */
	mutex_lock(&m->lock);
	err = lg_look_begin(t->look.lg);
	if (!err) {
		t->gva = gva;
		t->written = true;
		WRITE_ONCE(t->look.cpu->look_at, gva);
		lg_look_end(t->look.lg);
	}
	mutex_unlock(&m->lock);
	return err ?: size;
}

static const struct file_operations translate_fops = {
	.owner = THIS_MODULE,
	.open = translate_open,
	.read = seq_read,
	.write = translate_write,
	.llseek = seq_lseek,
	.release = lg_look_release,
};

const struct lg_look_file lg_look_table_files[] = {
	{ "pagetables", 0400, &pagetables_fops },
	{ "shadow", 0400, &shadow_fops },
	{ "translate", 0600, &translate_fops },
	{}
};
