// SPDX-License-Identifier: GPL-2.0
/*
 * Tracepoints: their names and fields are what users' scripts hold on to, so they are pinned here;
 * and each tells what it should when a Guest does what it is about (guests/traced.c).
 *
 * lguest-host: smp=1
 */
#include <sys/mman.h>
#include <sys/mount.h>

#include "harness.h"
#include "look.h"

#define TRACEFS	"/sys/kernel/tracing"
#define EVENTS	TRACEFS "/events/lguest"
#define TEXT	(4 << 20)

/*
 * The fields of each event behind the common ones. To add one at the end is no harm; to change or
 * take away one breaks somebody's script.
 */
static const struct event {
	const char *name, *fields;
} events[] = {
	{ "lguest_create", "u32 guest;s32 pid;u64 memory;u64 pgdir;u64 start;" },
	{ "lguest_destroy", "u32 guest;" },
	{ "lguest_enter", "u32 guest;u32 vcpu;u64 ip;bool user;" },
	{ "lguest_exit", "u32 guest;u32 vcpu;u32 vector;u32 error;u64 ip;u64 address;bool user;" },
	{ "lguest_hypercall",
	  "u32 guest;u32 vcpu;u32 nr;u32 arg0;u32 arg1;u32 arg2;u32 arg3;bool ring;" },
	{ "lguest_page_fault",
	  "u32 guest;u32 vcpu;u64 gva;u64 ip;u32 error;int result;bool user;" },
	{ "lguest_shadow_fill", "u32 guest;u32 vcpu;u64 gva;u64 gpa;bool user;bool writable;" },
	{ "lguest_shadow_zap", "u32 guest;u64 first;u64 last;" },
	{ "lguest_flush", "u32 guest;u32 vcpu;int what;u64 address;" },
	{ "lguest_inject",
	  "u32 guest;u32 vcpu;u32 vector;u32 error;u64 ip;u64 address;bool has_error;" },
	{ "lguest_emulate", "u32 guest;u32 vcpu;u64 ip;int result;u8 opcode;u8 len;bool user;" },
	{ "lguest_interrupt", "u32 guest;u32 vcpu;u32 line;" },
	{ "lguest_halt", "u32 guest;u32 vcpu;bool asleep;" },
	{ "lguest_timer", "u32 guest;u32 vcpu;u64 ns;bool fires;" },
	{ "lguest_notify", "u32 guest;u32 vcpu;u32 reason;u64 gpa;" },
	{ "lguest_death", "u32 guest;u32 vcpu;__data_loc char[] sentence;" },
};

static void write_file(const char *path, const char *content)
{
	int fd = open(path, O_WRONLY | O_TRUNC);

	if (fd < 0 || write(fd, content, strlen(content)) != strlen(content))
		FAIL("%s: %s", path, strerror(errno));
	close(fd);
}

FIXTURE(traced) {
	char *text;
};

FIXTURE_SETUP(traced)
{
	if (access(TRACEFS "/events", F_OK))
		ASSERT_EQ(0, mount("tracefs", TRACEFS, "tracefs", 0, NULL));
	self->text = malloc(TEXT);
	ASSERT_NE(NULL, self->text);
	write_file(TRACEFS "/trace", "");
}

FIXTURE_TEARDOWN(traced)
{
	write_file(EVENTS "/enable", "0");
	write_file(TRACEFS "/trace", "");
}

TEST_F(traced, names_and_fields)
{
	char name[64], fields[1024], *line, *next, *end;
	const struct event *event;
	int found = 0;
	DIR *dir;

	for (event = events; event < events + ARRAY_SIZE(events); event++) {
		snprintf(name, sizeof(name), "%s/format", event->name);
		look_file(EVENTS, name, self->text, TEXT);
		fields[0] = 0;
		for (next = self->text; (line = strsep(&next, "\n"));) {
			line = strstr(line, "field:");
			if (!line || strstr(line, " common_"))
				continue;
			line += strlen("field:");
			end = strchr(line, ';');
			ASSERT_NE(NULL, end);
			strncat(fields, line, end + 1 - line);
		}
		EXPECT_EQ(0, strncmp(event->fields, fields, strlen(event->fields)))
			TH_LOG("%s has %s", event->name, fields);
	}

	/* All that there are stand above. */
	dir = opendir(EVENTS);
	ASSERT_NE(NULL, dir);
	for (struct dirent *entry; (entry = readdir(dir));)
		found += !strncmp(entry->d_name, "lguest_", 7);
	closedir(dir);
	EXPECT_EQ(ARRAY_SIZE(events), found);
}

static void expect(const char *text, const char *what)
{
	if (!strstr(text, what))
		FAIL("no event like: %s", what);
}

TEST_F(traced, each_tells_what_happens)
{
	char want[128];
	struct vm vm;
	int number;

	write_file(TRACEFS "/buffer_size_kb", "4096");
	write_file(EVENTS "/enable", "1");
	vm_start(&vm, "traced", NULL);
	vm_sync(&vm, 1);
	/* The Host takes the frame that the Guest has at 0x40000000. */
	madvise(vm.memory.base, vm.memory.size, MADV_DONTNEED);
	vm_run(&vm);
	vm_stop(&vm);
	write_file(EVENTS "/enable", "0");
	look_file(TRACEFS, "trace", self->text, TEXT);

	ASSERT_NE(NULL, strstr(self->text, "lguest_create: guest "));
	number =
		atoi(strstr(self->text, "lguest_create: guest ") + strlen("lguest_create: guest "));
	snprintf(want, sizeof(want), "lguest_create: guest %d pid %d memory 16777216 pgdir ",
		 number, getpid());
	expect(self->text, want);
	snprintf(want, sizeof(want), "lguest_destroy: guest %d\n", number);
	expect(self->text, want);
	snprintf(want, sizeof(want), "lguest_enter: guest %d vcpu 0 ip 0x1", number);
	expect(self->text, want);
	expect(self->text, " vector 0x1f hypercall error 0x0 ip 0xc00");
	expect(self->text, " vector 0x0 divide_error error 0x0 ip 0xc00");
	expect(self->text, " vcpu 0 nr 1 LGUEST_INIT args ");
	expect(self->text, " vcpu 0 nr 10 HALT args ");
	expect(self->text, " vcpu 0 gva 0x50000000 error 0x4 ip 0xc00");
	expect(self->text, " kernel: reflected\n");
	expect(self->text, " kernel: filled\n");
	expect(self->text, " vcpu 0 kernel view gva 0x40000000 gpa 0x");
	expect(self->text, "lguest_shadow_zap: guest ");
	expect(self->text, "lguest_flush: guest ");
	expect(self->text, " vcpu 0 all 0x0\n");
	expect(self->text, " vcpu 0 user 0x0\n");
	expect(self->text, " vcpu 0 gva 0x40000000\n");
	expect(self->text, " vcpu 0 table 0x");
	expect(self->text, "lguest_inject: guest ");
	expect(self->text, " vector 0xe page_fault error 0x0 ip 0xc00");
	expect(self->text, " address 0x50000000\n");
	/* MOV to CR0. */
	expect(self->text, " kernel opcode 0x22 len 3: done\n");
	expect(self->text, " vcpu 0 line 0\n");
	expect(self->text, " vcpu 0 sleeps\n");
	expect(self->text, " vcpu 0 wakes\n");
	expect(self->text, " vcpu 0 set 50000000 ns\n");
	expect(self->text, " vcpu 0 fires 0 ns\n");
	expect(self->text, " vcpu 0 reason 1 notify gpa 0x2000\n");
	expect(self->text, "lguest_death: guest ");
}

/* One of many events is looked for by its fields, as scripts do. */
TEST_F(traced, filters_by_field)
{
	struct vm vm;

	write_file(EVENTS "/lguest_hypercall/filter", "nr == 9 && arg0 == 50000000");
	write_file(EVENTS "/lguest_hypercall/enable", "1");
	vm_start(&vm, "traced", NULL);
	vm_sync(&vm, 1);
	vm_stop(&vm);
	write_file(EVENTS "/lguest_hypercall/enable", "0");
	write_file(EVENTS "/lguest_hypercall/filter", "0");
	look_file(TRACEFS, "trace", self->text, TEXT);
	expect(self->text, " nr 9 SET_CLOCKEVENT args 0x2faf080 ");
	EXPECT_EQ(NULL, strstr(self->text, "LGUEST_INIT"));
}

TEST_HARNESS_MAIN
