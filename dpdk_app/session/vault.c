// SPDX-License-Identifier: BSD-3-Clause
// session/vault.c: see vault.h.

#include "session/vault.h"

#include <string.h>

#include "session/state.h"

static_assert(sizeof(struct cookie_secret) == STATE_COOKIE_SECRET_LEN, "is kept in the state");

void vault_open(struct vault *vault, void *state)
{
	const struct state_parts parts = state_parts(state);

	vault->capacity = parts.issued_capacity;
	vault->used = &parts.desk->used;
	vault->records = parts.records;
	vault->players = parts.players;
	vault->numbers = parts.numbers;
	memcpy(vault->cookies.bytes, parts.cookie_secret, sizeof(vault->cookies.bytes));
}
