/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All that the plain-C rooms (walk.c, segments.c, decode and emulation) need of their surroundings,
 * so that the same files are compiled into the module and into userspace tests
 * (tools/testing/selftests/lguest/plain/).
 */
#ifndef _LGUEST_PLAIN_H
#define _LGUEST_PLAIN_H

#ifdef __KERNEL__
#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/types.h>
#else
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;
#define U32_MAX UINT32_MAX
#define BIT(n) (1UL << (n))
#define BIT_ULL(n) (1ULL << (n))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#ifndef __always_inline
#define __always_inline inline __attribute__((__always_inline__))
#endif
#define noinline __attribute__((__noinline__))
#define __user
#define fallthrough __attribute__((__fallthrough__))
#endif

#endif /* _LGUEST_PLAIN_H */
