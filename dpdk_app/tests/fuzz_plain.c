// SPDX-License-Identifier: BSD-3-Clause
// fuzz_plain.c: a payload that plain_check accepts is a message as the protocol document has it.

#include <math.h>
#include <string.h>

#include "frames.h"
#include "game/effect.h"
#include "message/plain.h"
#include "utf8_oracle.h"

static void require(bool condition)
{
	if (!condition)
		__builtin_trap();
}

static bool finite_floats(const uint8_t *at, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		float value;

		memcpy(&value, at + 4 * i, sizeof(value));
		if (!isfinite(value))
			return false;
	}
	return true;
}

static bool chat_by_the_book(const uint8_t *data, size_t size)
{
	const size_t text = size - 28;

	return size > 28 && text <= 512 && (data[26] | data[27] << 8) == (int)text && data[25] == 0 &&
	       utf8_oracle(data + 28, text);
}

/// The protocol document's table.
static bool by_the_book(const uint8_t *data, size_t size)
{
	if (size < 20 || get_le32(data + 4) != size)
		return false;
	switch (get_le32(data)) {
	case 1:
		return size == 44 && finite_floats(data + 20, 6);
	case 2:
		return size == 40 && finite_floats(data + 28, 3);
	case 3:
		return chat_by_the_book(data, size);
	case 4:
		return size == 20;
	case 5:
		return size == 28;
	default:
		return false;
	}
}

/// Section 19 of PROTOCOL.md.
static bool look_by_the_book(const uint8_t *data, size_t size)
{
	return size >= 192 && size <= 1232 && get_le32(data) == 6 && get_le32(data + 4) == size && data[21] == 0 &&
	       data[22] == 0 && data[23] == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > UINT16_MAX)
		return 0;
	require((look_check(data, (uint16_t)size) == PG_DROP_NONE) == look_by_the_book(data, size));

	const enum pg_drop drop = plain_check(data, (uint16_t)size);

	require((drop == PG_DROP_NONE) == by_the_book(data, size));
	require(pg_drop_name(drop) != NULL || drop == PG_DROP_NONE);
	if (drop != PG_DROP_NONE)
		return 0;

	const struct plain_session before = {.player_id = 1, .motion_version = 4};
	struct plain_session session = before;

	plain_apply(&session, data);
	require(session.motion_version % 2 == 0);
	require(session.player_id == before.player_id && session.received == before.received);
	if (get_le32(data) == 1)
		require(memcmp((const uint8_t *)&session.motion, data + 20, sizeof(session.motion)) == 0);
	else
		require(memcmp((const uint8_t *)&session, (const uint8_t *)&before, sizeof(session)) == 0);
	return 0;
}
