// SPDX-License-Identifier: BSD-3-Clause
// port/arguments.c: see arguments.h.

#include "port/arguments.h"

#include <stdio.h>
#include <string.h>

const char *argument_next(const char *arguments, const char *key, char *value, size_t room)
{
	const size_t length = strlen(key);
	const char *at = arguments;

	while (at && *at) {
		const size_t size = strcspn(at, ",");
		const char *next = at + size + (at[size] == ',');

		if (size > length && at[length] == '=' && strncmp(at, key, length) == 0) {
			snprintf(value, room, "%.*s", (int)(size - length - 1), at + length + 1);
			return next;
		}
		at = next;
	}
	return NULL;
}
