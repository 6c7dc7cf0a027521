// SPDX-License-Identifier: BSD-3-Clause
// bench/reader.c: see reader.h.

#include "bench/reader.h"

#include <stdlib.h>
#include <string.h>

#include "bench/askers.h"
#include "bench/unsealed.h"
#include "crypto/cipher.h"
#include "crypto/keys.h"
#include "load/world_sight.h"
#include "wire/session.h"
#include "world_view.h"

#define GLIMPSES_KEPT 64 // by the view, which is not asked for them

struct reader {
	struct cipher_code code;
	struct cipher_key key CACHE_ALIGNED;
	struct world_view *view;
	uint64_t malformed; // datagrams
	bool plain;
};

struct reader *reader_make(const uint8_t secret[32], bool unsealed)
{
	const struct world_view_rules rules = {.glimpses = GLIMPSES_KEPT};
	struct reader *reader = aligned_alloc(CACHE_LINE, whole_lines(sizeof(*reader)));
	struct traffic_keys keys;

	if (!reader)
		return NULL;
	memset(reader, 0, sizeof(*reader));
	reader->view = malloc(world_view_size(&rules));
	if (!reader->view || !cipher_code_init(&reader->code)) {
		reader_free(reader);
		return NULL;
	}
	if (unsealed)
		unseal(&reader->code);
	world_view_make(reader->view, &rules);
	reader->plain = secret == NULL;
	if (reader->plain)
		return reader;
	traffic_keys_derive(&keys, secret);
	cipher_key_init(&reader->code, &reader->key, keys.to_client, keys.to_client_salt);
	return reader;
}

void reader_free(struct reader *reader)
{
	if (!reader)
		return;
	cipher_code_free(&reader->code);
	free(reader->view);
	free(reader);
}

uint64_t reader_malformed(const struct reader *reader)
{
	const struct world_counts *counts = &reader->view->counts;

	return reader->malformed + counts->malformed + counts->impossible;
}

// ---------------------------------------------------------------- what it says

static void tell_slots(const struct world_view *view, struct reader_told *told)
{
	for (unsigned i = 0; i < WORLD_SLOTS_MAX; i++) {
		const struct world_slot *slot = &view->slot[i];
		const unsigned at = told->tick % WORLD_KEPT_TICKS;
		struct reader_seen *seen = &told->slot[told->slots];

		if (!slot->occupied || !(slot->history.there >> at & 1) || slot->history.tick[at] != told->tick)
			continue;
		seen->number = slot->who.number;
		seen->identity = slot->who.identity;
		memcpy(seen->position, slot->history.spot[at].position, sizeof(seen->position));
		told->slots++;
	}
}

static void tell_glimpses(const struct world_view *view, struct reader_told *told)
{
	const unsigned shift = view->world.cell_shift;
	const uint8_t *at = view->body.strips_at;
	const uint8_t *first = at;

	told->glimpse_off = 1 << (shift - 9);
	for (unsigned i = 0; i < view->body.strips; i++) {
		struct world_strip strip;
		const uint8_t *next = world_strip_at(at, &strip);

		for (unsigned j = 0; j < strip.glimpses && told->glimpses < READER_GLIMPSES_MAX; j++) {
			const struct world_glimpse glimpse = world_glimpse_at(at, j);

			told->glimpse[told->glimpses++] = (struct reader_seen){
				.number = glimpse.number,
				.position = {(strip.cell_x << shift) + (glimpse.x << (shift - 8)) + (1 << (shift - 9)),
					     (strip.cell_y << shift) + (glimpse.y << (shift - 8)) + (1 << (shift - 9))},
			};
		}
		at = next;
	}
	told->state_bytes -= (uint32_t)(at - first);
}

static void take(struct reader *reader, uint8_t type, const uint8_t *body, uint16_t length, uint32_t counter,
		 struct reader_told *told)
{
	struct world_known known;

	if (type == SESSION_WORLD && world_known_read(body, length, &known)) {
		world_view_begin(reader->view, &known, counter);
	} else if (type == SESSION_WORLD_STATE) {
		const uint64_t before = reader->view->counts.states;

		world_view_apply(reader->view, body, length, counter, 0);
		told->any = reader->view->counts.states != before;
		told->tick = reader->view->newest;
		if (told->any) {
			told->state_bytes = length;
			tell_slots(reader->view, told);
			tell_glimpses(reader->view, told);
		}
	}
	reader->view->news = (struct world_news){0};
}

/// @return false: messages that no gateway sends
static bool take_messages(struct reader *reader, const uint8_t *at, size_t left, uint32_t counter,
			  struct reader_told *told)
{
	struct session_message head;

	while (left >= sizeof(head)) {
		size_t before = sizeof(head);

		memcpy(&head, at, sizeof(head));
		before += head.flags & SESSION_MESSAGE_RELIABLE ? sizeof(uint16_t) : 0;
		if (before + head.body_len > left)
			return false;
		take(reader, head.type, at + before, head.body_len, counter, told);
		at += before + head.body_len;
		left -= before + head.body_len;
	}
	return left == 0;
}

/// Nothing but the answer is known.
static bool take_sight(struct reader *reader, const uint8_t *answer, uint16_t length, struct reader_told *told)
{
	const struct plain_sight *head = (const struct plain_sight *)answer;
	struct world_sight sight;

	if (!world_sight_read(answer, length, ASKERS_QUESTION_BYTES, reader->view, &sight))
		return false;
	told->any = sight.view != NULL;
	if (told->any) {
		told->tick = reader->view->newest;
		told->state_bytes = length - (uint32_t)sizeof(*head) - head->about;
		tell_slots(reader->view, told);
	}
	return true;
}

bool reader_take(struct reader *reader, const uint8_t *datagram, uint16_t length, struct reader_told *told)
{
	const struct session_header *header = (const struct session_header *)datagram;
	uint8_t copy[SESSION_DATAGRAM_MAX];

	told->any = false;
	told->slots = told->glimpses = 0;
	if (reader->plain)
		return take_sight(reader, datagram, length, told);
	if (length < SESSION_DATA_MIN || length > sizeof(copy))
		return false;
	memcpy(copy, datagram, length);
	if (!cipher_open(&reader->code, &reader->key, header->counter, copy, sizeof(*header), length))
		return false;
	return header->kind != SESSION_DATA ||
	       take_messages(reader, copy + SESSION_BEFORE_MESSAGES, length - SESSION_DATA_MIN, header->counter, told);
}
