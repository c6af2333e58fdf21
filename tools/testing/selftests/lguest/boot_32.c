// SPDX-License-Identifier: GPL-2.0
/* All of boot.c once more, with a 32-bit launcher. */
#include "boot.c"
