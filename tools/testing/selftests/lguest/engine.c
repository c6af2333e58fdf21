// SPDX-License-Identifier: GPL-2.0
/* Running hostile code in Guests: see engine.h. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#include <asm/lguest.h>

#include "engine.h"
#include "host_state.h"

static void on_tick(int number)
{
}

/* Ticks end reads; that is all they are for. */
static void start_ticks(int us)
{
	struct sigaction action = { .sa_handler = on_tick };
	struct itimerval timer = { { 0, us }, { 0, us } };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

void engine_start(struct engine *engine, int tick_us, int patience)
{
	memset(engine, 0, sizeof(*engine));
	engine->patience = patience;
	vm_small_pages();
	start_ticks(tick_us);
}

void engine_drop(struct engine *engine)
{
	if (engine->started)
		vm_stop(&engine->vm);
	engine->started = false;
}

void engine_stop(struct engine *engine)
{
	struct itimerval never = { { 0, 0 }, { 0, 0 } };

	setitimer(ITIMER_REAL, &never, NULL);
	engine_drop(engine);
	fprintf(stderr, "# %lu guests: %lu cases trapped, %lu died, %lu shut down, %lu hung\n",
		engine->guests, engine->outcomes[ENGINE_TRAPPED], engine->outcomes[ENGINE_DIED],
		engine->outcomes[ENGINE_SHUT_DOWN], engine->outcomes[ENGINE_HUNG]);
}

struct engine_case engine_case(bool user, const void *code, size_t len)
{
	struct engine_case c = {
		.di = ENGINE_DATA_MIDDLE, .si = ENGINE_DATA_MIDDLE, .bp = ENGINE_STACK_MIDDLE + 64,
		.sp = ENGINE_STACK_MIDDLE, .bx = ENGINE_DATA_MIDDLE, .dx = ENGINE_DATA_MIDDLE,
		.cx = ENGINE_DATA_MIDDLE, .ax = ENGINE_DATA_MIDDLE,
		.ip = ENGINE_CODE, .flags = 0x202,
		.cs = user ? USER_CS : KERNEL_CS, .ss = user ? USER_DS : KERNEL_DS,
		.ds = user ? USER_DS : KERNEL_DS, .es = user ? USER_DS : KERNEL_DS,
	};

	memset(c.code, 0xcc, sizeof(c.code));
	memcpy(c.code, code, len < sizeof(c.code) ? len : sizeof(c.code));
	return c;
}

/* A Guest that waits for its table. */
static void new_guest(struct engine *engine)
{
	int came;

	vm_start(&engine->vm, "engine", NULL);
	engine->started = true;
	engine->guests++;
	do
		came = vm_run(&engine->vm);
	while (came == -EINTR);
	if (came != LGUEST_EXIT_NOTIFY || engine->vm.mailbox->op != MAILBOX_SYNC)
		FAIL("the engine does not start: %d %s", came, engine->vm.exit.text);
}

/* Runs until the table is done or the Guest is not good for more; true for the former. */
static bool run_table(struct engine *engine, struct engine_result *result)
{
	struct lguest_exit *exit = &engine->vm.exit;
	volatile uint32_t *current = &engine->vm.mailbox->out[ENGINE_CURRENT];
	uint32_t last = *current;
	int ticks = 0, err;

	for (;;) {
		err = host_state_run(engine->vm.fd, exit);
		if (err == -EINTR) {
			ticks = *current == last ? ticks + 1 : 0;
			last = *current;
			if (ticks < engine->patience)
				continue;
			result->outcome = ENGINE_HUNG;
			return false;
		}
		if (err)
			FAIL("read: %s", strerror(-err));

		switch (exit->reason) {
		case LGUEST_EXIT_NOTIFY:
			if (exit->gpa == MAILBOX_GPA && engine->vm.mailbox->op == MAILBOX_SYNC &&
			    *current == engine->vm.mailbox->in[ENGINE_COUNT] - 1)
				return true;
			/* The kernel's own words mean that a case has damaged it. */
			if (exit->gpa == MAILBOX_GPA && engine->vm.mailbox->op == MAILBOX_FAILED) {
				result->outcome = ENGINE_SHUT_DOWN;
				return false;
			}
			break;
		case LGUEST_EXIT_SHUTDOWN:
			result->outcome = ENGINE_SHUT_DOWN;
			return false;
		case LGUEST_EXIT_DEATH:
			if (!exit->text[0])
				FAIL("a death without a sentence");
			result->outcome = ENGINE_DIED;
			snprintf(result->sentence, sizeof(result->sentence), "%.*s",
				 (int)strcspn(exit->text, "\n"), exit->text);
			return false;
		default:
			FAIL("exit %u", exit->reason);
		}
	}
}

void engine_run(struct engine *engine, struct engine_case *cases, struct engine_result *results,
		unsigned int count)
{
	unsigned int first = 0, at, i;
	struct engine_case *table;
	struct engine_result ended;
	bool done;

	while (first < count) {
		if (!engine->started)
			new_guest(engine);
		table = lguest_memory_at(&engine->vm.memory, ENGINE_CASES_GPA,
					 ENGINE_CASES * sizeof(*table));
		memcpy(&table[first], &cases[first], (count - first) * sizeof(*table));
		engine->vm.mailbox->in[ENGINE_FIRST] = first;
		engine->vm.mailbox->in[ENGINE_COUNT] = count;
		engine->vm.mailbox->out[ENGINE_CURRENT] = first;

		memset(&ended, 0, sizeof(ended));
		done = run_table(engine, &ended);
		at = done ? count : engine->vm.mailbox->out[ENGINE_CURRENT];
		/* A Guest whose mailbox is damaged has at least not gone backwards. */
		if (!done && (at < first || at >= count))
			at = first;
		for (i = first; i < at; i++) {
			cases[i] = table[i];
			results[i] = (struct engine_result){ ENGINE_TRAPPED };
		}
		engine->outcomes[ENGINE_TRAPPED] += at - first;
		first = at;
		if (done)
			break;
		results[at] = ended;
		engine->outcomes[ended.outcome]++;
		first++;
		engine_drop(engine);
	}
}
