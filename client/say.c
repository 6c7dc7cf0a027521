// SPDX-License-Identifier: BSD-3-Clause
// say.c: messages of the game on their way to the gateway.

#include "client.h"

#include <string.h>

#include "message/attack.h"
#include "message/finite.h"
#include "message/session_check.h"
#include "wire/utf8.h"

static int error_of(enum pg_loss loss)
{
	switch (loss) {
	case PG_LOSS_NONE:
		return PGC_OK;
	case PG_LOSS_TOO_LONG:
		return PGC_ERROR_TOO_LONG;
	case PG_LOSS_CLOSED:
		return PGC_ERROR_STATE;
	default:
		return PGC_ERROR_FULL;
	}
}

static bool delivery_can_be(const struct pgc_delivery *delivery)
{
	return delivery->channel < PGC_CHANNELS && delivery->priority <= PGC_BULK &&
	       (delivery->reliable || (delivery->channel == 0 && delivery->receipt == 0));
}

static int say(pgc_client *client, enum session_message_type type, const void *body, size_t length,
	       const struct pgc_delivery *delivery)
{
	if (client->state != PGC_CONNECTED)
		return PGC_ERROR_STATE;
	if (!delivery_can_be(delivery))
		return PGC_ERROR_ARGUMENT;
	if (delivery->receipt != 0 && client->receipts_out == client->options.receipts)
		return PGC_ERROR_FULL;

	const struct outgoing message = {
		.type = (uint8_t)type,
		.channel = delivery->channel,
		.reliable = delivery->reliable,
		.priority = (enum priority)delivery->priority,
		.receipt = delivery->receipt,
		.body = body,
		.length = (uint32_t)length,
	};
	const enum pg_loss loss = delivery_queue(&client->ctx, client->delivery, &message, client_now(client));

	if (loss == PG_LOSS_NONE && delivery->receipt != 0)
		client->receipts_out++;
	return error_of(loss);
}
static_assert((int)PGC_URGENT == PRIORITY_URGENT && (int)PGC_NORMAL == PRIORITY_NORMAL &&
		      (int)PGC_BULK == PRIORITY_BULK,
	      "the game's priorities are the delivery's");

#define UNRELIABLE (-1)
#define USUAL(type, urgency, order)                               \
	[type] = {.reliable = (order) != UNRELIABLE,              \
		  .channel = (order) == UNRELIABLE ? 0 : (order), \
		  .priority = PRIORITY_##urgency},

/// How a type is sent unless the game says otherwise.
static const struct pgc_delivery *or_usual(const struct pgc_delivery *delivery, enum session_message_type type)
{
	static const struct pgc_delivery default_delivery[SESSION_EVENT] = {
#define OWN(NAME, name, title, number, body, compress, effect, priority, channel, ...) \
	USUAL(SESSION_##NAME, priority, channel)
#define RELAYED OWN
#define GAME(NAME, name, title, first, last, body, compress, priority, channel, ...) \
	USUAL(SESSION_##NAME, priority, channel)
#include "wire/messages.def"
	};

	return delivery ? delivery : &default_delivery[session_listed((uint8_t)type)];
}

int pgc_say(pgc_client *client, enum pgc_message type, const void *body, size_t bytes,
	    const struct pgc_delivery *delivery)
{
	if ((unsigned)type >= SESSION_EVENT || session_request((uint8_t)type) == PG_REQUESTS)
		return PGC_ERROR_ARGUMENT;
	if (bytes > SESSION_MESSAGE_MAX)
		return PGC_ERROR_TOO_LONG;
	if (session_body_check((uint8_t)type, body, (uint32_t)bytes) != PG_DROP_NONE)
		return PGC_ERROR_ARGUMENT;

	const enum session_message_type its = (enum session_message_type)type;

	return say(client, its, body, bytes, or_usual(delivery, its));
}

int pgc_game(pgc_client *client, uint8_t type, const void *data, size_t bytes, const struct pgc_delivery *delivery)
{
	return session_is_game(type) ? pgc_say(client, (enum pgc_message)type, data, bytes, delivery) :
				       PGC_ERROR_ARGUMENT;
}

int pgc_ping(pgc_client *client, uint32_t token)
{
	static const struct pgc_delivery at_once = {.priority = PGC_URGENT};

	return say(client, SESSION_PING, &token, sizeof(token), &at_once);
}

int pgc_move(pgc_client *client, const float position[3], const float velocity[3], const struct pgc_delivery *delivery)
{
	struct motion motion;

	memcpy(motion.position, position, sizeof(motion.position));
	memcpy(motion.velocity, velocity, sizeof(motion.velocity));
	if (!floats6_finite(&motion))
		return PGC_ERROR_ARGUMENT;
	return say(client, SESSION_MOVE, &motion, sizeof(motion), or_usual(delivery, SESSION_MOVE));
}

int pgc_attack(pgc_client *client, uint32_t target_id, uint32_t attack_id, const float direction[3],
	       const struct pgc_delivery *delivery)
{
	struct {
		struct attack_body attack;
		struct attack_view view;
	} PACKED said = {.attack = {.target_id = target_id, .attack_id = attack_id}};
	const bool sees = world_shown(client, target_id, &said.view);

	memcpy(said.attack.direction, direction, sizeof(said.attack.direction));
	if (!floats3_finite(said.attack.direction))
		return PGC_ERROR_ARGUMENT;
	return say(client, SESSION_ATTACK, &said, sees ? sizeof(said) : sizeof(said.attack),
		   or_usual(delivery, SESSION_ATTACK));
}

int pgc_chat(pgc_client *client, uint32_t target_id, uint8_t chat_group, const char *text, size_t bytes,
	     const struct pgc_delivery *delivery)
{
	uint8_t body[sizeof(struct chat_body) + PGC_CHAT_MAX];
	struct chat_body *chat = (struct chat_body *)body;

	if (bytes > PGC_CHAT_MAX)
		return PGC_ERROR_TOO_LONG;
	if (bytes == 0 || !utf8_valid((const uint8_t *)text, bytes))
		return PGC_ERROR_ARGUMENT;
	*chat = (struct chat_body){.target_id = target_id, .channel = chat_group, .text_len = (uint16_t)bytes};
	memcpy(chat->text, text, bytes);
	return say(client, SESSION_CHAT, body, sizeof(*chat) + bytes, or_usual(delivery, SESSION_CHAT));
}

int pgc_skill(pgc_client *client, uint32_t skill_id, uint32_t target_id, const struct pgc_delivery *delivery)
{
	const struct skill_body skill = {.skill_id = skill_id, .target_id = target_id};

	return say(client, SESSION_SKILL, &skill, sizeof(skill), or_usual(delivery, SESSION_SKILL));
}

int pgc_bulk(pgc_client *client, uint32_t target_id, const void *data, size_t bytes,
	     const struct pgc_delivery *delivery)
{
	if (bytes > PGC_BULK_MAX)
		return PGC_ERROR_TOO_LONG;
	memcpy(client->body, &target_id, sizeof(target_id));
	if (bytes > 0)
		memcpy(client->body + sizeof(target_id), data, bytes);
	return say(client, SESSION_BULK, client->body, sizeof(target_id) + bytes, or_usual(delivery, SESSION_BULK));
}
static_assert(PGC_BULK_MAX + 2 * sizeof(uint32_t) <= SESSION_MESSAGE_MAX,
	      "its event, a sender longer, is a message, too");
