// SPDX-License-Identifier: BSD-3-Clause
// tests/world_client.c: reads WORLD_STATE as PROTOCOL.md says it, one bit after the other.

#include "world_client.h"

#include <string.h>

#define PLAYER 0 // sort

static const uint8_t code_lengths[256] = {
#include "wire/world_shapes.def"
};
static const unsigned velocity_widths[4] = {0, 4, 7, 9}, position_widths[4] = {0, 2, 4, 8};

struct bits {
	const uint8_t *bytes;
	size_t length, at;
	bool bad;
};

static uint32_t bit(struct bits *bits)
{
	const size_t at = bits->at++;

	if (at >= 8 * bits->length) {
		bits->bad = true;
		return 0;
	}
	return bits->bytes[at / 8] >> at % 8 & 1;
}

static uint32_t number(struct bits *bits, unsigned width)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < width; i++)
		value |= bit(bits) << i;
	return value;
}

static int32_t signed_number(struct bits *bits, unsigned width)
{
	const uint32_t value = number(bits, width);

	return value & 1 ? -(int32_t)(value / 2) - 1 : (int32_t)(value / 2);
}

/// Canonical codes: those of a length follow each other, by shape.
static unsigned shape(struct bits *bits)
{
	uint32_t code = 0, first = 0;

	for (unsigned length = 1; length <= 16; length++) {
		uint32_t nth = 0;

		code = code << 1 | bit(bits);
		first <<= 1;
		for (unsigned one = 0; one < 256; one++) {
			if (code_lengths[one] != length)
				continue;
			if (first + nth == code)
				return one;
			nth++;
		}
		first += nth;
	}
	bits->bad = true;
	return 0;
}

static int32_t floor_of_16th(int32_t n)
{
	return n >= 0 ? n / 16 : -((-n + 15) / 16);
}

static void read_record(struct bits *bits, int32_t dv[3], int32_t dp[3])
{
	memset(dv, 0, 3 * sizeof(*dv)), memset(dp, 0, 3 * sizeof(*dp));
	if (bit(bits) == 0)
		return;

	const unsigned found = shape(bits);

	for (unsigned axis = 0; axis < 3; axis++)
		dv[axis] = signed_number(bits, velocity_widths[axis < 2 ? found % 4 : found / 4 % 4]);
	for (unsigned axis = 0; axis < 3; axis++)
		dp[axis] = signed_number(bits, position_widths[axis < 2 ? found / 16 % 4 : found / 64]);
}

static void keep(struct client *client, unsigned slot, uint32_t tick, const struct client_place *place)
{
	struct client_slot *in = &client->slot[slot];

	in->in[tick % CLIENT_TICKS].there = true;
	in->in[tick % CLIENT_TICKS].tick = tick;
	in->in[tick % CLIENT_TICKS].place = *place;
	if (!in->was_told || (int32_t)(tick - in->told) > 0)
		in->told = tick;
	in->was_told = true;
	client->said[client->says++] = (struct client_said){
		.slot = slot, .tick = tick, .decoded = true, .number = in->number, .place = *place};
}

static void take_record(struct client *client, struct bits *bits, unsigned slot, uint32_t tick, uint32_t age)
{
	const uint32_t base = tick - age;
	const struct client_slot *in = &client->slot[slot];
	const struct client_place *from = &in->in[base % CLIENT_TICKS].place;
	const size_t begins = bits->at;
	struct client_place place;
	int32_t dv[3], dp[3];

	read_record(bits, dv, dp);
	client->bits += (unsigned)(bits->at - begins);
	client->oldest = age > client->oldest ? age : client->oldest;
	if (!in->in[base % CLIENT_TICKS].there || in->in[base % CLIENT_TICKS].tick != base) {
		client->said[client->says++] = (struct client_said){.slot = slot, .tick = tick, .base = base};
		return;
	}
	for (unsigned axis = 0; axis < 3; axis++) {
		place.velocity[axis] = from->velocity[axis] + dv[axis];
		place.position[axis] = from->position[axis] +
				       floor_of_16th((from->velocity[axis] + place.velocity[axis]) * (int32_t)age + 8) +
				       dp[axis];
	}
	keep(client, slot, tick, &place);
}

static void empty(struct client_slot *in)
{
	for (unsigned i = 0; i < CLIENT_TICKS; i++)
		in->in[i].there = false;
	in->number = CLIENT_NOBODY;
	in->has_state = false;
}

static bool is_overtaken(const struct client_slot *in, uint32_t tick)
{
	return in->was_told && (int32_t)(tick - in->told) < 0;
}

/// Another slot that a player is in.
static struct client_slot *other_slot(struct client *client, unsigned slot, uint32_t identity, uint32_t sort)
{
	for (unsigned other = 0; other < CLIENT_SLOTS; other++) {
		struct client_slot *in = &client->slot[other];

		if (other != slot && sort == PLAYER && in->number != CLIENT_NOBODY && in->sort == sort &&
		    in->identity == identity)
			return in;
	}
	return NULL;
}

/// Somebody comes into a slot, and out of any other: a player is in one at a time.
/// @return false: something newer is known
static bool enter(struct client *client, unsigned slot, uint32_t identity, uint32_t sort, uint32_t tick)
{
	struct client_slot *in = &client->slot[slot], *other = other_slot(client, slot, identity, sort);

	if (other && (int32_t)(tick - other->came) < 0) {
		in->was_late = true;
		in->late = other->came;
		return false;
	}
	if (is_overtaken(in, tick))
		return false;
	if (other) {
		empty(other);
		other->was_late = true;
		other->late = tick;
	}
	empty(in);
	in->came = tick;
	return true;
}

static void take_full(struct client *client, struct bits *bits, unsigned slot, uint32_t tick)
{
	struct client_slot *in = &client->slot[slot];
	struct client_place place;
	const uint32_t who = number(bits, 20), identity = number(bits, 32), sort = number(bits, 2);

	client->fulls++;
	for (unsigned axis = 0; axis < 3; axis++)
		place.position[axis] = (int32_t)number(bits, 21);
	for (unsigned axis = 0; axis < 3; axis++)
		place.velocity[axis] = (int16_t)number(bits, 16);
	if (who != in->number && !enter(client, slot, identity, sort, tick))
		return;
	in->number = who;
	in->identity = identity, in->sort = sort;
	keep(client, slot, tick, &place);
}

static void take_empty(struct client *client, unsigned slot, uint32_t tick)
{
	struct client_slot *in = &client->slot[slot];

	if (is_overtaken(in, tick))
		return;
	empty(in);
	in->told = tick, in->was_told = true;
}

/// @return false: longer than any
static bool take_state(struct client *client, struct bits *bits, unsigned slot, uint32_t tick)
{
	struct client_slot *in = &client->slot[slot];
	const uint8_t version = (uint8_t)number(bits, 8), bytes = (uint8_t)number(bits, 6);
	uint8_t state[32] = {0};

	if (bytes > sizeof(state))
		return false;
	for (unsigned i = 0; i < bytes; i++)
		state[i] = (uint8_t)number(bits, 8);
	client->states++;
	if (in->number == CLIENT_NOBODY || (int32_t)(tick - in->came) < 0 ||
	    (in->has_state && (int32_t)(tick - in->state_tick) < 0))
		return true;
	in->has_state = true;
	in->state_tick = tick;
	in->state_version = version, in->state_bytes = bytes;
	memcpy(in->state, state, sizeof(state));
	return true;
}

static void begin(struct client *client, uint8_t epoch)
{
	for (unsigned slot = 0; slot < CLIENT_SLOTS; slot++) {
		empty(&client->slot[slot]);
		client->slot[slot].was_told = client->slot[slot].was_late = false;
	}
	client->epoch = epoch;
}

/// @return false: a state of an epoch that is over
static bool is_of_now(struct client *client, uint16_t low, uint8_t epoch, uint32_t counter, uint32_t *tick)
{
	const bool newer = !client->any || (int32_t)(counter - client->counter) > 0;

	if (!client->any || epoch != client->epoch) {
		if (!newer)
			return false;
		begin(client, epoch);
		if (!client->any)
			client->newest += (uint32_t)(int16_t)(uint16_t)(low - client->newest);
		client->any = true;
	}
	if (newer)
		client->counter = counter;
	*tick = client->newest + (uint32_t)(int16_t)(low - client->newest);
	if ((int32_t)(*tick - client->newest) > 0)
		client->newest = *tick;
	return true;
}

/// What is not told against the common baseline.
/// @param present  slots that are
static bool take_exceptions(struct client *client, struct bits *bits, uint32_t exceptions, uint32_t present,
			    uint32_t tick)
{
	uint32_t said = present, stated = 0;

	for (unsigned i = 0; i < exceptions; i++) {
		const unsigned slot = number(bits, 5), kind = number(bits, 2);
		const uint32_t before = kind == 3 ? stated : said;
		uint32_t age;

		if (before >> slot & 1)
			return false;
		*(kind == 3 ? &stated : &said) |= 1U << slot;
		switch (kind) {
		case 0:
			age = number(bits, 5);
			if (age == 0)
				return false;
			take_record(client, bits, slot, tick, age);
			break;
		case 1:
			take_full(client, bits, slot, tick);
			break;
		case 2:
			take_empty(client, slot, tick);
			break;
		default:
			if (!take_state(client, bits, slot, tick))
				return false;
		}
	}
	return true;
}

bool client_read(struct client *client, const uint8_t *body, size_t length, uint32_t counter)
{
	struct bits bits = {.bytes = body, .length = length};
	const uint16_t low = (uint16_t)number(&bits, 16);
	const uint8_t epoch = (uint8_t)number(&bits, 8), base = (uint8_t)number(&bits, 8);
	const uint32_t present = number(&bits, 32), exceptions = number(&bits, 8), strips = number(&bits, 8);
	uint32_t tick = 0;

	client->says = client->bits = client->oldest = client->fulls = client->states = 0;
	if (bits.bad || base > 31 || (base == 0) != (present == 0) || strips != 0)
		return false;
	if (!is_of_now(client, low, epoch, counter, &tick))
		return true;
	for (unsigned slot = 0; slot < CLIENT_SLOTS; slot++)
		if (present >> slot & 1)
			take_record(client, &bits, slot, tick, base);
	if (!take_exceptions(client, &bits, exceptions, present, tick))
		return false;
	while (bits.at % 8 != 0)
		if (bit(&bits) != 0)
			return false;
	return !bits.bad && bits.at == 8 * length;
}
