// SPDX-License-Identifier: GPL-2.0
/* All of misuse.c once more, as a 32-bit program: its words have four bytes. */
#include "misuse.c"
