// SPDX-License-Identifier: BSD-3-Clause
// events.c: what the game is told, one by one: first what became of its messages, then of the connection, then who is in sight,
// then messages.

#include "client.h"

#include <string.h>

#include "message/attack.h"
#include "message/correction.h"
#include "message/session_check.h"

// ---------------------------------------------------------------- the connection

static void tell_change(pgc_client *client, const struct pgc_event *event)
{
	client->changes[(client->changes_first + client->changes_count++) % CHANGES_MAX] = *event;
}

/// @return NULL: none waits
static struct pgc_event *last_change(pgc_client *client)
{
	return client->changes_count == 0 ?
		       NULL :
		       &client->changes[(client->changes_first + client->changes_count - 1) % CHANGES_MAX];
}

bool events_have_room(const pgc_client *client)
{
	return client->changes_count + CHANGES_OF_CONNECTION <= CHANGES_MAX;
}

void events_connected(pgc_client *client, uint32_t player_id, uint32_t expires_in_s, uint32_t idle_timeout_ms)
{
	struct pgc_event event = {.type = PGC_EVENT_CONNECTED, .player_id = player_id};

	event.as.connected.expires_in_s = expires_in_s;
	event.as.connected.idle_timeout_ms = idle_timeout_ms;
	event.as.connected.max_datagram = delivery_carries(client->delivery);
	tell_change(client, &event);
}

void events_restarted(pgc_client *client, const uint32_t lost[SESSION_CHANNELS])
{
	const struct pgc_event nothing_lost = {.type = PGC_EVENT_RESTARTED};
	struct pgc_event *last = last_change(client);

	if (!last || last->type != PGC_EVENT_RESTARTED) {
		tell_change(client, &nothing_lost);
		last = last_change(client);
	}
	for (unsigned channel = 0; channel < SESSION_CHANNELS; channel++)
		last->as.restarted.lost[channel] += lost[channel];
}

void events_closed(pgc_client *client, int reason, int likely_denial)
{
	struct pgc_event event = {.type = PGC_EVENT_CLOSED};

	event.as.closed.reason = reason;
	event.as.closed.likely_denial = likely_denial;
	tell_change(client, &event);
}

static bool next_change(pgc_client *client, struct pgc_event *event)
{
	if (client->changes_count == 0)
		return false;
	*event = client->changes[client->changes_first];
	client->changes_first = (client->changes_first + 1) % CHANGES_MAX;
	client->changes_count--;
	return true;
}

// ---------------------------------------------------------------- receipts

void events_settled(void *context, uint32_t receipt, enum pg_loss loss)
{
	pgc_client *client = context;
	const uint32_t at = (client->settled_first + client->settled_count) % client->options.receipts;

	client->settled[at] = (struct settled){receipt, loss == PG_LOSS_NONE};
	client->settled_count++;
}

static bool next_settled(pgc_client *client, struct pgc_event *event)
{
	if (client->settled_count == 0)
		return false;

	const struct settled *settled = &client->settled[client->settled_first];

	*event = (struct pgc_event){.type = settled->delivered ? PGC_EVENT_DELIVERED : PGC_EVENT_LOST};
	event->as.delivery.receipt = settled->receipt;
	client->settled_first = (client->settled_first + 1) % client->options.receipts;
	client->settled_count--;
	client->receipts_out--;
	return true;
}

// ---------------------------------------------------------------- messages

void events_take(pgc_client *client, uint32_t counter, uint16_t length, uint64_t now)
{
	intake_begin(&client->intake, client->opened + SESSION_BEFORE_MESSAGES, length, counter, now);
	client->taking = true;
}

void events_drop_messages(pgc_client *client)
{
	client->taking = false;
	client->ahead = false;
}

/// Find the next message, if there is one.
static bool look_ahead(pgc_client *client)
{
	if (client->ahead || !client->taking || world_has_events(client))
		return client->ahead;
	do
		client->ahead = intake_next(&client->ctx, client->delivery, &client->intake, &client->next);
	while (client->ahead && link_control(client, &client->next) && !world_has_events(client));
	if (world_has_events(client)) // of the last message, which is taken
		client->ahead = false;
	if (client->ahead || world_has_events(client))
		return client->ahead;
	client->taking = false;
	if (client->intake.violation)
		link_end(client, PGC_CLOSED_PROTOCOL, SESSION_CLOSED_PROTOCOL, PG_LOSS_CLOSED);
	else if (client->intake.refused)
		delivery_refuse(&client->ctx, client->delivery, &client->intake);
	else
		link_taken(client);
	return false;
}

/// How it was judged, if it was.
static void tell_judgement(const pgc_client *client, struct pgc_event *event, const uint8_t *told)
{
	struct attack_judgement judgement;

	memcpy(&judgement, told, sizeof(judgement));
	event->as.attack.judged = judgement.judged;
	event->as.attack.clamped = judgement.clamped != 0;
	event->as.attack.is_player = judgement.sort == WORLD_PLAYER && judgement.who != 0;
	event->as.attack.parts = judgement.parts;
	event->as.attack.tick = judgement.tick;
	event->as.attack.who = judgement.who;
	event->as.attack.distance = world_metres(client, judgement.distance);
	event->as.attack.error = world_metres(client, judgement.error);
}

static void tell_attack(const pgc_client *client, struct pgc_event *event, const uint8_t *body, uint32_t length)
{
	struct attack_body attack;

	memcpy(&attack, body, sizeof(attack));
	event->type = PGC_EVENT_ATTACK;
	event->as.attack.target_id = attack.target_id;
	event->as.attack.attack_id = attack.attack_id;
	memcpy(event->as.attack.direction, attack.direction, sizeof(attack.direction));
	if (length == ATTACK_JUDGED)
		tell_judgement(client, event, body + sizeof(attack));
}

static void tell_chat(struct pgc_event *event, const uint8_t *body)
{
	const struct chat_body *chat = (const struct chat_body *)body;

	event->type = PGC_EVENT_CHAT;
	event->as.chat.target_id = chat->target_id;
	event->as.chat.chat_group = chat->channel;
	event->as.chat.bytes = chat->text_len;
	event->as.chat.text = (const char *)chat->text;
}

static void tell_skill(struct pgc_event *event, const uint8_t *body)
{
	struct skill_body skill;

	memcpy(&skill, body, sizeof(skill));
	event->type = PGC_EVENT_SKILL;
	event->as.skill.skill_id = skill.skill_id;
	event->as.skill.target_id = skill.target_id;
}

static void tell_bytes(struct pgc_event *event, enum pgc_event_type type, const uint8_t *body, uint32_t length)
{
	event->type = type;
	event->as.bytes.data = body;
	event->as.bytes.bytes = length;
}

static void tell_refused(struct pgc_event *event, const uint8_t *body)
{
	struct correction_refused refused;

	memcpy(&refused, body, sizeof(refused));
	event->as.correction.why = refused.why;
	memcpy(event->as.correction.refused_position, refused.position, sizeof(refused.position));
	memcpy(event->as.correction.refused_velocity, refused.velocity, sizeof(refused.velocity));
}

static void tell_correction(struct pgc_event *event, const uint8_t *body, uint32_t length)
{
	struct motion motion;

	memcpy(&motion, body, sizeof(motion));
	event->type = PGC_EVENT_CORRECTION;
	event->as.correction.why = 0;
	if (length == CORRECTION_REFUSED)
		tell_refused(event, body + sizeof(motion));
	memcpy(event->as.correction.position, motion.position, sizeof(motion.position));
	memcpy(event->as.correction.velocity, motion.velocity, sizeof(motion.velocity));
}

static void tell_game(struct pgc_event *event, const struct delivered *message)
{
	event->type = PGC_EVENT_GAME;
	event->as.game.message_type = message->type;
	event->as.game.reliable = message->reliable;
	event->as.game.channel = message->channel;
	event->as.game.data = message->body;
	event->as.game.bytes = message->length;
}

static enum pgc_event_type event_type(uint8_t type)
{
	static const uint8_t types[UINT8_MAX + 1] = {
#define RELAYED(NAME, ...) [SESSION_##NAME##_EVENT] = PGC_EVENT_##NAME,
#define GIVEN(NAME, ...) [SESSION_##NAME] = PGC_EVENT_##NAME,
#include "wire/messages.def"
	};

	return (enum pgc_event_type)types[type];
}

/// The delivery has checked the body.
static void tell_message(const pgc_client *client, struct pgc_event *event, const struct delivered *message)
{
	const uint8_t *body = message->body;
	uint32_t length = message->length;

	memset(event, 0, sizeof(*event));
	if (session_has_sender(message->type)) {
		memcpy(&event->player_id, body, sizeof(event->player_id));
		body += sizeof(event->player_id);
		length -= (uint32_t)sizeof(event->player_id);
	}
	switch (session_listed(message->type)) {
	case SESSION_ATTACK_EVENT:
		tell_attack(client, event, body, length);
		break;
	case SESSION_CHAT_EVENT:
		tell_chat(event, body);
		break;
	case SESSION_SKILL_EVENT:
		tell_skill(event, body);
		break;
	case SESSION_PONG:
		event->type = PGC_EVENT_PONG;
		memcpy(&event->as.pong.token, body, sizeof(event->as.pong.token));
		break;
	case SESSION_BULK_EVENT:
		memcpy(&event->as.bytes.target_id, body, sizeof(event->as.bytes.target_id));
		tell_bytes(event, PGC_EVENT_BULK, body + sizeof(uint32_t), length - (uint32_t)sizeof(uint32_t));
		break;
	case SESSION_CORRECTION:
		tell_correction(event, body, length);
		break;
	case SESSION_GAME:
		tell_game(event, message);
		break;
	default: // no type is let in that the list does not have
		tell_bytes(event, event_type(message->type), body, length);
		break;
	}
}

bool pgc_next_event(pgc_client *client, struct pgc_event *event)
{
	const bool message = look_ahead(client); // may end the connection, which is an event, too

	if (next_settled(client, event) || next_change(client, event) || world_next_event(client, event))
		return true;
	if (!message)
		return false;
	tell_message(client, event, &client->next);
	client->ahead = false;
	return true;
}

bool pgc_event_waiting(pgc_client *client)
{
	return look_ahead(client) || client->settled_count > 0 || client->changes_count > 0 || world_has_events(client);
}
