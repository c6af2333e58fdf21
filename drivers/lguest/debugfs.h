/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The inside of the observer: what the files debugfs*.c share. Nobody else
 * includes this.
 *
 * A reader is any task of root's, at any time. It holds a reference to the
 * Guest while its file is open, and lg->alive (for reading) while it looks: so
 * what it looks at cannot go away under it, and a Guest that goes away waits
 * for at most one read() of each reader. Nothing here writes to the Guest,
 * brings its memory back from swap, or keeps its vCPU from running.
 */
#ifndef _LGUEST_DEBUGFS_H
#define _LGUEST_DEBUGFS_H

#include <linux/fs.h>
#include <linux/module.h>
#include <linux/seq_file.h>

#include "lg.h"

/* One open file: what seq_file has as its private data, or begins with. */
struct lg_look {
	struct lguest *lg; /* a reference is held */
	struct lg_cpu *cpu;
};

/*
 * Opens with `size` bytes of private data, zeroed, that begin with a struct
 * lg_look. 0, or -ENOMEM.
 */
int lg_look_open(struct inode *inode, struct file *file,
		 const struct seq_operations *ops, size_t size);
int lg_look_release(struct inode *inode, struct file *file);

/* 0 with lg->alive held for reading, or -ENODEV with nothing held. */
int lg_look_begin(struct lguest *lg);
void lg_look_end(struct lguest *lg);

/* seq_operations of files with one record. */
void *lg_look_start(struct seq_file *m, loff_t *pos);
void *lg_look_next(struct seq_file *m, void *v, loff_t *pos);
void lg_look_stop(struct seq_file *m, void *v);

#define LG_LOOK_FOPS(name)                                          \
	static const struct file_operations name##_fops = {         \
		.owner = THIS_MODULE,                               \
		.open = name##_open,                                \
		.read = seq_read,                                   \
		.llseek = seq_lseek,                                \
		.release = lg_look_release,                         \
	}

/* name_fops from name_show(m, v), which makes the one record. */
#define LG_LOOK_AT(name)                                                  \
	static const struct seq_operations name##_ops = {                 \
		.start = lg_look_start,                                   \
		.next = lg_look_next,                                     \
		.stop = lg_look_stop,                                     \
		.show = name##_show,                                      \
	};                                                                \
	static int name##_open(struct inode *inode, struct file *file)    \
	{                                                                 \
		return lg_look_open(inode, file, &name##_ops,             \
				    sizeof(struct lg_look));              \
	}                                                                 \
	LG_LOOK_FOPS(name)

/* A file of a folder. */
struct lg_look_file {
	const char *name;
	umode_t mode;
	const struct file_operations *fops;
};

/* The files of a vCPU's folder; the last one has no name. */
extern const struct lg_look_file lg_look_cpu_files[]; /* debugfs_cpu.c */
extern const struct lg_look_file lg_look_table_files[]; /* debugfs_tables.c */

/* A piece of Guest memory by its virtual address: how many bytes were read. */
size_t lg_look_gva(struct lg_cpu *cpu, const struct lg_paging *paging, u64 gva,
		   void *to, size_t len);
/* The Guest's paging registers, all of one moment. */
void lg_look_paging(struct lguest *lg, struct lg_paging *paging);

#endif /* _LGUEST_DEBUGFS_H */
