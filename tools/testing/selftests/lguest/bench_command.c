// SPDX-License-Identifier: GPL-2.0
/*
 * What the `lguest` command costs: a request of a disk (4 KiB, in the Host's page cache) and a
 * frame of a network card, from the Guest's ring and back, a question to the network and its
 * answer, through a tap and through passt, and how many of them go with one exit; and the start,
 * from exec to the Guest's first instruction. All that runs on the Host meanwhile is counted:
 * kernel, launcher, passt.
 */
#include <dirent.h>
#include <x86intrin.h>

#include "bench.h"
#include "run_command.h"

#define RUNS	3
#define DISK	"/tmp/bench-disk"
#define TAP	"modprobe tun && ./make_tap bench0 0 && " \
		"ip addr add 10.9.2.1/24 dev bench0 && ip link set bench0 up"

struct exits {
	double all, launcher;		/* but those for the host's own interrupts */
};

/* A number of a file below the Guest's folder, whose name begins with its process. */
static double counter(pid_t pid, const char *name, const char *wanted)
{
	const char *root = "/sys/kernel/debug/lguest";
	char path[512], line[256], word[64];
	unsigned long long count = 0;
	struct dirent *entry;
	DIR *dir = opendir(root);
	FILE *file = NULL;

	while (dir && !file && (entry = readdir(dir)))
		if (atoi(entry->d_name) == pid) {
			snprintf(path, sizeof(path), "%s/%s/%s", root, entry->d_name, name);
			file = fopen(path, "r");
		}
	if (!file)
		FAIL("%d has no counters", pid);
	closedir(dir);
	/* What never was is not there. */
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%63s %llu", word, &count) == 2 && !strcmp(word, wanted))
			break;
		count = 0;
	}
	fclose(file);
	return count;
}

static struct exits count_exits(pid_t pid)
{
	return (struct exits){
		.all = counter(pid, "stats", "exits") -
		       counter(pid, "vcpu0/exits", "host_interrupt"),
		.launcher = counter(pid, "vcpu0/exits", "launcher"),
	};
}

/* Instructions for one request, of a Guest that then spins; and its exits so far. */
static long long run(const char *words, const char *option, const char *value, struct exits *exits)
{
	long long instructions;
	struct command c;
	char *ticks;

	command_start(&c, -1, words, option, value, NULL);
	while (!(ticks = strstr(c.said, " ticks"))) {
		ssize_t got = read(c.out, c.said + c.length, sizeof(c.said) - 1 - c.length);

		if (got <= 0)
			FAIL("%s: %s", words, command_complaint(&c));
		c.length += got;
	}
	while (ticks > c.said && ticks[-1] >= '0' && ticks[-1] <= '9')
		ticks--;
	instructions = atoll(ticks);
	command_until(&c, c.out, "spinning");
	*exits = count_exits(command_second(&c));
	kill(c.pid, SIGTERM);
	command_end(&c);
	return instructions;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void ratio_result(const char *operation, double *ratio)
{
	qsort(ratio, RUNS, sizeof(*ratio), compare_doubles);
	printf("{\"operation\": \"%s\", \"environment\": \"lguest\", \"unit\": \"requests\", ",
	       operation);
	printf("\"median\": %.2f, \"min\": %.2f, \"max\": %.2f}\n", ratio[RUNS / 2], ratio[0],
	       ratio[RUNS - 1]);
}

/* The words ask for 1280 requests, and for 160 behind "few"; the rest of both is the same. */
static void requests(const char *words, const char *operation, const char *option,
		     const char *value)
{
	double per_exit[RUNS], per_launcher_exit[RUNS];
	char few[64], many[64], name[64];
	long long instructions[RUNS];
	struct exits less, more;
	int i;

	snprintf(few, sizeof(few), "few %s spin", words);
	snprintf(many, sizeof(many), "%s spin", words);
	for (i = 0; i < RUNS; i++) {
		run(few, option, value, &less);
		instructions[i] = run(many, option, value, &more);
		per_exit[i] = (1280 - 160) / (more.all - less.all);
		per_launcher_exit[i] = (1280 - 160) / (more.launcher - less.launcher);
	}
	bench_result(operation, "lguest", instructions, RUNS);
	snprintf(name, sizeof(name), "%s_per_exit", operation);
	ratio_result(name, per_exit);
	snprintf(name, sizeof(name), "%s_per_launcher_exit", operation);
	ratio_result(name, per_launcher_exit);
}

static void start(void)
{
	long long instructions[RUNS];
	char digits[64] = "";
	FILE *output;
	int i;

	for (i = 0; i < RUNS; i++) {
		unsigned long long begin = __rdtsc();

		output = popen("exec lguest run -m 64 -k first.c0000000.elf </dev/null", "re");
		if (!output || !fgets(digits, sizeof(digits), output) || pclose(output))
			FAIL("no start: '%s'", digits);
		instructions[i] = strtoull(digits, NULL, 16) - begin;
	}
	bench_result("launch_to_guest", "lguest", instructions, RUNS);
}

static void network(const char *name, const char *how)
{
	char operation[64];

	snprintf(operation, sizeof(operation), "%s_frame_out", name);
	requests("net_one", operation, "-n", how);
	snprintf(operation, sizeof(operation), "%s_frame_out_8_at_a_time", name);
	requests("net_eight", operation, "-n", how);
	snprintf(operation, sizeof(operation), "%s_question_and_answer", name);
	requests("net_ask", operation, "-n", how);
}

int main(void)
{
	const char *inside = getenv("BENCH_INSIDE");
	int fd;

	/* passt wants a place of its own. */
	if (!inside && !system(TAP)) {
		setenv("BENCH_INSIDE", "1", 1);
		execl("./passt_room.sh", "passt_room.sh", "./bench_command", NULL);
		FAIL("no room for passt");
	}
	fd = open(DISK, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, 1 << 20))
		FAIL("no disk");
	close(fd);
	requests("get_one", "block_read", "-d", DISK);
	requests("get_four", "block_read_4_at_a_time", "-d", DISK);
	requests("put_one", "block_write", "-d", DISK);
	requests("put_four", "block_write_4_at_a_time", "-d", DISK);
	unlink(DISK);
	if (inside) {
		network("tap", "tap=bench0");
		network("passt", "passt");
	}
	start();
	return 0;
}
