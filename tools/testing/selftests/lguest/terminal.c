// SPDX-License-Identifier: GPL-2.0
/*
 * The terminal of `lguest run`, on a pseudo-terminal: raw, with its size told to the Guest, ^A x to
 * leave, and as it was before on every way out.
 *
 * lguest-host: smp=2 timeout=300
 */
#include <termios.h>

#include "kselftest_harness.h"
#include "run_command.h"

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 0		/* scripts/check watches the whole program */

FIXTURE(terminal) {
	int master, slave;
	struct termios before;
	struct command command;
};

FIXTURE_SETUP(terminal)
{
	struct winsize size = { .ws_col = 80, .ws_row = 25 };

	self->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	ASSERT_LE(0, self->master);
	ASSERT_EQ(0, grantpt(self->master));
	ASSERT_EQ(0, unlockpt(self->master));
	self->slave = open(ptsname(self->master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	ASSERT_LE(0, self->slave);
	ASSERT_EQ(0, ioctl(self->master, TIOCSWINSZ, &size));
	ASSERT_EQ(0, tcgetattr(self->slave, &self->before));
	/* Something that nobody would guess. */
	self->before.c_cc[VERASE] = 'E';
	self->before.c_lflag |= ECHOCTL;
	ASSERT_EQ(0, tcsetattr(self->slave, TCSANOW, &self->before));
}

FIXTURE_TEARDOWN(terminal)
{
	close(self->slave);
	close(self->master);
}

static bool as_before(FIXTURE_DATA(terminal) *self)
{
	struct termios now;

	return !tcgetattr(self->slave, &now) && !memcmp(&now, &self->before, sizeof(now));
}

static bool raw(FIXTURE_DATA(terminal) *self)
{
	struct termios now;

	return !tcgetattr(self->slave, &now) && !(now.c_lflag & (ICANON | ECHO | ISIG | IEXTEN)) &&
	       !(now.c_oflag & OPOST) && !(now.c_iflag & (ICRNL | IXON));
}

static void type(FIXTURE_DATA(terminal) *self, const char *keys)
{
	if (write(self->master, keys, strlen(keys)) != (ssize_t)strlen(keys))
		FAIL("the terminal takes nothing");
}

static void until(FIXTURE_DATA(terminal) *self, const char *text)
{
	command_until(&self->command, self->master, text);
}

TEST_F(terminal, is_raw_and_tells_its_size)
{
	struct winsize size = { .ws_col = 132, .ws_row = 43 };

	command_start(&self->command, self->slave, "size", NULL);
	until(self, "80 25.");
	EXPECT_TRUE(raw(self));
	ASSERT_EQ(0, ioctl(self->master, TIOCSWINSZ, &size));
	until(self, "132 43.");
	size.ws_row = 44;
	ASSERT_EQ(0, ioctl(self->master, TIOCSWINSZ, &size));
	until(self, "132 44.");
	type(self, "\001x");
	EXPECT_EQ(0, command_end(&self->command)) TH_LOG("%s", command_complaint(&self->command));
	EXPECT_TRUE(as_before(self));
}

/* What would be a signal or a line elsewhere is a byte for the Guest; ^A twice is one. */
TEST_F(terminal, keys_reach_the_guest)
{
	command_start(&self->command, self->slave, "ready echo", NULL);
	until(self, "ready");
	type(self, "a\003\032\034\r\021\023 b\001a\001\001c\177E");
	until(self, "a\003\032\034\r\021\023 b\001\001c\177E");
	type(self, "\001?");
	until(self, "end the guest");
	/* ^D is the Guest's own end. */
	type(self, "\004");
	EXPECT_EQ(0, command_end(&self->command)) TH_LOG("%s", command_complaint(&self->command));
	EXPECT_TRUE(as_before(self));
}

/* ^A x is seen though the Guest takes no input, and a lot of that waits. */
TEST_F(terminal, leaving_a_guest_that_does_not_listen)
{
	int i;

	command_start(&self->command, self->slave, "spin", NULL);
	until(self, "spinning");
	EXPECT_TRUE(raw(self));
	for (i = 0; i < 20; i++)
		type(self, "nobody listens to this line, or to the next");
	type(self, "\001x");
	EXPECT_EQ(0, command_end(&self->command)) TH_LOG("%s", command_complaint(&self->command));
	EXPECT_TRUE(as_before(self));
}

/* Nobody reads what it writes, so that it and the launcher wait; ^A x is seen all the same. */
TEST_F(terminal, leaving_a_guest_that_nobody_listens_to)
{
	static const char *const words[] = {
		"ready flood flood flood flood flood flood flood flood spin",
		"ready duplex",
	};
	struct pollfd output = { .fd = self->slave, .events = POLLOUT };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(words); i++) {
		command_start(&self->command, self->slave, words[i], NULL);
		until(self, "ready");
		while (poll(&output, 1, 0))
			usleep(10000);
		usleep(200000);
		type(self, "\001x");
		EXPECT_EQ(0, command_end(&self->command))
			TH_LOG("%s", command_complaint(&self->command));
		EXPECT_TRUE(as_before(self));
		/* For the next one. */
		tcflush(self->slave, TCIOFLUSH);
		tcflush(self->master, TCIOFLUSH);
	}
}

static void run_until_raw(FIXTURE_DATA(terminal) *self, const char *words)
{
	command_start(&self->command, self->slave, words, "--name", "on-a-terminal", NULL);
	until(self, "ready");
	if (!raw(self))
		FAIL("the terminal is not raw");
}

/* Ends by itself when a key is typed. */
static void ends_by_itself(FIXTURE_DATA(terminal) *self, const char *words, int status,
			   const char *sentence)
{
	int got;

	run_until_raw(self, words);
	type(self, "!");
	got = command_end(&self->command);
	if (got != status || !as_before(self) ||
	    !strstr(command_complaint(&self->command), sentence))
		FAIL("%s: status %d, the terminal is %s as before: %s", words, got,
		     as_before(self) ? "" : "not", command_complaint(&self->command));
}

TEST_F(terminal, is_restored_when_the_guest_ends)
{
	ends_by_itself(self, "ready wait", 0, "");
	ends_by_itself(self, "ready wait crash", 1, "the guest crashed: on purpose");
	ends_by_itself(self, "ready wait die", 1, "the guest was ended: ");
}

static void ends_by_signal(FIXTURE_DATA(terminal) *self, bool second, int signal, int status)
{
	int got, i;

	run_until_raw(self, "ready spin");
	kill(second ? command_second(&self->command) : self->command.pid, signal);
	got = command_end(&self->command);
	/* When the first process is killed, the second one does it a moment later. */
	for (i = 0; i < 1000 && !as_before(self); i++)
		usleep(10000);
	if (got != status || !as_before(self))
		FAIL("signal %d to the %s process: status %d, the terminal is %s as before: %s",
		     signal, second ? "second" : "first", got, as_before(self) ? "" : "not",
		     command_complaint(&self->command));
}

TEST_F(terminal, is_restored_after_every_signal)
{
	ends_by_signal(self, false, SIGTERM, 0);
	ends_by_signal(self, false, SIGINT, 0);
	ends_by_signal(self, false, SIGHUP, 0);
	ends_by_signal(self, false, SIGQUIT, 0);
	ends_by_signal(self, true, SIGTERM, 0);
	ends_by_signal(self, true, SIGQUIT, 0);
	ends_by_signal(self, true, SIGKILL, 3);
	ends_by_signal(self, true, SIGSEGV, 3);
	ends_by_signal(self, false, SIGKILL, 128 + SIGKILL);
}

/* What whoever starts it has done with signals is passed on, and makes no difference. */
TEST_F(terminal, signals_that_were_blocked_or_ignored)
{
	sigset_t all, before;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	signal(SIGCHLD, SIG_IGN);
	run_until_raw(self, "ready spin");
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_SETMASK, &before, NULL);
	kill(self->command.pid, SIGTERM);
	EXPECT_EQ(0, command_end(&self->command)) TH_LOG("%s", command_complaint(&self->command));
	EXPECT_TRUE(as_before(self));
}

TEST_F(terminal, is_restored_after_stop)
{
	run_until_raw(self, "ready spin");
	EXPECT_EQ(0, system("lguest pause on-a-terminal && lguest stop on-a-terminal"));
	EXPECT_EQ(0, command_end(&self->command));
	EXPECT_TRUE(as_before(self));
}

/* Stopped, it has given the terminal back; continued, it takes it again. */
TEST_F(terminal, is_lent_while_the_guest_is_stopped)
{
	char path[64], state = 0;
	int i, status;
	FILE *stat;

	run_until_raw(self, "ready wait");
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, kill(self->command.pid, SIGTSTP));
		ASSERT_EQ(self->command.pid, waitpid(self->command.pid, &status, WUNTRACED));
		ASSERT_TRUE(WIFSTOPPED(status));
		EXPECT_TRUE(as_before(self));
		snprintf(path, sizeof(path), "/proc/%d/stat", command_second(&self->command));
		/* It is told first, and stops where it is. */
		do {
			stat = fopen(path, "r");
			ASSERT_NE(NULL, stat);
			ASSERT_EQ(1, fscanf(stat, "%*d (%*[^)]) %c", &state));
			fclose(stat);
		} while (state != 'T');
		ASSERT_EQ(0, kill(self->command.pid, SIGCONT));
		while (!raw(self))
			usleep(10000);
	}
	type(self, "!");
	EXPECT_EQ(0, command_end(&self->command)) TH_LOG("%s", command_complaint(&self->command));
	EXPECT_TRUE(as_before(self));
}

/* The other end hangs up: there is nobody left who could type anything. */
TEST_F(terminal, hangs_up)
{
	run_until_raw(self, "ready spin");
	close(self->slave);
	close(self->master);
	EXPECT_EQ(0, command_end(&self->command));
	self->master = self->slave = -1;
}

TEST_HARNESS_MAIN
