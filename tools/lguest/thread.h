/* SPDX-License-Identifier: GPL-2.0 */
/* Threads beside the vCPU's. They take no signals and live until the process ends. */
#ifndef LGUEST_THREAD_H
#define LGUEST_THREAD_H

#include "lib/error.h"

/* The name, at most 15 bytes, is what ps shows. -1 with a sentence. */
int thread_start(const char *name, void *(*body)(void *), void *arg,
		 struct lguest_error *error);

#endif /* LGUEST_THREAD_H */
