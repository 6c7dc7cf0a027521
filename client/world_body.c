// SPDX-License-Identifier: BSD-3-Clause
// world_body.c: see world_body.h.

#include "world_body.h"

#include <string.h>

#include "wire/utf8.h"

#define SLOT_BITS 5
#define KIND_BITS 2
#define AGE_BITS 5
#define SORT_BITS 2
#define VERSION_BITS 8
#define BYTES_BITS 6
#define GLIMPSE_PLACE_BITS 8

// ---------------------------------------------------------------- bits

/// The lowest bit first, in bytes and in each number.
struct bits {
	const uint8_t *data;
	size_t at, end;
	bool over; // more was taken than there is
};

/// The eight bytes from there on; zeros behind the end.
static uint64_t word_at(const uint8_t *data, size_t at, size_t bytes)
{
	uint64_t word = 0;

	if (at < bytes)
		memcpy(&word, data + at, bytes - at < sizeof(word) ? bytes - at : sizeof(word));
	return word;
}

/// @param count  at most 57
static uint64_t take(struct bits *bits, unsigned count)
{
	if (bits->end - bits->at < count) {
		bits->over = true;
		return 0;
	}

	const uint64_t word = word_at(bits->data, bits->at / 8, bits->end / 8) >> bits->at % 8;

	bits->at += count;
	return word & ((1ULL << count) - 1);
}

static uint32_t take_u32(struct bits *bits, unsigned count)
{
	return (uint32_t)take(bits, count);
}

static int32_t take_signed(struct bits *bits, unsigned count)
{
	const uint32_t sign = 1U << (count - 1);

	return (int32_t)((take_u32(bits, count) ^ sign) - sign);
}

static int32_t take_zigzag(struct bits *bits, unsigned count)
{
	const uint32_t value = take_u32(bits, count);

	return (int32_t)(value >> 1 ^ (0U - (value & 1)));
}

/// Go to the next whole byte.
/// @return are the bits before it zeros?
static bool align(struct bits *bits)
{
	return take(bits, (unsigned)((8 - bits->at % 8) % 8)) == 0 && !bits->over;
}

// ---------------------------------------------------------------- records

static const uint8_t code_bits[WORLD_SHAPES] = {
#include "wire/world_shapes.def"
};

void world_code_make(struct world_code *code)
{
	unsigned found = 0;

	memset(code, 0, sizeof(*code));
	for (unsigned length = 1; length <= WORLD_SHAPE_BITS; length++)
		for (unsigned shape = 0; shape < WORLD_SHAPES; shape++)
			if (code_bits[shape] == length) {
				code->shape[found++] = (uint8_t)shape;
				code->count[length]++;
			}
}

/// @return 0: no shape has a code like that
static uint8_t take_shape(const struct world_code *code, struct bits *bits)
{
	uint32_t first = 0, shapes = 0, read = 0;

	for (unsigned length = 1; length <= WORLD_SHAPE_BITS; length++) {
		read = read << 1 | take_u32(bits, 1);
		first <<= 1;
		if (read - first < code->count[length])
			return code->shape[shapes + read - first];
		shapes += code->count[length];
		first += code->count[length];
	}
	return 0;
}

static bool take_record(const struct world_code *code, struct bits *bits, struct world_difference *out)
{
	static const uint8_t of_velocity[] = WORLD_WIDTHS_VELOCITY, of_position[] = WORLD_WIDTHS_POSITION;
	const size_t begin = bits->at;

	memset(out, 0, sizeof(*out));
	if (take(bits, 1) == 0)
		return !bits->over;

	const uint8_t shape = take_shape(code, bits);
	const unsigned widths[] = {of_velocity[shape & 3], of_velocity[shape >> 2 & 3], of_position[shape >> 4 & 3],
				   of_position[shape >> 6]};

	for (unsigned axis = 0; axis < 3; axis++)
		out->velocity[axis] = take_zigzag(bits, widths[axis == 2]);
	for (unsigned axis = 0; axis < 3; axis++)
		out->position[axis] = take_zigzag(bits, widths[2 + (axis == 2)]);
	return shape != 0 && !bits->over && bits->at - begin <= WORLD_RECORD_BITS;
}

static bool can_be(const struct world_spot *spot)
{
	for (unsigned axis = 0; axis < 3; axis++)
		if ((uint32_t)spot->position[axis] >> WORLD_POSITION_BITS != 0 ||
		    spot->velocity[axis] != (int16_t)spot->velocity[axis])
			return false;
	return true;
}

bool world_spot_apply(const struct world_spot *base, const struct world_difference *difference, uint8_t age,
		      uint32_t tick_hz, struct world_spot *out)
{
	const unsigned shift = world_velocity_shift(tick_hz);

	for (unsigned axis = 0; axis < 3; axis++) {
		const int32_t velocity = base->velocity[axis] + difference->velocity[axis];
		const int32_t way =
			((base->velocity[axis] + velocity) * age + (WORLD_VELOCITY_PARTS >> shift)) >> (4 - shift);

		out->velocity[axis] = velocity;
		out->position[axis] = base->position[axis] + way + difference->position[axis];
	}
	return can_be(out);
}

// ---------------------------------------------------------------- exceptions

static bool take_older(const struct world_code *code, struct bits *bits, struct world_slot_told *out)
{
	out->what = WORLD_TOLD_RECORD;
	out->age = (uint8_t)take(bits, AGE_BITS);
	return take_record(code, bits, &out->difference) && out->age != 0;
}

static bool take_full(struct bits *bits, struct world_slot_told *out)
{
	out->what = WORLD_TOLD_FULL;
	out->number = take_u32(bits, WORLD_NUMBER_BITS);
	out->identity = take_u32(bits, 32);
	out->sort = (uint8_t)take(bits, SORT_BITS);
	for (unsigned axis = 0; axis < 3; axis++)
		out->spot.position[axis] = (int32_t)take_u32(bits, WORLD_POSITION_BITS);
	for (unsigned axis = 0; axis < 3; axis++)
		out->spot.velocity[axis] = take_signed(bits, WORLD_VELOCITY_BITS);
	return !bits->over && out->sort <= WORLD_OTHER;
}

static bool take_game(struct bits *bits, const struct world_slot_told *who, struct world_slot_game *out)
{
	if (out->told || who->what == WORLD_TOLD_EMPTY)
		return false;
	out->told = true;
	out->version = (uint8_t)take(bits, VERSION_BITS);
	out->bytes = (uint8_t)take(bits, BYTES_BITS);
	if (out->bytes > sizeof(out->data))
		return false;
	for (unsigned i = 0; i < out->bytes; i++)
		out->data[i] = (uint8_t)take(bits, 8);
	return !bits->over;
}

/// Who is in a slot is told once, and before the game's state of them.
static bool take_exception(const struct world_code *code, struct bits *bits, struct world_body *out)
{
	const unsigned slot = take_u32(bits, SLOT_BITS);
	const enum world_exception kind = (enum world_exception)take(bits, KIND_BITS);
	struct world_slot_told *told = &out->slot[slot];

	if (kind == WORLD_GAMES)
		return take_game(bits, told, &out->game[slot]);
	if (told->what != WORLD_TOLD_NOTHING)
		return false;
	if (kind == WORLD_OLDER)
		return take_older(code, bits, told);
	if (out->game[slot].told)
		return false;
	if (kind == WORLD_FULL)
		return take_full(bits, told);
	told->what = WORLD_TOLD_EMPTY;
	return !bits->over;
}

// ---------------------------------------------------------------- the whole

static size_t glimpses_bytes(unsigned glimpses)
{
	return (glimpses * WORLD_GLIMPSE_BITS + 7) / 8;
}

const uint8_t *world_strip_at(const uint8_t *at, struct world_strip *strip)
{
	memcpy(strip, at, sizeof(*strip));
	return at + sizeof(*strip) + glimpses_bytes(strip->glimpses);
}

struct world_glimpse world_glimpse_at(const uint8_t *at, unsigned index)
{
	struct world_strip strip;
	const uint8_t *end = world_strip_at(at, &strip);
	struct bits bits = {
		.data = at + sizeof(strip),
		.at = (size_t)index * WORLD_GLIMPSE_BITS,
		.end = 8 * (size_t)(end - at - (ptrdiff_t)sizeof(strip)),
	};
	const uint32_t number = take_u32(&bits, WORLD_NUMBER_BITS);
	const uint8_t x = (uint8_t)take(&bits, GLIMPSE_PLACE_BITS), y = (uint8_t)take(&bits, GLIMPSE_PLACE_BITS);

	return (struct world_glimpse){number, x, y};
}

/// @return is it exactly so many whole strips, with zeros where a byte is filled?
static bool strips_are_whole(const uint8_t *at, const uint8_t *end, unsigned strips)
{
	struct world_strip strip;

	for (; strips > 0; strips--) {
		if ((size_t)(end - at) < sizeof(strip))
			return false;
		memcpy(&strip, at, sizeof(strip));
		at += sizeof(strip);
		if ((size_t)(end - at) < glimpses_bytes(strip.glimpses))
			return false;
		at += glimpses_bytes(strip.glimpses);
		if (strip.glimpses % 2 != 0 && at[-1] >> 4 != 0)
			return false;
	}
	return at == end;
}

bool world_body_read(const struct world_code *code, const uint8_t *body, size_t length, struct world_body *out)
{
	struct world_state head;
	struct bits bits;

	if (length < sizeof(head))
		return false;
	memcpy(&head, body, sizeof(head));
	if (head.base >= WORLD_AGES || (head.base == 0 && head.present != 0))
		return false;
	memset(out, 0, sizeof(*out));
	out->tick = head.tick;
	out->epoch = head.epoch;
	out->strips = head.strips;
	bits = (struct bits){.data = body + sizeof(head), .end = 8 * (length - sizeof(head))};
	for (unsigned slot = 0; slot < WORLD_SLOTS_MAX; slot++) {
		if (!(head.present >> slot & 1))
			continue;
		out->slot[slot].what = WORLD_TOLD_RECORD;
		out->slot[slot].age = head.base;
		if (!take_record(code, &bits, &out->slot[slot].difference))
			return false;
	}
	for (unsigned i = 0; i < head.exceptions; i++)
		if (!take_exception(code, &bits, out))
			return false;
	if (!align(&bits))
		return false;
	out->strips_at = bits.data + bits.at / 8;
	return strips_are_whole(out->strips_at, body + length, head.strips);
}
static_assert(WORLD_GLIMPSE_BITS == WORLD_NUMBER_BITS + 2 * GLIMPSE_PLACE_BITS && WORLD_GLIMPSE_BITS % 8 == 4,
	      "an odd one ends in the middle of a byte");

bool world_known_read(const uint8_t *body, size_t length, struct world_known *out)
{
	struct world_about about;
	const uint8_t *name = body + sizeof(about);

	if (length < sizeof(about))
		return false;
	memcpy(&about, body, sizeof(about));
	if (about.name_len == 0 || about.name_len > WORLD_NAME_MAX || about.name_len != length - sizeof(about) ||
	    !utf8_valid(name, about.name_len))
		return false;
	if (about.tick_hz == 0) { // in none
		*out = (struct world_known){.any = true, .epoch = about.epoch};
		return true;
	}
	if (about.quantum_um == 0 || about.slots == 0 || about.slots > WORLD_SLOTS_MAX ||
	    (about.cell_shift != 0 && (about.cell_shift < CELL_SHIFT_MIN || about.cell_shift > WORLD_POSITION_BITS)))
		return false;
	*out = (struct world_known){
		.any = true,
		.epoch = about.epoch,
		.tick_hz = about.tick_hz,
		.cell_shift = about.cell_shift,
		.slots = about.slots,
		.quantum_um = about.quantum_um,
		.radius = about.radius,
		.tick = about.tick,
	};
	memcpy(out->low_mm, about.low_mm, sizeof(out->low_mm));
	memcpy(out->name, name, about.name_len);
	return true;
}
