// SPDX-License-Identifier: GPL-2.0
/*
 * The console and the serial port under a flood from both sides at once: no byte is lost, none comes
 * twice, none changes its place.
 *
 * lguest-host: timeout=300
 * lguest-host: smp=2 timeout=300
 */
#include <pthread.h>

#include "kselftest_harness.h"
#include "run_command.h"
#include "guests/command.h"

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 0		/* scripts/check watches the whole program */

struct flood {
	struct command command;
	unsigned int bytes;
};

static void *pour(void *arg)
{
	struct flood *f = arg;
	unsigned char part[1777];
	unsigned int n, i;

	for (n = 0; n < f->bytes; n += i) {
		for (i = 0; i < sizeof(part) && n + i < f->bytes; i++)
			part[i] = flood_byte(n + i, 0);
		if (write(f->command.in, part, i) != i)
			return "not all of it could be written";
	}
	return NULL;
}

static void flood(const char *word, unsigned int bytes, bool slow_reader)
{
	bool all = test_rounds(0, 1);
	unsigned int n = 0, i;
	unsigned char part[3001];
	struct flood f;
	pthread_t thread;
	char words[64];
	void *problem;
	ssize_t got;

	bytes /= all ? 1 : FLOOD_SLICES;
	f.bytes = bytes;
	snprintf(words, sizeof(words), "%s%s", all ? "" : "slice ", word);
	command_start(&f.command, -1, words, NULL);
	if (pthread_create(&thread, NULL, pour, &f))
		FAIL("no thread");
	while ((got = read(f.command.out, part, sizeof(part))) > 0) {
		for (i = 0; i < got; i++, n++)
			if (part[i] != flood_byte(n, 1))
				FAIL("byte %u is 0x%02x", n, part[i]);
		if (slow_reader)
			usleep(2000);
	}
	pthread_join(thread, &problem);
	if (problem || n != bytes || command_end(&f.command))
		FAIL("%u of %u bytes; %s; %s", n, bytes, problem ? (char *)problem : "",
		     command_complaint(&f.command));
}

TEST(console)
{
	signal(SIGPIPE, SIG_IGN);
	flood("duplex", FLOOD, false);
}

/* The pipe is full most of the time: the Guest waits, and loses nothing either. */
TEST(console_with_a_slow_reader)
{
	signal(SIGPIPE, SIG_IGN);
	flood("duplex", FLOOD, true);
}

TEST(serial_port)
{
	signal(SIGPIPE, SIG_IGN);
	flood("serial_duplex", SERIAL_FLOOD, false);
}

TEST_HARNESS_MAIN
