// SPDX-License-Identifier: GPL-2.0
/*
 * What is left when Guests have gone, however they went: no page, no object, no reference, nothing
 * in debugfs.
 *
 * lguest-host: smp=1 mem=1024 args=slab_nomerge timeout=300
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "harness.h"
#include "fail_nth.h"
#include "launcher.h"
#include "guests/work.h"

#define GUESTS		((int)test_rounds(30, 100))
#define ROUNDS		5
#define PATIENCE	20 /* seconds */
/*
 * What one thing lost with each Guest would come to, if only every second one was a Guest; of
 * pages, half of that, as they come and go by a handful.
 */
#define TOO_MANY	(GUESTS / 2)
#define TOO_MANY_PAGES	(TOO_MANY / 2)
#define PAGE		4096l

#define SLAB		"/sys/kernel/slab"
#define CACHES_MAX	1024

struct cache {
	char name[256];
	long objects;
};

/* Where pages go: lines of /proc/meminfo, for who has to find out what grew. */
static const char *const kinds[] = {
	"AnonPages", "Cached", "Slab", "KernelStack", "PageTables", "VmallocUsed", "Percpu",
};

#define KINDS		ARRAY_SIZE(kinds)

struct picture {
	long free_pages, references, kind[KINDS];
	int debugfs_entries, caches;
	struct cache cache[CACHES_MAX];
};

static long read_number(const char *name)
{
	FILE *file = fopen(name, "r");
	long number = -1;

	if (file) {
		if (fscanf(file, "%ld", &number) != 1)
			number = -1;
		fclose(file);
	}
	return number;
}

static void write_file(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (write(fd, text, strlen(text)) < 0)
			errno = 0;		/* a cache that does not shrink */
		close(fd);
	}
}

/* All slab caches, each as small as it gets: what is counted then is in use. */
static int take_caches(struct cache *cache)
{
	char path[512];
	struct dirent *entry;
	struct stat st;
	int count = 0;
	DIR *dir = opendir(SLAB);

	while (dir && (entry = readdir(dir)) && count < CACHES_MAX) {
		snprintf(path, sizeof(path), SLAB "/%s", entry->d_name);
		/* Other names of a cache are links to it. */
		if (entry->d_name[0] == '.' || lstat(path, &st) || !S_ISDIR(st.st_mode))
			continue;
		/* Addresses of kernel stacks, which the host collects until there are thousands. */
		if (!strcmp(entry->d_name, "vmap_area"))
			continue;
		snprintf(path, sizeof(path), SLAB "/%s/shrink", entry->d_name);
		write_file(path, "1");
		snprintf(path, sizeof(path), SLAB "/%s/objects", entry->d_name);
		snprintf(cache[count].name, sizeof(cache[count].name), "%s", entry->d_name);
		cache[count++].objects = read_number(path);
	}
	if (dir)
		closedir(dir);
	return count;
}

/*
 * Pages that nobody has. Those that a CPU keeps at hand are not among MemFree, and it may keep a
 * thousand: MemFree grows and shrinks by that, whoever has leaked nothing.
 */
static long count_free_pages(void)
{
	FILE *file = fopen("/proc/zoneinfo", "r");
	long number, sum = 0;
	char line[256];

	while (file && fgets(line, sizeof(line), file)) {
		/* Of a zone, and of what a CPU has of it. */
		if (sscanf(line, " pages free %ld", &number) == 1 ||
		    sscanf(line, " count: %ld", &number) == 1)
			sum += number;
	}
	if (file)
		fclose(file);
	return sum;
}

static void take_kinds(struct picture *picture)
{
	FILE *file = fopen("/proc/meminfo", "r");
	char line[128], name[64];
	long kib;
	int i;

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%63[^:]: %ld kB", name, &kib) != 2)
			continue;
		for (i = 0; i < KINDS; i++)
			if (!strcmp(name, kinds[i]))
				picture->kind[i] = kib / (PAGE / 1024);
	}
	if (file)
		fclose(file);
}

static void take(struct picture *picture)
{
	struct dirent *entry;
	DIR *dir;

	/*
	 * What goes by RCU or by work goes in its time; if it takes more, the next round is better.
	 * Dentries and pages of files are not ours.
	 */
	usleep(300000);
	write_file("/proc/sys/vm/drop_caches", "3");
	memset(picture, 0, sizeof(*picture));
	picture->references = read_number("/sys/module/lguest/refcnt");
	dir = opendir("/sys/kernel/debug/lguest");
	while (dir && (entry = readdir(dir)))
		picture->debugfs_entries += entry->d_type == DT_DIR && entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	picture->caches = take_caches(picture->cache);
	/* Each CPU counts for itself for a while. */
	write_file("/proc/sys/vm/stat_refresh", "1");
	picture->free_pages = count_free_pages();
	take_kinds(picture);
}

static long objects_of(const struct picture *picture, const char *cache)
{
	int i;

	for (i = 0; i < picture->caches; i++)
		if (!strcmp(picture->cache[i].name, cache))
			return picture->cache[i].objects;
	return 0;
}

/* What has grown by about one a Guest in each of the rounds, as text; empty: nothing. */
static void what_grew(const struct picture *picture, int rounds, char *text, size_t size)
{
	const struct picture *first = &picture[0], *last = &picture[rounds];
	bool always = true;
	size_t used = 0;
	int i, r;

	text[0] = 0;
	for (r = 0; r < rounds; r++)
		always &= picture[r].free_pages - picture[r + 1].free_pages >= TOO_MANY_PAGES;
	if (always)
		used += snprintf(text, size, "free pages %ld -> %ld;", first->free_pages,
				 last->free_pages);
	for (i = 0; always && i < KINDS; i++)
		used += snprintf(text + used, size - used, " %s %ld -> %ld;", kinds[i],
				 first->kind[i], last->kind[i]);
	for (i = 0; i < last->caches && used < size; i++) {
		const char *name = last->cache[i].name;

		always = true;
		for (r = 0; r < rounds; r++)
			always &=
				objects_of(&picture[r + 1], name) - objects_of(&picture[r], name) >=
				TOO_MANY;
		if (always)
			used += snprintf(text + used, size - used, " cache %s %ld -> %ld;", name,
					 objects_of(first, name), objects_of(last, name));
	}
}

/*
 * Some to warm what stays warm, then many between two pictures. Other things in the host grow and
 * shrink at the same time; only what grows with the Guests each time is a leak.
 */
static void many(struct __test_metadata *_metadata, void (*one)(int i))
{
	static struct picture picture[ROUNDS + 1];
	char grew[4096];
	int i, round;

	/* They take pages themselves, when they are written to. */
	memset(picture, 0, sizeof(picture));
	for (i = 0; i < GUESTS / 10; i++)
		one(i);
	take(&picture[0]);
	ASSERT_LT(10, picture[0].caches);
	for (round = 1; round <= ROUNDS; round++) {
		for (i = 0; i < GUESTS; i++)
			one(i);
		take(&picture[round]);
		TH_LOG("%ld free pages, then %ld", picture[round - 1].free_pages,
		       picture[round].free_pages);
		EXPECT_EQ(0, picture[round].references);
		EXPECT_EQ(0, picture[round].debugfs_entries);
		what_grew(picture, round, grew, sizeof(grew));
		if (!grew[0])
			return;
	}
	/* What waits for RCU or a worker goes at last, however busy the machine; a leak stays. */
	sleep(PATIENCE);
	take(&picture[ROUNDS]);
	what_grew(picture, ROUNDS, grew, sizeof(grew));
	EXPECT_STREQ("", grew);
}

static void passes(int i)
{
	struct vm vm;

	vm_start(&vm, "work", NULL);
	vm.mailbox->in[WORK_STOP] = 1;
	vm_pass(&vm);
	vm_stop(&vm);
}

TEST(guests_that_end)
{
	many(_metadata, passes);
}

static void never_run(int i)
{
	struct vm vm;

	/* Every second one not even initialised. */
	if (i & 1)
		vm_load(&vm, "work", NULL);
	else
		vm_start(&vm, "work", NULL);
	vm_stop(&vm);
}

TEST(guests_that_never_run)
{
	many(_metadata, never_run);
}

/* Every second one when it has a Guest for certain. */
static void is_killed(int i)
{
	int status, started[2];
	struct vm vm;
	pid_t child;
	char byte;

	if (pipe(started))
		FAIL("pipe: %s", strerror(errno));
	child = fork();
	if (!child) {
		vm_start(&vm, "work", NULL);
		vm.mailbox->in[WORK_MODE] = WORK_MEMORY;
		vm.mailbox->in[WORK_PAGES] = 1024;
		if (write(started[1], "", 1) != 1)
			_exit(1);
		for (;;)
			vm_run(&vm);
	}
	if (i & 1 && read(started[0], &byte, 1) != 1)
		FAIL("no word of the launcher");
	usleep(i % 10 * 500);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	close(started[0]);
	close(started[1]);
}

TEST(launchers_that_are_killed)
{
	many(_metadata, is_killed);
}

/* INITIALIZE gives back what it had taken when it fails half-way. */
static void is_refused(int i)
{
	struct vm vm;

	vm_load(&vm, "work", NULL);
	if (i & 1)
		mprotect(vm.memory.base, 4096, PROT_READ);
	else
		mprotect(vm.memory.base + vm.pgdir, 4096, PROT_NONE);
	if (lguest_initialize(vm.fd, vm.memory.base, vm.memory.size / LGUEST_PAGE_SIZE, vm.pgdir,
			      vm.entry) != -EFAULT)
		FAIL("initialized");
	vm_stop(&vm);
}

TEST(guests_that_were_refused)
{
	many(_metadata, is_refused);
}

static int try_initialize(void *arg)
{
	struct vm *vm = arg;

	return lguest_initialize(vm->fd, vm->memory.base, vm->memory.size / LGUEST_PAGE_SIZE,
				 vm->pgdir, vm->entry);
}

static void make_another(void *arg)
{
	struct vm *vm = arg;

	close(vm->fd);
	vm->fd = lguest_open();
}

/*
 * The same for want of memory, at each point where it may be wanting; in a slice each Guest wants it
 * at some of them.
 */
static void has_no_memory(int i)
{
	const struct request request = { "INITIALIZE", try_initialize, make_another };
	unsigned int every = test_rounds(0, 1) ? 1 : 4, refused;
	struct vm vm;

	vm_load(&vm, "work", NULL);
	if (!try_without_some(&request, &vm, 1 + i % every, every, &refused) || !refused)
		FAIL("no allocation failed");
	vm_stop(&vm);
}

TEST(guests_without_memory)
{
	ALLOCATIONS_FAIL_OR_SKIP();
	many(_metadata, has_no_memory);
}

/* One that broke a rule: its sentence and registers are kept somewhere while it is there. */
static void dies(int i)
{
	struct vm vm;

	vm_start(&vm, "work", NULL);
	munmap(vm.memory.base + vm.entry, 4096);
	vm_dies(&vm, "gone");
	vm_dies(&vm, "gone");
	vm_stop(&vm);
}

TEST(guests_that_die)
{
	many(_metadata, dies);
}

TEST_HARNESS_MAIN
