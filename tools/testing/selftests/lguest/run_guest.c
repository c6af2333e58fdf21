// SPDX-License-Identifier: GPL-2.0
/*
 * run_guest GUEST [MODE]: runs a Guest of the tests until it ends or this is killed; for verbs.sh.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "launcher.h"
#include "guests/work.h"

int main(int argc, char *argv[])
{
	struct vm vm;
	int came;

	if (argc < 2)
		return 2;
	vm_start(&vm, argv[1], NULL);
	vm.mailbox->in[WORK_MODE] = argc > 2 ? atoi(argv[2]) : 0;
	vm.mailbox->in[WORK_PAGES] = 64;
	do
		came = vm_run(&vm);
	while (came != LGUEST_EXIT_DEATH && came != LGUEST_EXIT_SHUTDOWN);
	/* The dead can be looked at until their file is closed. */
	for (;;)
		pause();
}
