// SPDX-License-Identifier: BSD-3-Clause
// client.h: what the parts of the client library share: the client as a whole, and who changes what of it.
//
// No part makes a system call but udp.c: the others turn bytes into events and messages into bytes, at a time that the
// options' clock tells.

#ifndef POLLGATE_CLIENT_CLIENT_H
#define POLLGATE_CLIENT_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aead.h"
#include "crypto/keys.h"
#include "crypto/replay.h"
#include "delivery/delivery.h"
#include "delivery/taken.h"
#include "pollgate_client.h"
#include "wire/session.h"
#include "world_view.h"

#define NS_PER_MS 1000000ULL
#define NS_PER_S 1000000000ULL

/// Both addresses of a player who moves are asked, each four times a second.
#define PATH_CHALLENGES_MAX 4

/// Three of this connection, three of the next: pgc_connect() asks for the older ones to be taken first.
#define CHANGES_OF_CONNECTION 3
#define CHANGES_MAX (2 * CHANGES_OF_CONNECTION)

/// What became of messages with a receipt, until the game has asked.
struct settled {
	uint32_t receipt;
	bool delivered;
};

/// handshake.c
struct handshake {
	uint8_t client_nonce[SESSION_NONCE_LEN];
	uint8_t cookie[SESSION_COOKIE_LEN];
	struct exchange_key exchange; // of this nonce; forgotten when the attempt ends
	bool challenged;              // the cookie is there: it is the CONFIRM's turn
	uint64_t cookie_until;        // ns: until then it is taken for CONFIRMs of other sizes, too
	uint8_t denial;               // enum session_denial that nobody proved; 0
	uint16_t size;                // of the CONFIRM
	uint32_t tries;               // of this HELLO, or CONFIRM of this size
	uint64_t asked_at;            // ns, of the last HELLO
	uint64_t wait;                // ns, until the present datagram is repeated
	uint64_t repeat_at;           // ns
	uint64_t give_up_at;          // ns
};

/// The gateway's limit of datagrams, as we keep to it.
struct datagram_pace {
	struct rate rate;
	uint64_t conforms_at; // ns
};

/// phases.c: one connection's keys.
struct phases {
	struct aead *open, *seal;   // one direction each
	struct aead *next, *before; // to open with, in the next phase and the one before
	uint8_t secret[HASH_LEN];   // of the phase of `opens`
	uint8_t opens, seals;       // flags of datagrams: `seals` is in the phase of `opens`, or in the next
	bool has_next;
	bool acknowledged;                 // something of the phase in which we seal was
	uint32_t began;                    // counter before the first of it
	uint64_t began_at;                 // ns
	uint64_t before_until;             // ns
	const struct pgc_options *options; // whose key log is told
};

/// A number under which the connection is seen, and what is added to the counter of the header under it.
struct number {
	uint32_t session; // 0: none
	uint32_t to_gateway, to_client;
};

/// numbers.c: those of one connection.
struct numbers {
	struct number used; // in all that is sent
	struct number before;
	struct number spare;   // for the next network
	uint64_t before_until; // ns; PGC_NEVER while the gateway may not have heard of `used`
};

/// receive.c and transmit.c: one connection's counters.
struct link {
	struct phases phases;
	struct numbers numbers;
	uint8_t reset_token[SESSION_RESET_TOKEN_LEN];
	uint32_t tx_counter; // of the last packet that may have left
	struct replay replay;
	struct taken taken;
	uint64_t taken_at; // ns: when the newest of `taken` came to this host
	uint64_t heard_at; // ns
	uint64_t said_at;  // ns
	struct datagram_pace datagrams;
	uint32_t idle_timeout_ms;
	bool answer_now;         // the peer asked for an acknowledgement at once
	uint8_t path_challenges; // that are to be answered
	uint8_t path_token[PATH_CHALLENGES_MAX][SESSION_PATH_TOKEN_LEN];
	uint8_t farewell;        // reason of a CLOSE that is still to be sent; 0
	uint8_t said_farewell;   // of the one that was, which is said again to whoever goes on talking; 0
	uint64_t farewell_until; // ns: so long
	uint64_t farewell_next;  // ns: not before
};

/// udp.c
struct udp_socket {
	int fd; // -1: none
	uint8_t address[128];
	uint32_t address_len;
	uint64_t read_until; // ns: what came before was read
};

struct pgc_client {
	struct pgc_options options;
	enum pgc_state state;
	struct handshake handshake;
	struct link link;

	struct delivery_context ctx;
	struct delivery_rules rules;
	struct delay_clock delays;
	struct pg_message_stats messages;
	struct pace pace; // the gateway's limits
	uint16_t limits_version;
	bool limits_any; // the next LIMITS hold, whatever their version
	struct delivery *delivery;
	void *pool;
	bool borrows; // what clients share is another's: see pgc_new_beside()
	struct acknowledged_listener arrived;

	// events.c: what the game has not asked for yet
	struct pgc_event changes[CHANGES_MAX]; // CONNECTED, RESTARTED and CLOSED, a ring
	uint32_t changes_first, changes_count;
	struct settled *settled; // a ring of options.receipts
	uint32_t settled_first, settled_count;
	uint32_t receipts_out;                // on their way, or in the ring: never more than the ring holds
	uint8_t opened[SESSION_DATAGRAM_MAX]; // the datagram whose messages are being taken
	bool taking;
	bool taken_at_once; // it asks for an acknowledgement at once
	uint32_t taken_counter;
	uint64_t taken_came; // ns
	struct intake intake;
	bool ahead; // `next` is the next message
	struct delivered next;

	struct world_view *world; // NULL: the game does not ask who is near

	struct pgc_statistics statistics;
	uint8_t *body; // SESSION_MESSAGE_MAX bytes, of a bulk message, while it is being copied
	struct udp_socket socket;
};

static inline uint64_t client_now(const pgc_client *client)
{
	return client->options.clock_ns(client->options.clock_context);
}

/// When the datagram that is being received came to this host.
/// @param now  it is received
static inline uint64_t client_came(const pgc_client *client, uint64_t now)
{
	return now - client->ctx.waited;
}

// handshake.c

/// Begin an attempt; `state` is PGC_CONNECTING after it.
void handshake_begin(pgc_client *client, uint64_t now);
void handshake_receive(pgc_client *client, const uint8_t *datagram, uint16_t length, uint64_t now);
size_t handshake_transmit(pgc_client *client, uint8_t *out, uint64_t now);
uint64_t handshake_due(const pgc_client *client);
/// Ask for shorter datagrams, as another attempt.
void handshake_step_down(pgc_client *client, uint64_t now);
/// The attempt is over: what it knew of keys is forgotten.
void handshake_end(pgc_client *client);

// numbers.c

/// The number issued, and the first spare.
void numbers_begin(struct numbers *numbers, uint32_t issued, const struct session_welcome *welcome);
/// The body of a NUMBER: another spare, instead of one that was not used.
void numbers_give(struct numbers *numbers, const uint8_t *body);
/// On another network: use the spare, if there is one.
void numbers_move(struct numbers *numbers);
/// @return NULL: it is none of ours
const struct number *numbers_find(const struct numbers *numbers, uint32_t session, uint64_t now);
/// Something authentic came under one of them.
void numbers_heard(struct numbers *numbers, const struct number *under, uint64_t now);

// phases.c

bool phases_make(struct phases *phases, const struct pgc_options *options);
void phases_free(struct phases *phases);
/// The keys of a first phase, which nothing has come under yet.
bool phases_set(struct phases *phases, const uint8_t secret[HASH_LEN]);
/// Something has: the connection begins.
void phases_begin(struct phases *phases, uint64_t now);
/// Decrypt and compare the tag. Of the next phase, if it is authentic: the connection goes there.
bool phases_open(struct link *link, const uint8_t *datagram, uint16_t length, uint32_t counter, uint8_t *out,
		 uint64_t now);
/// The gateway says that it has `ack`.
void phases_acknowledged(struct phases *phases, uint32_t tx_counter, uint32_t ack);
/// Something is to be sealed: go to the next phase, if it is time.
/// @return false: libcrypto has no memory
bool phases_seal(struct phases *phases, uint32_t tx_counter, uint64_t now);
/// The gateway acknowledges nothing, and the keys wear out.
bool phases_exhausted(const struct phases *phases, uint32_t tx_counter);

// receive.c

/// A WELCOME of this attempt: keys, counters and delivery from the start.
/// @return false when it is not authentic or not what was asked for; nothing is changed then
bool link_begin(pgc_client *client, const uint8_t *datagram, uint16_t length, uint64_t now);
void link_receive(pgc_client *client, const uint8_t *datagram, uint16_t length, uint64_t now);
/// Of a connection that we closed lately: whoever goes on talking has not heard it.
void link_receive_after_end(pgc_client *client, const uint8_t *datagram, uint16_t length, uint64_t now);
/// What the gateway takes: entries of WELCOME or LIMITS.
void link_limits(pgc_client *client, const uint8_t *entries, uint16_t count);
/// What the gateway says to the client itself.
/// @return false: it is for the game
bool link_control(pgc_client *client, const struct delivered *message);
/// All messages of the datagram in `opened` were taken, so it is acknowledged.
void link_taken(pgc_client *client);

// transmit.c

size_t link_transmit(pgc_client *client, uint8_t *out, uint64_t now);
uint64_t link_due(const pgc_client *client);
/// The client, which is connected, is on another network.
void link_moved(pgc_client *client);
/// The host refused the last datagram, as longer than the path carries.
void link_too_long(pgc_client *client);
/// The connection is over. Tells the peer if `say` is a reason of the wire, and the game.
void link_end(pgc_client *client, int closed, enum session_close_reason say, enum pg_loss loss);

// events.c

void events_connected(pgc_client *client, uint32_t player_id, uint32_t expires_in_s, uint32_t idle_timeout_ms);
/// Two that the game has not asked for yet are one.
void events_restarted(pgc_client *client, const uint32_t lost[SESSION_CHANNELS]);
void events_closed(pgc_client *client, int reason, int likely_denial);
/// struct delivery_context.settled
void events_settled(void *client, uint32_t receipt, enum pg_loss loss);
/// The messages of a DATA, which lies in `opened`.
void events_take(pgc_client *client, uint32_t counter, uint16_t length, uint64_t now);
void events_drop_messages(pgc_client *client);
/// Is there room for all that an attempt may tell?
bool events_have_room(const pgc_client *client);

// world.c

/// @return false: out of memory
bool world_make(pgc_client *client);
/// A WORLD or WORLD_STATE came. Nothing waits that one before it told.
void world_take(pgc_client *client, const struct delivered *message);
/// The connection begins or is over: nobody is in sight.
void world_end(pgc_client *client);
bool world_has_events(const pgc_client *client);
bool world_next_event(pgc_client *client, struct pgc_event *event);
struct attack_view;

/// The moment of the world that is shown of a player, or of all (0).
/// @return false: there is no world
bool world_shown(const pgc_client *client, uint32_t player, struct attack_view *out);

float world_metres(const pgc_client *client, uint32_t quanta);

void world_statistics(const pgc_client *client, struct pgc_statistics *out);

// udp.c

#ifndef PGC_NO_SOCKET
void udp_close(struct udp_socket *socket);

/// Send all that is due.
void udp_flush(pgc_client *client);
#endif

#endif
