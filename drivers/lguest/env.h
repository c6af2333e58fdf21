/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What surrounds the rooms of the virtual processor: segments.c, trap.c, lines.c, decode.c and the
 * emulation. In the module that is lg.h. The same files are also compiled into userspace tests,
 * which bring a test_cpu.h: the parts of struct lg_cpu and struct lg_state that these rooms touch,
 * and Guest memory, shadow and lg_kill() of their own.
 */
#ifndef _LGUEST_ENV_H
#define _LGUEST_ENV_H

#ifdef __KERNEL__
#include "watch.h"
#include "words.h"
#else
#include "test_cpu.h"
#include "segreg.h"

/* Nobody watches a test. */
#define lg_watch_inject(cpu, vector, has_error, error, line) ((void)(cpu))
#define lg_watch_emulate(cpu, ip, insn, result) ((void)(cpu), (void)(ip), (void)(insn), (void)(result))
#endif

#endif /* _LGUEST_ENV_H */
