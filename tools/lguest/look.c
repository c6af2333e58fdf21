// SPDX-License-Identifier: GPL-2.0
/* How the verbs find Guests in debugfs, and read what is there: look.h. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "look.h"
#include "util.h"

/* ---- Files ---- */

static char *read_all(int fd)
{
	size_t size = 4096, len = 0;
	char *text = malloc(size), *more;
	ssize_t got;

	while (text) {
		got = read(fd, text + len, size - 1 - len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			break;
		len += got;
		text[len] = 0;
		if (!got)
			return text;
		if (len < size - 1)
			continue;
		more = realloc(text, size *= 2);
		if (!more)
			break;
		text = more;
	}
	free(text);
	return NULL;
}

char *look_ask(const struct look_guest *guest, const char *file,
	       const char *question)
{
	char path[PATH_MAX];
	char *text = NULL;
	int fd, err;

	snprintf(path, sizeof(path), LOOK_DEBUGFS "/%s/%s", guest->folder,
		 file);
	fd = open(path, (question ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	errno = EINVAL; /* of an empty question, which is no error to write */
	if (!question || write(fd, question, strlen(question)) > 0)
		text = read_all(fd);
	err = errno;
	close(fd);
	errno = err;
	return text;
}

char *look_read(const struct look_guest *guest, const char *file)
{
	return look_ask(guest, file, NULL);
}

uint64_t look_number(const char *text, const char *name, int base,
		     uint64_t none)
{
	size_t len = strlen(name);

	while (text && *text) {
		if (!strncmp(text, name, len) && text[len] == ' ')
			return strtoull(text + len, NULL, base);
		text = strchr(text, '\n');
		text += !!text;
	}
	return none;
}

void look_print(FILE *out, const char *text)
{
	for (; *text; text++) {
		bool shown = *text == '\n' || *text == '\t' ||
			     ((unsigned char)*text >= ' ' && *text != 0x7f);

		putc(shown ? *text : '?', out);
	}
}

/* ---- Guests ---- */

/* The Launcher chose it: text, but for control characters, which the Host refuses. */
static void read_name(struct look_guest *guest)
{
	char *text = look_read(guest, "name");
	char *c;

	snprintf(guest->name, sizeof(guest->name), "%s", text ? text : "?");
	free(text);
	guest->name[strcspn(guest->name, "\n")] = 0;
	for (c = guest->name; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	}
}

static bool parse_folder(const char *name, struct look_guest *guest)
{
	int end = 0;

	*guest = (struct look_guest){};
	if (sscanf(name, "%d-%lu%n", &guest->pid, &guest->number, &end) != 2 ||
	    name[end] || strlen(name) >= sizeof(guest->folder))
		return false;
	strcpy(guest->folder, name);
	return true;
}

static int by_number(const void *a, const void *b)
{
	const struct look_guest *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

int look_guests(struct look_guest **guests, struct lguest_error *error)
{
	struct look_guest guest, *all = NULL, *more;
	struct dirent *entry;
	int count = 0;
	DIR *dir;

	*guests = NULL;
	dir = opendir(LOOK_DEBUGFS);
	if (!dir && errno == EACCES)
		return lguest_fail(error, "only root may look into guests");
	if (!dir && errno == ENOENT)
		return lguest_fail(
			error,
			"there is no " LOOK_DEBUGFS
			": the module is not loaded (modprobe lguest), or debugfs is not mounted");
	if (!dir)
		return lguest_fail(error, LOOK_DEBUGFS ": %s", strerror(errno));
	while ((entry = readdir(dir))) {
		if (!parse_folder(entry->d_name, &guest))
			continue;
		more = realloc(all, (count + 1) * sizeof(*all));
		if (!more)
			break;
		all = more;
		read_name(&guest);
		all[count++] = guest;
	}
	closedir(dir);
	if (count)
		qsort(all, count, sizeof(*all), by_number);
	*guests = all;
	return count;
}

int look_find(const char *name, struct look_guest *guest,
	      struct lguest_error *error)
{
	struct look_guest *all;
	int i, count, found = -1, numbered = -1, named = 0;
	char *end;
	unsigned long number = strtoul(name, &end, 10);
	bool is_number = isdigit((unsigned char)*name) && !*end;

	count = look_guests(&all, error);
	if (count < 0)
		return -1;
	for (i = 0; i < count; i++) {
		if (!strcmp(all[i].folder, name)) {
			found = i;
			named = 1;
			break;
		}
		if (!strcmp(all[i].name, name)) {
			found = i;
			named++;
		}
		if (is_number && all[i].number == number)
			numbered = i;
	}
	/* A name may be a number; stop, pause and resume know names only. */
	if (!named && numbered >= 0) {
		found = numbered;
		named = 1;
	}
	if (named == 1)
		*guest = all[found];
	free(all);
	if (named > 1)
		return lguest_fail(
			error,
			"%d guests are called '%s': 'lguest list' has their numbers",
			named, name);
	if (!named)
		return lguest_fail(error, "there is no guest '%s'", name);
	return 0;
}

/* ---- Ranges ---- */

size_t look_ranges(const char *text, const char *prefix,
		   struct look_range **ranges)
{
	unsigned long long start, end, size, gpa;
	size_t count = 0, room = 0, len = strlen(prefix);
	char rights[4], who[8];
	struct look_range *all = NULL, *more;

	for (; text && *text; text = strchr(text, '\n'), text += !!text) {
		if (strncmp(text, prefix, len) ||
		    sscanf(text + len, "%llx-%llx %lluK %llx %3s %7s", &start,
			   &end, &size, &gpa, rights, who) != 6)
			continue;
		if (count == room) {
			room = room ? 2 * room : 64;
			more = realloc(all, room * sizeof(*all));
			if (!more)
				break;
			all = more;
		}
		all[count++] = (struct look_range){
			.start = start,
			.end = end,
			.gpa = gpa,
			.flags = (rights[1] == 'w' ? LOOK_WRITE : 0) |
				 (rights[2] == 'x' ? LOOK_EXECUTE : 0) |
				 (strcmp(who, "user") ? 0 : LOOK_USER),
		};
	}
	*ranges = all;
	return count;
}
