// SPDX-License-Identifier: GPL-2.0
/* All of taken_memory.c once more, with a 32-bit launcher. */
#include "taken_memory.c"
