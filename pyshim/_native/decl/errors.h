// SPDX-License-Identifier: BSD-3-Clause
/* What went wrong, as the data plane says it. */

enum pg_error_code {
	PG_OK = 0,
	PG_ERROR_USAGE = -1,
	PG_ERROR_DEVICE = -2,
	PG_ERROR_MEMORY = -3,
	PG_ERROR_SYSTEM = -4,
	PG_ERROR_TIMEOUT = -5,
	PG_ERROR_INTERNAL = -6,
};

struct pg_error {
	int32_t code;
	char message[512];
};
