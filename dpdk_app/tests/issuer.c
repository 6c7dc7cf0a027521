// SPDX-License-Identifier: BSD-3-Clause
// issuer.c: see issuer.h.

#include "issuer.h"

#include <stdlib.h>
#include <string.h>

#include "rig.h"
#include "session/issuing.h"
#include "unit.h"

struct pg_error issuer_error;

struct issuer issuer_open(uint32_t slots)
{
	const size_t size = pg_state_size(64, 2, slots);
	struct issuer o = {.state = zeroed_lines(size)};

	assert_int_equal(pg_state_init(o.state, size, 64, 2, slots, &issuer_error), PG_OK);
	o.parts = state_parts(o.state);
	return o;
}

void issuer_close(struct issuer *o)
{
	pg_state_release(o->state);
	free(o->state);
}

uint32_t issue_for(const struct issuer *o, uint32_t player, uint32_t ttl_s)
{
	struct pg_issue_request request = {.player_id = player, .ttl_s = ttl_s};
	uint32_t session = 0;

	memset(request.key, (int)player, sizeof(request.key));
	return pg_session_issue(o->state, &request, &session, &issuer_error) == PG_OK ? session : 0;
}

uint32_t issue(const struct issuer *o, uint32_t player)
{
	return issue_for(o, player, 1000);
}

uint32_t slot_in(const struct issuer *o, uint32_t session)
{
	return session_slot(&o->parts.numbers, session);
}

struct session_record *record_of(const struct issuer *o, uint32_t session)
{
	return &o->parts.records[slot_in(o, session)];
}

void end_now(const struct issuer *o, uint32_t session)
{
	struct session_record *record = record_of(o, session);

	struct deadlines *deadlines = &issuing_of(o->state)->deadlines;

	assert_true(deadlines_remove(deadlines, slot_in(o, session)));
	record->expires_at = 1;
	deadlines_add(deadlines, slot_in(o, session));
}

void connect_to(const struct issuer *o, uint32_t session, uint8_t worker)
{
	struct session_record *record = record_of(o, session);

	assert_true(record_claim(record, session, worker));
	record->phase = RECORD_CONNECTED;
}
