// SPDX-License-Identifier: BSD-3-Clause
// stats/error.c: see error.h.

#include "stats/error.h"

#include <stdarg.h>
#include <stdio.h>

int error_set(struct pg_error *error, int code, const char *format, ...)
{
	va_list args;

	error->code = code;
	va_start(args, format);
	vsnprintf(error->message, sizeof(error->message), format, args);
	va_end(args);
	return code;
}
