/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pictures of what the verbs show, as SVG: made of nothing but text, by nothing but
 * printf(). Both read files of debugfs that were read before.
 */
#ifndef LGUEST_SVG_H
#define LGUEST_SVG_H

#include "look.h"

/*
 * An address space: the guest's own tables beside both views of the shadow.
 * Addresses grow downwards; what is empty in all three is cut short.
 */
struct svg_column {
	const char *title;
	const struct look_range *ranges; /* by address, none overlaps another */
	size_t count;
};

void svg_map(FILE *out, const char *title, const struct svg_column column[3]);

/* The last exits, from the text of that file, as time goes by. */
void svg_last_exits(FILE *out, const char *title, const char *text);

#endif /* LGUEST_SVG_H */
