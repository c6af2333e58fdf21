// SPDX-License-Identifier: GPL-2.0
/* System.map, as nm writes it: address, type, name a line. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbols.h"

static int by_address(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	return x->address < y->address ? -1 : x->address > y->address;
}

static bool add(struct symbols *symbols, uint64_t address, const char *name)
{
	struct symbol *more;

	/* Room doubles with each power of two. */
	if (!(symbols->count & (symbols->count - 1)) || !symbols->count) {
		more = realloc(symbols->all, (symbols->count ? 2 * symbols->count : 1) *
						     sizeof(*more));
		if (!more)
			return false;
		symbols->all = more;
	}
	symbols->all[symbols->count].address = address;
	symbols->all[symbols->count].name = strdup(name);
	return symbols->all[symbols->count++].name;
}

int symbols_load(struct symbols *symbols, const char *path,
		 struct lguest_error *error)
{
	char line[512], name[256], type;
	uint64_t address;
	FILE *file;

	*symbols = (struct symbols){};
	file = fopen(path, "re");
	if (!file)
		return lguest_fail(error, "%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%" SCNx64 " %c %255s", &address, &type, name) != 3)
			continue;
		if (!strcmp(name, "_stext"))
			symbols->text_start = address;
		else if (!strcmp(name, "_etext"))
			symbols->text_end = address;
		else if (strchr("tTwW", type) && !add(symbols, address, name))
			break;
	}
	fclose(file);
	if (!symbols->count) {
		symbols_free(symbols);
		return lguest_fail(error, "%s is no System.map: no function stands in it",
				   path);
	}
	qsort(symbols->all, symbols->count, sizeof(*symbols->all), by_address);
	if (!symbols->text_start)
		symbols->text_start = symbols->all[0].address;
	if (!symbols->text_end)
		symbols->text_end = symbols->all[symbols->count - 1].address + 4096;
	return 0;
}

void symbols_free(struct symbols *symbols)
{
	size_t i;

	for (i = 0; i < symbols->count; i++)
		free(symbols->all[i].name);
	free(symbols->all);
	*symbols = (struct symbols){};
}

const char *symbols_find(const struct symbols *symbols, uint64_t address,
			 uint64_t *offset)
{
	size_t low = 0, high = symbols->count, mid;

	if (address < symbols->text_start || address >= symbols->text_end)
		return NULL;
	while (low < high) {
		mid = (low + high) / 2;
		if (symbols->all[mid].address <= address)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low)
		return NULL;
	*offset = address - symbols->all[low - 1].address;
	return symbols->all[low - 1].name;
}
