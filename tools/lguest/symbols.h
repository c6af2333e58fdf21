/* SPDX-License-Identifier: GPL-2.0 */
/* Addresses by name, from a System.map. */
#ifndef LGUEST_SYMBOLS_H
#define LGUEST_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

struct symbol {
	uint64_t address;
	char *name;
};

struct symbols {
	struct symbol *all; /* functions, by address */
	size_t count;
	uint64_t text_start, text_end;
};

/* 0, or -1 with a sentence. */
int symbols_load(struct symbols *symbols, const char *path,
		 struct lguest_error *error);
void symbols_free(struct symbols *symbols);
/* The function that an address is in, and how far; NULL: not in the text. */
const char *symbols_find(const struct symbols *symbols, uint64_t address,
			 uint64_t *offset);

#endif /* LGUEST_SYMBOLS_H */
