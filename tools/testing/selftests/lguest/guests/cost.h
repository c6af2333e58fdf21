/* SPDX-License-Identifier: GPL-2.0 */
/* What guests/cost.c tells bench_lguest.c: mailbox->out has median, least, most of each. */
#ifndef COST_H
#define COST_H

#define COST_TIMES	512

enum { COST_HYPERCALL, COST_SHADOW_FILL, COST_FAULT_REFLECT, COST_OPERATIONS };

#endif /* COST_H */
