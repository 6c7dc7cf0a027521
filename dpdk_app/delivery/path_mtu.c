// SPDX-License-Identifier: BSD-3-Clause
// delivery/path_mtu.c: see path_mtu.h.

#include "delivery/path_mtu.h"

#include "delivery/delivery.h"
#include "delivery/lists.h"
#include "delivery/prepared.h"

#define LOST_BEHIND 3   // datagrams that overtook it: one is lost (RFC 9002 6.1.1)
#define ACK_REACH 32    // datagrams before the newest that an acknowledgement names
#define LOST_IN_A_ROW 3 // and the path swallows long ones
#define UNIT_MS 32U
#define TIMEOUTS_IN_A_ROW 2
#define PROBES_OF_A_SIZE 3
#define PROBE_EVERY_MS 1000
#define SEARCH_FIRST_MS 10000 // after a handshake that tried longer ones in vain
#define SEARCH_EVERY_MS 600000

/// As struct path_mtu has it.
static uint16_t units_of(const struct delivery_context *ctx, uint64_t now)
{
	return (uint16_t)(now / (UNIT_MS * ctx->rules->millisecond));
}

/// Not sooner than in so many milliseconds.
static uint16_t units_after(const struct delivery_context *ctx, uint64_t now, uint32_t ms)
{
	return (uint16_t)(units_of(ctx, now) + ms / UNIT_MS + 1);
}

static uint32_t room_most(const struct delivery_context *ctx)
{
	return (ctx->datagram_max != 0 ? ctx->datagram_max : SESSION_DATAGRAM_MAX) - SESSION_DATA_MIN;
}

static void set_room(const struct delivery_context *ctx, struct delivery *c, uint32_t room)
{
	c->out.room = (uint16_t)room;
	c->path.changed = true;
	c->path.probe = 0;
	c->path.tried = 0;
	c->path.search = room < room_most(ctx) ? PATH_TO_SEARCH : PATH_WHOLE;
	c->carries_all = room >= SESSION_DATAGRAM_MAX - SESSION_DATA_MIN;
}

void path_mtu_begin(const struct delivery_context *ctx, struct delivery *c, uint16_t room)
{
	set_room(ctx, c, room);
	c->path.changed = false;
}

/// Bytes of a datagram that may be more than the path carries: of the next size that is tried.
static uint16_t next_size(const struct delivery_context *ctx, const struct delivery *c)
{
	static const uint16_t sizes[] = {1000, 1232}; // with some tunnels; IPv6's minimum
	const uint32_t most = room_most(ctx) + SESSION_DATA_MIN;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		if (sizes[i] - SESSION_DATA_MIN > prepared_room_of(&c->out) && sizes[i] < most)
			return sizes[i];
	return (uint16_t)most;
}

// ---------------------------------------------------------------- less

/// What is not reliable is not cut: it fits a datagram of the moment, or is lost.
static void lose_too_long(struct delivery_context *ctx, struct outbound *out, unsigned queue)
{
	const uint32_t waiting =
		out->waiting_mask >> queue & 1 ? outbound_lists(ctx, out)->waiting_in[queue] : POOL_NONE;

	for (uint32_t index = waiting, next; index != POOL_NONE; index = next) {
		next = stored_at(ctx->pool, index)->next;
		if (stored_wire_length(stored_at(ctx->pool, index)) <= prepared_room_of(out))
			continue;
		waiting_remove(ctx, out, queue, index);
		forget(ctx, out, index);
		out->messages--;
		counter_add(&ctx->stats->lost[PG_LOSS_TOO_LONG], 1);
	}
}

void path_mtu_shrink(struct delivery_context *ctx, struct delivery *c, uint64_t now)
{
	c->path.longs = 0;
	c->path.lost = 0;
	set_room(ctx, c, DELIVERY_ROOM_LEAST);
	for (unsigned priority = 0; priority < PRIORITIES; priority++)
		lose_too_long(ctx, &c->out, priority * OUTBOUND_QUEUES + SESSION_CHANNELS);
	outbound_settle(ctx, &c->out);
	path_mtu_search(ctx, c, now);
}

// ---------------------------------------------------------------- what becomes of long datagrams

void path_mtu_left(struct delivery *c, uint32_t counter, uint32_t room)
{
	struct path_mtu *path = &c->path;
	const uint32_t since = counter - path->newest_long;

	if (room <= DELIVERY_ROOM_LEAST)
		return;
	path->longs = (since < 32 ? path->longs << since : 0) | 1;
	path->newest_long = counter;
	c->tries_path = true;
}

/// @param counter  of one that nothing was heard of
/// @return is it settled now?
static bool judge(struct delivery *c, uint32_t counter)
{
	const uint32_t behind = c->acknowledged.newest - counter;

	if (behind >= 1U << 31) // a later one
		return false;
	if (behind <= ACK_REACH && c->acknowledged.named >> behind & 1) {
		c->path.lost = 0;
		return true;
	}
	if (behind < LOST_BEHIND)
		return false;
	if (behind <= ACK_REACH && c->path.lost < LOST_IN_A_ROW) // of others it is not known
		c->path.lost++;
	return true;
}

/// In the order in which they left.
static void judge_all(struct delivery *c)
{
	struct path_mtu *path = &c->path;

	for (uint32_t left = path->longs; left != 0;) {
		const unsigned back = 31U - (unsigned)__builtin_clz(left);

		left &= ~(1U << back);
		if (judge(c, path->newest_long - back))
			path->longs &= ~(1U << back);
	}
}

static bool covers(struct arrived arrived, uint32_t counter)
{
	const uint32_t back = arrived.newest - counter;

	return back <= ACK_REACH && arrived.packets >> back & 1;
}

void path_mtu_told(struct delivery_context *ctx, struct delivery *c, struct arrived arrived, uint64_t now)
{
	struct path_mtu *path = &c->path;

	if (path->probe != 0 && covers(arrived, path->probe)) {
		set_room(ctx, c, next_size(ctx, c) - SESSION_DATA_MIN);
		path_mtu_search(ctx, c, now);
	}
	if (path->longs == 0)
		return;
	judge_all(c);
	if (path->lost >= LOST_IN_A_ROW && prepared_room_of(&c->out) > DELIVERY_ROOM_LEAST)
		path_mtu_shrink(ctx, c, now);
}

void path_mtu_timed_out(struct delivery_context *ctx, struct delivery *c, uint64_t now)
{
	if (c->out.timeouts >= TIMEOUTS_IN_A_ROW && c->path.longs != 0 &&
	    prepared_room_of(&c->out) > DELIVERY_ROOM_LEAST)
		path_mtu_shrink(ctx, c, now);
}

// ---------------------------------------------------------------- more

void path_mtu_put_off(const struct delivery_context *ctx, struct delivery *c, uint64_t now)
{
	c->path.search = PATH_SEARCHED;
	c->path.next = units_after(ctx, now, SEARCH_FIRST_MS);
}

bool path_mtu_search(const struct delivery_context *ctx, struct delivery *c, uint64_t now)
{
	struct path_mtu *path = &c->path;
	const uint16_t now_units = units_of(ctx, now);

	if (path->search != PATH_TO_SEARCH && (path->search != PATH_SEARCHED || (int16_t)(now_units - path->next) < 0))
		return false;
	path->search = PATH_SEARCHING;
	path->tried = 0;
	path->next = now_units;
	return true;
}

/// @param next  as in struct path_mtu
static uint64_t tsc_of(const struct delivery_context *ctx, uint16_t next, uint64_t now)
{
	const uint64_t unit = UNIT_MS * ctx->rules->millisecond;
	const int16_t left = (int16_t)(next - units_of(ctx, now));

	return left > 0 ? now - now % unit + (uint64_t)left * unit : now;
}

uint64_t path_mtu_search_at(const struct delivery_context *ctx, const struct delivery *c, uint64_t now)
{
	if (c->path.search == PATH_TO_SEARCH)
		return now;
	return c->path.search == PATH_SEARCHED ? tsc_of(ctx, c->path.next, now) : UINT64_MAX;
}

/// A PROBE takes nobody's place.
static bool nothing_waits(const struct delivery_context *ctx, const struct outbound *out)
{
	return out->lists == POOL_NONE || (out->waiting == 0 && outbound_lists(ctx, out)->again == POOL_NONE);
}

uint64_t path_mtu_wake(const struct delivery_context *ctx, const struct delivery *c, uint64_t now)
{
	if (c->path.search != PATH_SEARCHING || !nothing_waits(ctx, &c->out))
		return UINT64_MAX;
	return tsc_of(ctx, c->path.next, now);
}

uint16_t path_mtu_probe(const struct delivery_context *ctx, struct delivery *c, uint64_t now)
{
	struct path_mtu *path = &c->path;

	if (path_mtu_wake(ctx, c, now) > now)
		return 0;
	if (path->tried < PROBES_OF_A_SIZE)
		return next_size(ctx, c);
	path->search = PATH_SEARCHED;
	path->next = units_after(ctx, now, SEARCH_EVERY_MS);
	return 0;
}

void path_mtu_probed(const struct delivery_context *ctx, struct delivery *c, uint32_t counter, uint64_t now)
{
	struct path_mtu *path = &c->path;
	const uint32_t timeout_ms = (uint32_t)(round_trip_timeout(&c->out.round_trip, ctx->rules->resend_after_min, 0,
								  false, ctx->rules->millisecond) /
					       ctx->rules->millisecond) +
				    1;

	path->tried++;
	path->probe = counter;
	c->tries_path = true;
	path->next = units_after(ctx, now, timeout_ms > PROBE_EVERY_MS ? timeout_ms : PROBE_EVERY_MS);
	if (c->out.timed == 0) { // it is acknowledged at once: a sample of the round trip
		c->out.timed = counter;
		c->out.timed_at = now;
	}
}
