// SPDX-License-Identifier: GPL-2.0
/* The sandbox: see sandbox.h. */
#include <cap-ng.h>
#include <errno.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <asm/termbits.h>
#include <linux/if_tun.h>

#include "sandbox.h"
#include "util.h"

/* With any arguments. Files and sockets are those that are open already. */
/* clang-format off */
static const int allowed[] = {
	/* The Guest: requests and running; eventfds; terminal and files. */
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev),
	SCMP_SYS(pread64), SCMP_SYS(pwrite64), SCMP_SYS(preadv),
	SCMP_SYS(pwritev), SCMP_SYS(poll), SCMP_SYS(ppoll),
	/* Disks. */
	SCMP_SYS(fdatasync), SCMP_SYS(fallocate),
	/* passt. */
	SCMP_SYS(sendto), SCMP_SYS(recvfrom),
	/* The entropy source, and the C library's own. */
	SCMP_SYS(getrandom),
	/* Signals; threads, one that has only just been started too. */
	SCMP_SYS(futex), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(restart_syscall), SCMP_SYS(sched_yield),
	SCMP_SYS(rseq), SCMP_SYS(set_robust_list),
	/* Memory of the C library's. */
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(madvise),
	/* Ending, in order or not. */
	SCMP_SYS(close), SCMP_SYS(exit), SCMP_SYS(exit_group),
	SCMP_SYS(alarm), SCMP_SYS(getpid), SCMP_SYS(gettid),
	SCMP_SYS(rt_sigaction), SCMP_SYS(fstat), SCMP_SYS(newfstatat),
};
/* clang-format on */

/* Newer C libraries ask terminals by the second three. */
static const unsigned int ioctls[] = {
	TCGETS, TCSETS, TCSETSW, TCGETS2, TCSETS2, TCSETSW2, TIOCGPGRP, TIOCGWINSZ, TUNSETOFFLOAD,
};

/* 0 or a negative errno. */
static int add_rules(scmp_filter_ctx filter)
{
	int err = 0;
	size_t i;

	/* Threads that run already as well; and a tree instead of a list. */
	err |= seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	err |= seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (i = 0; i < ARRAY_SIZE(allowed); i++)
		err |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	for (i = 0; i < ARRAY_SIZE(ioctls); i++)
		err |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
					SCMP_A1(SCMP_CMP_EQ, ioctls[i]));
	/* A signal to itself: abort(). */
	err |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
				SCMP_A0(SCMP_CMP_EQ, getpid()));
	/* Memory, but no code. */
	err |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
				SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	err |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
				SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	return err ? err : seccomp_load(filter);
}

int sandbox_drop_rights(struct lguest_error *error)
{
	capng_select_t sets = CAPNG_SELECT_CAPS;

	/* The bounding set is only a privileged process's to change. */
	if (!capng_get_caps_process() && capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP))
		sets = CAPNG_SELECT_BOTH;
	capng_clear(CAPNG_SELECT_BOTH);
	if (capng_apply(sets))
		return lguest_fail(error, "capabilities: %s; try --no-sandbox", strerror(errno));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return lguest_fail(error, "no_new_privs: %s; try --no-sandbox", strerror(errno));
	return 0;
}

int sandbox_enter(struct lguest_error *error)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int err = filter ? add_rules(filter) : -ENOMEM;

	if (filter)
		seccomp_release(filter);
	if (err)
		return lguest_fail(error, "seccomp: %s; try --no-sandbox", strerror(-err));
	return 0;
}
