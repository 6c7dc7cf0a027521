// SPDX-License-Identifier: BSD-3-Clause
// game/orders.c: see orders.h.
//
// A process can change its memory while it is read. So each number is copied once, and what is copied is checked; a body that
// is looked into is copied first. A body of the game's own is bytes to us, whatever they are.

#include "game/orders.h"

#include <string.h>

#include "bus/wait.h"
#include "game/events.h"
#include "message/finite.h"
#include "message/session_check.h"
#include "net/headers.h"
#include "session/connection.h"

#define UNITS_PER_LOOK 16 // at the clock

/// Reading that takes so long for each of its units, turn after turn, is no reading: memory is taken away under it.
#define SLOW_US_PER_UNIT 20U
#define US_PER_S 1000000U
#define SLOW_TURNS_MAX 64
#define UNIT_BYTES 1024U

/// What an order costs, for the comparison: one, and one more for each receiver and each KiB.
struct cost {
	uint64_t units;
};

// ---------------------------------------------------------------- a message

/// Can a game say this to a player?
static bool outgoing_fits(const struct game_outgoing *head)
{
	if (head->channel >= SESSION_CHANNELS || head->priority >= PRIORITIES || (head->flags & ~GAME_RELIABLE) != 0)
		return false;
	return session_event(head->type) != PG_EVENTS;
}

/// @param body  where it lies in the ring
/// @return PG_ORDER_REFUSED_NONE, or why it cannot be
static enum pg_order_refusal open_message(const struct game *game, const struct game_outgoing *head,
					  const uint8_t *body, uint32_t length, struct outgoing *out)
{
	*out = (struct outgoing){
		.type = head->type,
		.channel = head->channel,
		.reliable = head->flags & GAME_RELIABLE,
		.priority = (enum priority)head->priority,
		.sender = head->sender,
		.body = body,
		.length = length,
	};
	if (!outgoing_fits(head))
		return PG_ORDER_REFUSED_TYPE;
	if (length > SESSION_MESSAGE_MAX)
		return PG_ORDER_REFUSED_LENGTH;
	if (session_is_game(head->type))
		return PG_ORDER_REFUSED_NONE;
	memcpy(game->scratch, body, length);
	out->body = game->scratch;
	return session_event_check(head->type, out->body, length) == PG_DROP_NONE ? PG_ORDER_REFUSED_NONE :
										    PG_ORDER_REFUSED_BODY;
}

/// @return what becomes of it, as far as that is known
static enum pg_order_refusal send_to(struct game *game, uint32_t player, const struct outgoing *message, uint64_t now)
{
	switch (session_relay(game->shard, player, message, now)) {
	case PG_LOSS_NONE:
		return PG_ORDER_REFUSED_NONE;
	case PG_LOSS_NO_PLAYER:
		return PG_ORDER_REFUSED_NO_PLAYER;
	default:
		return PG_ORDER_REFUSED_LOST;
	}
}

static enum pg_order_refusal obey_send(struct game *game, const uint8_t *record, uint32_t length, uint64_t now)
{
	enum pg_order_refusal refusal;
	struct outgoing message;
	struct game_send send;

	if (length < sizeof(send))
		return PG_ORDER_REFUSED_LENGTH;
	memcpy(&send, record, sizeof(send));
	refusal = open_message(game, &send.message, record + sizeof(send), length - (uint32_t)sizeof(send), &message);
	return refusal == PG_ORDER_REFUSED_NONE ? send_to(game, send.player, &message, now) : refusal;
}

/// @return the reason of the last one who did not get it
static enum pg_order_refusal obey_send_list(struct game *game, const uint8_t *record, uint32_t length,
					    struct cost *cost, uint64_t now)
{
	enum pg_order_refusal refusal, any = PG_ORDER_REFUSED_NONE;
	struct game_send_list list;
	struct outgoing message;
	uint32_t before;

	if (length < sizeof(list))
		return PG_ORDER_REFUSED_LENGTH;
	memcpy(&list, record, sizeof(list));
	if (list.count > GAME_LIST_MAX)
		return PG_ORDER_REFUSED_RECEIVERS;
	before = game_list_bytes(list.count);
	if (length < before)
		return PG_ORDER_REFUSED_LENGTH;
	refusal = open_message(game, &list.message, record + before, length - before, &message);
	if (refusal != PG_ORDER_REFUSED_NONE)
		return refusal;
	for (uint32_t i = 0; i < list.count; i++) {
		refusal = send_to(game, load32(record + sizeof(list) + i * sizeof(uint32_t)), &message, now);
		any = refusal != PG_ORDER_REFUSED_NONE ? refusal : any;
	}
	cost->units += list.count;
	return any;
}

// ---------------------------------------------------------------- what is done to a player

/// A player's session, if it is ours and connected.
static struct session_record *player_here(const struct game *game, uint32_t player, uint32_t *slot)
{
	struct session_record *record;

	*slot = store_player(game->shard->store, player);
	if (*slot == PLAYER_NONE)
		return NULL;
	record = &game->shard->store->records[*slot];
	return record_owner(record) == game->shard->worker && record_is_connected(record) ? record : NULL;
}

static enum pg_order_refusal obey_kick(struct game *game, const uint8_t *record, uint32_t length, uint64_t now)
{
	struct game_kick kick;
	uint32_t slot;

	if (length != sizeof(kick))
		return PG_ORDER_REFUSED_LENGTH;
	memcpy(&kick, record, sizeof(kick));
	if (!player_here(game, kick.player, &slot))
		return PG_ORDER_REFUSED_NO_PLAYER;
	connection_kick(game->shard, slot, kick.reason, now);
	return PG_ORDER_REFUSED_NONE;
}

/// The player hears of it in order, behind what was said before.
static enum pg_order_refusal obey_place(struct game *game, const uint8_t *record, uint32_t length, uint64_t now)
{
	struct session_record *placed;
	struct outgoing message;
	struct game_place place;
	uint8_t motion[sizeof(struct motion)];
	uint32_t slot;

	if (length != sizeof(place))
		return PG_ORDER_REFUSED_LENGTH;
	memcpy(&place, record, sizeof(place));
	memcpy(motion, place.position, sizeof(motion));
	if (!floats6_finite(motion))
		return PG_ORDER_REFUSED_BODY;
	placed = player_here(game, place.player, &slot);
	if (!placed)
		return PG_ORDER_REFUSED_NO_PLAYER;
	record_move(placed, motion);
	message = (struct outgoing){.type = SESSION_CORRECTION,
				    .reliable = true,
				    .priority = PRIORITY_URGENT,
				    .body = motion,
				    .length = sizeof(motion)};
	return session_deliver(game->shard, record_session(placed), &message, now) == PG_LOSS_NONE ?
		       PG_ORDER_REFUSED_NONE :
		       PG_ORDER_REFUSED_LOST;
}

static enum pg_order_refusal obey_ask(struct game *game, unsigned process, const uint8_t *record, uint32_t length)
{
	const struct delivery *c;
	struct game_ask ask;
	uint32_t slot;

	if (length != sizeof(ask))
		return PG_ORDER_REFUSED_LENGTH;
	memcpy(&ask, record, sizeof(ask));
	if (!player_here(game, ask.player, &slot))
		return PG_ORDER_REFUSED_NO_PLAYER;
	c = store_delivery(game->shard->store, slot);
	game_tell_quality(game, process,
			  &(struct game_quality){
				  .player = ask.player,
				  .cookie = ask.cookie,
				  .round_trip_us = (uint32_t)(c->out.round_trip.smoothed * 1000 /
							      game->shard->rules->delivery.millisecond),
				  .deviation_us = (uint32_t)(c->out.round_trip.variance * 1000 /
							     game->shard->rules->delivery.millisecond),
				  .sent = c->out.left,
				  .lost = c->out.left_again,
			  });
	return PG_ORDER_REFUSED_NONE;
}

// ---------------------------------------------------------------- groups

static enum pg_order_refusal obey_group(struct game *game, unsigned process, enum game_order_type type,
					const uint8_t *record, uint32_t length)
{
	struct groups *groups = &game->link[process]->groups;
	struct game_group order;
	uint32_t slot;
	bool done;

	if (length != sizeof(order))
		return PG_ORDER_REFUSED_LENGTH;
	memcpy(&order, record, sizeof(order));
	if (type == GAME_GROUP_END)
		return groups_end(groups, order.group) ? PG_ORDER_REFUSED_NONE : PG_ORDER_REFUSED_NO_GROUP;
	if (!player_here(game, order.player, &slot))
		return PG_ORDER_REFUSED_NO_PLAYER;
	done = type == GAME_GROUP_JOIN ? groups_join(groups, order.group, slot) :
					 groups_leave(groups, order.group, slot);
	return done ? PG_ORDER_REFUSED_NONE : PG_ORDER_REFUSED_NO_GROUP;
}

/// To the members that are this worker's, which may be none.
static enum pg_order_refusal obey_send_group(struct game *game, unsigned process, const uint8_t *record,
					     uint32_t length, struct cost *cost, uint64_t now)
{
	const struct groups *groups = &game->link[process]->groups;
	enum pg_order_refusal refusal;
	struct game_send_group send;
	struct outgoing message;

	if (length < sizeof(send))
		return PG_ORDER_REFUSED_LENGTH;
	memcpy(&send, record, sizeof(send));
	refusal = open_message(game, &send.message, record + sizeof(send), length - (uint32_t)sizeof(send), &message);
	if (refusal != PG_ORDER_REFUSED_NONE)
		return refusal;
	for (uint32_t at = groups_first(groups, send.group); at != GROUP_NONE; at = groups_next(groups, at)) {
		const struct session_record *to = &game->shard->store->records[groups_slot(groups, at)];

		cost->units++;
		if (to->player_id != send.except &&
		    session_deliver(game->shard, record_session(to), &message, now) != PG_LOSS_NONE)
			refusal = PG_ORDER_REFUSED_LOST;
	}
	return refusal;
}

// ---------------------------------------------------------------- orders

static enum pg_order_refusal obey(struct game *game, unsigned process, const struct ring_message *order,
				  struct cost *cost, uint64_t now)
{
	const uint8_t *record = order->body;

	switch ((enum game_order_type)order->type) {
	case GAME_SEND:
		return obey_send(game, record, order->length, now);
	case GAME_SEND_LIST:
		return obey_send_list(game, record, order->length, cost, now);
	case GAME_SEND_GROUP:
		return obey_send_group(game, process, record, order->length, cost, now);
	case GAME_GROUP_JOIN:
	case GAME_GROUP_LEAVE:
	case GAME_GROUP_END:
		return obey_group(game, process, (enum game_order_type)order->type, record, order->length);
	case GAME_KICK:
		return obey_kick(game, record, order->length, now);
	case GAME_PLACE:
		return obey_place(game, record, order->length, now);
	case GAME_ASK:
		return obey_ask(game, process, record, order->length);
	default:
		return PG_ORDER_REFUSED_UNKNOWN;
	}
}

static void count(struct pg_process_counts *counts, enum pg_order_refusal refusal)
{
	counter_add(&counts->orders, 1);
	if (unlikely(refusal != PG_ORDER_REFUSED_NONE))
		counter_add(&counts->refused[refusal], 1);
}

/// Did the time that it took have nothing to do with what was read?
static void judge(struct game *game, unsigned process, uint64_t took, const struct cost *cost)
{
	struct game_link *link = game->link[process];

	if (took <= game->routes->read_budget ||
	    took <= cost->units * (game->shard->tsc_hz / US_PER_S * SLOW_US_PER_UNIT)) {
		link->slow = 0;
		return;
	}
	if (++link->slow >= SLOW_TURNS_MAX)
		game_give_up(game, process,
			     "its memory takes longer to read than game.read_budget_us allows, again and again");
}

unsigned game_obey(struct game *game, unsigned process, uint64_t now)
{
	struct game_link *link = game->link[process];
	const uint64_t began = pg_tsc();
	struct ring_message order;
	struct cost cost = {.units = 1};
	uint64_t took = 0, look_at = UNITS_PER_LOOK;
	unsigned done = 0;

	while (took <= game->routes->read_budget) {
		const int n = ring_peek(&link->in, &order, 1);

		if (n < 0) {
			game_give_up(game, process, ring_fault_text(link->in.fault));
			return done;
		}
		if (n == 0)
			break;
		if (order.kind == RING_MESSAGE)
			count(&game->counts[process], obey(game, process, &order, &cost, now));
		cost.units += 1 + order.length / UNIT_BYTES;
		done++;
		if (cost.units < look_at)
			continue;
		took = pg_tsc() - began;
		look_at = cost.units + UNITS_PER_LOOK;
	}
	if (done == 0)
		return 0;
	ring_release(&link->in);
	judge(game, process, pg_tsc() - began, &cost);
	return done;
}
