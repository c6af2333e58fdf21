// SPDX-License-Identifier: GPL-2.0
/* Threads: see thread.h. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "thread.h"

/* Enough for the deepest call of any device, and little to lock (bytes). */
#define STACK (64u << 10)

int thread_start(const char *name, void *(*body)(void *), void *arg,
		 struct lguest_error *error)
{
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_t thread;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK);
	err = pthread_create(&thread, &attr, body, arg);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err)
		return lguest_fail(error, "a thread for %s: %s", name,
				   strerror(err));
	pthread_setname_np(thread, name);
	return 0;
}
