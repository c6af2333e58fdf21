// SPDX-License-Identifier: GPL-2.0
/* Sentences about faults: see error.h. */
#include <stdarg.h>
#include <stdio.h>

#include "error.h"

int lguest_fail(struct lguest_error *error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return -1;
}
