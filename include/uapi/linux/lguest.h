/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The Launcher-Host interface: what is written to and read from /dev/lguest. One open file is one
 * Guest; the file position is the number of the vCPU (0 is the only one so far).
 *
 * write() takes an array of words of the writing program's own size (4 bytes for a 32-bit program,
 * 8 for a 64-bit one): the request, then its arguments. It returns the number of bytes written or
 * fails with the errno named below, and then nothing has changed. read() runs the vCPU until the
 * Launcher is needed and fills a struct lguest_exit.
 *
 * Errors that any request may give: EINVAL (unknown request, too few or too many words, a value out
 * of range; any but INITIALIZE before INITIALIZE), EFAULT (the words cannot be read), ENOENT (the
 * Guest has ended).
 */
#ifndef _UAPI_LINUX_LGUEST_H
#define _UAPI_LINUX_LGUEST_H

#include <linux/types.h>

/*
 * Grows with each addition to this interface; nothing is ever taken away. Also in sysfs, as
 * abi_version.
 */
#define LGUEST_ABI_VERSION	1

/*
 * base, pfn limit, pgdir, start.
 *
 * base: address in the Launcher of Guest-physical 0, page aligned; the region may be populated
 * later, but lies in one writable mapping or several. pfn limit: size of Guest memory in pages, 1
 * to LGUEST_MAX_PFN. pgdir: Guest-physical address of the boot page directory, page aligned and
 * inside memory. start: address of the first instruction, which is physical and virtual at once,
 * inside memory. The calling task becomes the one that runs vCPU 0.
 *
 * EBUSY: initialised already. EINVAL: out of range, not aligned, region beyond the address space.
 * EFAULT: a part of the region is not mapped or not for writing, or its first page cannot be read and
 * written. ENOMEM. EINTR: a signal came.
 */
#define LHREQ_INITIALIZE	0
/* line: raises interrupt line 0 .. 31. From any task. */
#define LHREQ_IRQ		2
/*
 * on: 1 makes the running read(), and each later one, return with LGUEST_EXIT_BREAK, until 0 is
 * written. From any task.
 */
#define LHREQ_BREAK		3
/*
 * register (LGUEST_REG_*), address of a __u64 that gets its value. Only by the vCPU's task (EPERM).
 * EFAULT: not to be written there. ENOMEM: for a page of the Guest's, which has a part of the flags.
 */
#define LHREQ_GETREG		5
/*
 * register, value. Only by the vCPU's task (EPERM). What no Guest may have (flags; more than the
 * register's bits) is EINVAL.
 */
#define LHREQ_SETREG		6
/*
 * vector 0 .. 31: deliver this trap to the Guest before it goes on. Only by the vCPU's task
 * (EPERM). ENOMEM: one before it still waits for the Host's memory, which the next read() asks for.
 */
#define LHREQ_TRAP		7
/*
 * value [, high half]: answers the access that the last read() told of. No access has a high half so
 * far. EINVAL if none waits. Only by the vCPU's task (EPERM).
 */
#define LHREQ_ANSWER		8
/*
 * kind (LGUEST_SPACE_*), start, size, on: from now on (on 1) accesses to [start, start + size) of
 * memory outside the Guest's RAM, or of ports, end read() with LGUEST_EXIT_MEMORY or
 * LGUEST_EXIT_PORT; or no more (on 0, with the words that claimed it). What nobody claims reads as
 * all ones, and writes to it are lost. From any task.
 *
 * EINVAL: size 0, beyond 4 GiB or port 0xffff, memory that is RAM. EEXIST: overlaps another window.
 * ESRCH: no such one to remove. ENOSPC: too many.
 */
#define LHREQ_WINDOW		9
/*
 * line, eventfd, on: each time the eventfd is signalled, line 0 .. 31 is raised (as by LHREQ_IRQ),
 * or no more. From any task. EBADF: no eventfd. EBUSY: that pair is there already. ESRCH: no such
 * pair to remove. ENOSPC: too many.
 */
#define LHREQ_IRQFD		10
/*
 * kind (LGUEST_SPACE_*), address, size, eventfd, on: a write of this size (1, 2 or 4 bytes) to this
 * address, inside a window, signals the eventfd and does not end read(), or does so no more. The
 * value written is not told. From any task. EINVAL: not inside a window. EBADF: no eventfd. EEXIST:
 * address and size have one. ESRCH, ENOSPC as above.
 */
#define LHREQ_DOORBELL		11

/*
 * address, bytes: what the Guest is called by those who look at the Host; until then it has the
 * name of the program that initialised it. 1 to LGUEST_NAME_MAX - 1 bytes of any text without
 * control characters (EINVAL). EFAULT: not to be read there. From any task.
 */
#define LHREQ_NAME		12

/* Bytes of a name, its NUL included. */
#define LGUEST_NAME_MAX		64

#define LGUEST_SPACE_MEMORY	0
#define LGUEST_SPACE_PORT	1

/* 4 GiB of 4 KiB pages: all that a 32-bit Guest can name without PAE. */
#define LGUEST_MAX_PFN		0x100000

enum lguest_reg {
	LGUEST_REG_AX, LGUEST_REG_BX, LGUEST_REG_CX, LGUEST_REG_DX,
	LGUEST_REG_SI, LGUEST_REG_DI, LGUEST_REG_BP, LGUEST_REG_SP,
	LGUEST_REG_IP, LGUEST_REG_FLAGS,
	LGUEST_REG_CS, LGUEST_REG_SS, LGUEST_REG_DS, LGUEST_REG_ES, LGUEST_REG_FS, LGUEST_REG_GS,
	LGUEST_REG_CR0, LGUEST_REG_CR2, LGUEST_REG_CR3, LGUEST_REG_CR4,
	LGUEST_REG_LEVEL,	/* virtual privilege level: 1 kernel, 3 user; read only */
	LGUEST_REG_COUNT
};

enum lguest_exit_reason {
	LGUEST_EXIT_NOTIFY = 1, /* gpa: what LHCALL_NOTIFY said */
	LGUEST_EXIT_MEMORY, /* gpa, size, write, value: an access to a window of the Launcher's */
	LGUEST_EXIT_PORT,   /* gpa (the port), size, write, value */
	/* value: LGUEST_SHUTDOWN_*; text: the Guest's message. The Guest has ended. */
	LGUEST_EXIT_SHUTDOWN,
	/* text: the sentence, then registers and code, a line each. The Guest has ended. */
	LGUEST_EXIT_DEATH,
	LGUEST_EXIT_BREAK, /* LHREQ_BREAK is on */
};

/* Bytes of text, its NUL included. */
#define LGUEST_TEXT_MAX		976

/*
 * What read() fills. Its buffer holds at least this (else EINVAL). read() returns the bytes that
 * mean something: all up to the end of the text, which is empty unless the reason says otherwise.
 *
 * read() fails with EINVAL before INITIALIZE, EPERM in another task than the vCPU's, EINTR when a
 * signal came, ENOMEM when the Host has no memory for what the Guest touched (it touches it again at
 * the next read), EFAULT when the buffer cannot be written (the exit is kept for the next read). Once
 * the Guest has ended, each read() tells so again.
 */
struct lguest_exit {
	__u32 reason;			/* enum lguest_exit_reason */
	__u32 size;			/* of an access, in bytes: 1, 2 or 4 (8 is kept for later) */
	__u32 write; /* of an access: 1 the Guest writes, 0 it reads and waits for LHREQ_ANSWER */
	__u32 reserved;
	__aligned_u64 gpa;
	__aligned_u64 value;
	__aligned_u64 reserved2[2];
	char text[LGUEST_TEXT_MAX];
};

#endif /* _UAPI_LINUX_LGUEST_H */
