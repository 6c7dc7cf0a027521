// SPDX-License-Identifier: BSD-3-Clause
// game/many.c: see many.h.

#include "game/many.h"

#include <string.h>

#include "game/clients.h"
#include "game/said.h"

/// Those of this worker have one body in memory.
static enum pg_order_refusal send_here(struct game *game, struct many *many, uint32_t session,
				       const struct outgoing *message, uint64_t now)
{
	if (!many->begun)
		broadcast_begin(&game->shard->ctx, &many->message, message);
	many->begun = true;
	return session_deliver_broadcast(game->shard, session, &many->message, now) == PG_LOSS_NONE ?
		       PG_ORDER_REFUSED_NONE :
		       PG_ORDER_REFUSED_LOST;
}

static bool is_refused(struct many *many, enum pg_order_refusal refusal)
{
	if (likely(refusal == PG_ORDER_REFUSED_NONE))
		return false;
	many->refusal = refusal;
	return true;
}

// ---------------------------------------------------------------- a list

static enum pg_order_refusal send_one(struct game *game, struct many *many, uint32_t player,
				      const struct outgoing *message, uint64_t now)
{
	uint32_t slot;
	const struct session_record *here;

	if (unlikely(client_of(game, player) != NETCODE_NONE))
		return said_send(game, player, message, now);
	here = said_player(game, player, &slot);
	return here ? send_here(game, many, record_session(here), message, now) : said_send(game, player, message, now);
}

static enum pg_order_refusal open_list(const struct game *game, const uint8_t *record, uint32_t length,
				       struct game_send_list *list, struct outgoing *message)
{
	uint32_t before;

	if (length < sizeof(*list))
		return PG_ORDER_REFUSED_LENGTH;
	memcpy(list, record, sizeof(*list));
	if (list->count > GAME_LIST_MAX)
		return PG_ORDER_REFUSED_RECEIVERS;
	before = game_list_bytes(list->count);
	if (length < before)
		return PG_ORDER_REFUSED_LENGTH;
	return said_open(game, &list->message, record + before, length - before, message);
}

/// @return is everybody served?
static bool send_list(struct game *game, struct many *many, const uint8_t *record, uint32_t length, struct slice *slice,
		      uint64_t now)
{
	struct game_send_list list;
	struct outgoing message;

	if (is_refused(many, open_list(game, record, length, &list, &message)))
		return true;
	while (many->done < list.count && !slice_is_over(slice)) {
		const uint32_t at = (uint32_t)sizeof(list) + many->done++ * (uint32_t)sizeof(uint32_t);

		(void)is_refused(many, send_one(game, many, load32(record + at), &message, now));
		slice_spend(slice, 1);
	}
	return many->done >= list.count;
}

// ---------------------------------------------------------------- a group

static enum pg_order_refusal open_group(const struct game *game, const uint8_t *record, uint32_t length,
					struct game_send_group *send, struct outgoing *message)
{
	if (length < sizeof(*send))
		return PG_ORDER_REFUSED_LENGTH;
	memcpy(send, record, sizeof(*send));
	return said_open(game, &send->message, record + sizeof(*send), length - (uint32_t)sizeof(*send), message);
}

static enum pg_order_refusal send_member(struct game *game, struct many *many, uint32_t slot, uint32_t except,
					 const struct outgoing *message, uint64_t now)
{
	const struct session_record *to;

	if (unlikely(slot >= game->first_client))
		return clients_send_but(game, slot - game->first_client, except, message, now);
	to = &game->shard->store->records[slot];
	return to->player_id == except ? PG_ORDER_REFUSED_NONE :
					 send_here(game, many, record_session(to), message, now);
}

/// To the members that are this worker's, which may be none.
static bool send_group(struct game *game, unsigned process, struct many *many, const uint8_t *record, uint32_t length,
		       struct slice *slice, uint64_t now)
{
	struct groups *groups = &game->link[process]->groups;
	struct game_send_group send;
	struct outgoing message;
	uint32_t slot;

	if (is_refused(many, open_group(game, record, length, &send, &message)))
		return true;
	if (!many->unfinished)
		groups_walk(groups, send.group);
	while (!slice_is_over(slice) && groups_walk_next(groups, &slot)) {
		(void)is_refused(many, send_member(game, many, slot, send.except, &message, now));
		slice_spend(slice, 1);
	}
	return groups_walked(groups);
}

/// Its members leave.
static bool end_group(const struct game *game, unsigned process, struct many *many, const uint8_t *record,
		      struct slice *slice)
{
	struct groups *groups = &game->link[process]->groups;
	struct game_group order;

	if (is_refused(many, many->length == sizeof(order) ? PG_ORDER_REFUSED_NONE : PG_ORDER_REFUSED_LENGTH))
		return true;
	memcpy(&order, record, sizeof(order));
	if (!many->unfinished &&
	    is_refused(many, groups_has(groups, order.group) ? PG_ORDER_REFUSED_NONE : PG_ORDER_REFUSED_NO_GROUP))
		return true;
	while (!slice_is_over(slice)) {
		if (groups_end(groups, order.group, 1))
			return true;
		slice_spend(slice, 1);
	}
	return false;
}

// ---------------------------------------------------------------- all of them

static bool do_some(struct game *game, unsigned process, struct many *many, const uint8_t *record, struct slice *slice,
		    uint64_t now)
{
	switch (many->type) {
	case GAME_SEND_LIST:
		return send_list(game, many, record, many->length, slice, now);
	case GAME_SEND_GROUP:
		return send_group(game, process, many, record, many->length, slice, now);
	default:
		return end_group(game, process, many, record, slice);
	}
}

static enum pg_order_refusal finish(struct game *game, struct many *many)
{
	if (many->begun)
		broadcast_end(&game->shard->ctx, &many->message);
	many->begun = many->unfinished = false;
	return many->refusal;
}

enum pg_order_refusal many_obey(struct game *game, unsigned process, const struct ring_message *order,
				struct slice *slice, uint64_t now)
{
	struct many *many = &game->link[process]->many;

	if (order->length > sizeof(many->record))
		return PG_ORDER_REFUSED_LENGTH;
	many->type = order->type;
	many->length = order->length;
	many->done = 0;
	many->refusal = PG_ORDER_REFUSED_NONE;
	if (likely(do_some(game, process, many, order->body, slice, now)))
		return finish(game, many);
	memcpy(many->record, order->body, order->length);
	many->unfinished = true;
	return PG_ORDER_REFUSALS;
}

enum pg_order_refusal many_go_on(struct game *game, unsigned process, struct slice *slice, uint64_t now)
{
	struct many *many = &game->link[process]->many;

	return do_some(game, process, many, many->record, slice, now) ? finish(game, many) : PG_ORDER_REFUSALS;
}

void many_give_up(struct game *game, unsigned process)
{
	struct many *many = &game->link[process]->many;

	if (!many->unfinished)
		return;
	many->refusal = PG_ORDER_REFUSED_LOST;
	game_count_order(game, process, finish(game, many));
}
