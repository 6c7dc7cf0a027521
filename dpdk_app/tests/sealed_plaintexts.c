// SPDX-License-Identifier: BSD-3-Clause
// sealed_plaintexts.c: what the pair' players say, and the frames that it comes in. See sealed_pair.h.

#include "sealed_pair.h"

#include <string.h>

#include "net/sealed_frame.h"
#include "unit.h"

static uint32_t get32(const uint8_t *from)
{
	return (uint32_t)get16(from) << 16 | get16(from + 2);
}

bool takes_the_lane(const struct identity *identity, const struct frame *f)
{
	const struct fast_spans spans = fast_spans(&identity->fast);

	return is_sealed_frame(f->bytes, f->len, &spans) && sealed_checksums_right(f->bytes, f->len, &spans, 0);
}

uint16_t write_plaintext(struct pipeline_pair *t, unsigned player, const struct plaintext *plaintext, uint8_t *out)
{
	struct player *p = &t->player[player];
	const uint32_t counter = plaintext->counter != 0 ? plaintext->counter : p->sent + 1;
	const uint8_t kind = plaintext->kind != 0 ? (uint8_t)plaintext->kind : SESSION_DATA;
	const struct session_prefix prefix = {
		.ack = plaintext->ack ? p->newest - plaintext->behind : 0,
		.ack_bits = plaintext->ack_bits,
		.ack_delay = plaintext->ack_delay,
		.wants = plaintext->wants,
		.reserved = plaintext->reserved,
	};
	const uint16_t before = kind == SESSION_DATA ? sizeof(prefix) : 0;
	const struct session_header header = {
		.kind = kind,
		.flags = (uint8_t)(plaintext->flags | p->seal_phase % 2),
		.length = (uint16_t)(SESSION_AROUND + before + plaintext->length),
		.session = plaintext->astray ? plaintext->session : p->session,
		.counter = counter,
	};

	p->sent = counter > p->sent ? counter : p->sent;
	memcpy(out, &header, sizeof(header));
	memcpy(out + sizeof(header), &prefix, before);
	memcpy(out + sizeof(header) + before, plaintext->body, plaintext->length);
	cipher_seal(&t->variant[WITH].fixture->shard[0]->code, &p->cipher.seal, counter, out, sizeof(header),
		    header.length);
	return header.length;
}

/// Number 0 is nobody here: a MAC that ends in four zeros takes the longer way.
static struct flow flow_of_peer(const struct peer *peer)
{
	struct flow flow = flow4(get32((const uint8_t *)&peer->low + 4) - 0x14000000);

	flow.port_from = BE16(peer_port(peer));
	return flow;
}

struct flow flow_from(const struct pipeline_pair *t, unsigned player)
{
	return flow_of_peer(&t->player[player].peer);
}

struct flow flow_from_elsewhere(const struct pipeline_pair *t, unsigned player)
{
	const uint32_t home = t->player[player].id;
	const struct peer first = peer_at(0x14000000 + home, 5000, 0), second = peer_at(0x14001000 + home, 6000, 0);

	return flow_of_peer(peer_equal(&t->player[player].peer, &first) ? &second : &first);
}

void add_with_flags(struct pipeline_pair *t, const struct frame *f, unsigned rx)
{
	assert_true(t->n < BURST_MAX);
	t->frame[t->n] = *f;
	t->rx[t->n++] = (uint8_t)rx;
	t->all_frames++;
	t->in_lane += takes_the_lane(&t->variant[WITH].rig->identity, f);
	assert_false(takes_the_lane(&t->variant[WITHOUT].rig->identity, f));
}

void add(struct pipeline_pair *t, const struct frame *f)
{
	// Of what is right, a device may find out all, some or nothing.
	static const unsigned said[] = {GOOD, RX_L4_CHECKSUM_GOOD, RX_IP_CHECKSUM_GOOD, 0};
	const unsigned right = said[t->all_frames % COUNT(said)];

	add_with_flags(t, f, checksums_right(f->bytes, f->len) ? right : RX_IP_CHECKSUM_GOOD | RX_L4_CHECKSUM_BAD);
}

void add_plaintext(struct pipeline_pair *t, unsigned player, const struct plaintext *plaintext)
{
	const struct flow flow = flow_from(t, player);
	uint8_t payload[PLAYER_BUFFER];
	struct frame f;

	build_udp(&f, &flow, payload, write_plaintext(t, player, plaintext, payload));
	add(t, &f);
}

struct plaintext a_message(unsigned type, unsigned flags, unsigned id, const void *body, uint16_t length)
{
	struct plaintext plaintext = {.wants = SESSION_WANTS_ANSWER, .ack = true};
	const struct session_message head = {.type = (uint8_t)type, .flags = (uint8_t)flags, .body_len = length};
	const uint16_t number = (uint16_t)id;
	uint16_t at = sizeof(head);

	memcpy(plaintext.body, &head, sizeof(head));
	if (flags & SESSION_MESSAGE_RELIABLE) {
		memcpy(plaintext.body + at, &number, sizeof(number));
		at += sizeof(number);
	}
	if (length != 0)
		memcpy(plaintext.body + at, body, length);
	plaintext.length = (uint16_t)(at + length);
	return plaintext;
}

struct plaintext a_plaintext(enum session_kind kind, const void *body, uint16_t length)
{
	struct plaintext plaintext = {.kind = kind, .length = length};

	memcpy(plaintext.body, body, length);
	return plaintext;
}

struct plaintext a_movement(bool now)
{
	static float step;
	const struct motion motion = {.position = {step += 1, 2, 3}, .velocity = {4, 5, 6}};
	struct plaintext plaintext = a_message(SESSION_MOVE, 0, 0, &motion, sizeof(motion));

	plaintext.wants = now ? SESSION_WANTS_ANSWER : 0;
	return plaintext;
}

struct plaintext a_blow(uint32_t target, unsigned flags, unsigned id)
{
	uint8_t body[20] = {0};

	memcpy(body, &target, sizeof(target));
	return a_message(SESSION_ATTACK, flags, id, body, sizeof(body));
}

struct plaintext no_message(bool now)
{
	return (struct plaintext){.wants = now ? SESSION_WANTS_ANSWER : 0, .ack = true};
}

struct plaintext farewell(void)
{
	const struct session_close_body body = {.reason = SESSION_CLOSED_LEFT};

	return a_plaintext(SESSION_CLOSE, &body, sizeof(body));
}

struct plaintext an_violation(unsigned id)
{
	static const uint8_t piece[] = {1, 0, 2, 0, 'x'};

	return a_message(SESSION_BULK, SESSION_MESSAGE_RELIABLE | SESSION_MESSAGE_FRAGMENT, id, piece, sizeof(piece));
}

struct plaintext path_response(const struct pipeline_pair *t, unsigned player)
{
	return a_plaintext(SESSION_PATH_RESPONSE, t->token[player], SESSION_PATH_TOKEN_LEN);
}

void build_plaintext(struct pipeline_pair *t, unsigned player, struct plaintext plaintext, struct frame *f)
{
	const struct flow flow = flow_from(t, player);
	uint8_t payload[PLAYER_BUFFER];

	build_udp(f, &flow, payload, write_plaintext(t, player, &plaintext, payload));
}

void add_from_elsewhere(struct pipeline_pair *t, unsigned player, struct plaintext plaintext)
{
	const struct flow flow = flow_from_elsewhere(t, player);
	uint8_t payload[PLAYER_BUFFER];
	struct frame f;

	build_udp(&f, &flow, payload, write_plaintext(t, player, &plaintext, payload));
	add(t, &f);
}

void add_general(struct pipeline_pair *t, unsigned player, struct plaintext plaintext, enum general how)
{
	struct flow flow = flow_from(t, player);
	uint8_t payload[PLAYER_BUFFER];
	struct frame f;

	if (how == WITHOUT_CHECKSUM)
		flow.no_checksum = true;
	if (how == TAGGED)
		flow_tag(&flow, 0x8100, 7);
	if (how == OTHER_MAC)
		memset(flow.mac_from + 2, 0, 4);
	build_udp(&f, &flow, payload, write_plaintext(t, player, &plaintext, payload));
	f.len += how == PADDED;
	assert_false(takes_the_lane(&t->variant[WITH].rig->identity, &f));
	add(t, &f);
}
