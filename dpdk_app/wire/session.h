// SPDX-License-Identifier: BSD-3-Clause
// wire/session.h: the `session` profile as it lies in a datagram: PROTOCOL.md in C.
//
// Little-endian and packed, so a payload is read through these structures without a copy.

#ifndef POLLGATE_WIRE_SESSION_H
#define POLLGATE_WIRE_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"
#include "wire/plain.h"

#define SESSION_VERSION 2

#define SESSION_NONCE_LEN 16
#define SESSION_COOKIE_LEN 24
#define SESSION_TAG_LEN 16
#define SESSION_KEY_LEN 32   // the issued key
#define SESSION_SHARE_LEN 32 // X25519
#define SESSION_RESET_TOKEN_LEN 16

#define SESSION_DATAGRAM_MAX 1400 // bytes of UDP payload
#define SESSION_DATAGRAM_MIN 508  // what a client may ask for at least: 576 bytes of IPv4 with options (RFC 791)
#define SESSION_MESSAGES_MAX 50   // in one datagram

enum session_kind {
	SESSION_HELLO = 1,
	SESSION_CHALLENGE = 2,
	SESSION_CONFIRM = 3,
	SESSION_WELCOME = 4,
	SESSION_DATA = 5,
	SESSION_CLOSE = 6,
	SESSION_PATH_CHALLENGE = 7,
	SESSION_PATH_RESPONSE = 8,
	SESSION_DENIED = 9,
	SESSION_RESET = 10,
	SESSION_PROBE = 11,
};
#define SESSION_KIND_LAST SESSION_PROBE

/// Who has sent so many ends the connection, long before a counter would come twice.
#define SESSION_COUNTERS (UINT32_MAX - (1U << 24))

struct session_header {
	uint8_t kind;
	uint8_t flags;    // SESSION_FLAG_PHASE; 0 of what is not sealed
	uint16_t length;  // of the whole UDP payload
	uint32_t session; // as issued (session/number.h), or a spare that was given instead (session/visible.h)
	uint32_t counter; // of the sender's direction, whose first sealed packet has 1; and the offset of this number
} PACKED;
static_assert(sizeof(struct session_header) == 12, "header");

/// The lowest bit of the key phase in which a datagram is sealed.
#define SESSION_FLAG_PHASE 0x01

/// A sender goes to the next phase before so many datagrams, and so many seconds, of one.
#define SESSION_PHASE_DATAGRAMS (1U << 22)
#define SESSION_PHASE_S 3600

/// So many are never sealed in one phase. Whose peer acknowledges none of them ends the
/// connection (RFC 9001 6.6).
#define SESSION_PHASE_MOST (1U << 23)

// ---------------------------------------------------------------- not sealed

struct session_hello {
	struct session_header header; // counter is 0
	uint16_t version;
	uint16_t reserved;
	uint8_t client_nonce[SESSION_NONCE_LEN];
	uint8_t padding[40]; // 0: no answer is longer
} PACKED;

struct session_challenge {
	struct session_header header; // counter is 0
	uint8_t client_nonce[SESSION_NONCE_LEN];
	uint8_t cookie[SESSION_COOKIE_LEN];
	uint8_t proof[SESSION_TAG_LEN];
} PACKED;

/// Padded with 0 to max_datagram, the proof at its end.
struct session_confirm {
	struct session_header header; // counter is 0
	uint16_t version;
	uint16_t
		max_datagram; // length of this datagram and of the WELCOME: the path carries it, or the client asks for less
	uint8_t client_nonce[SESSION_NONCE_LEN];
	uint8_t cookie[SESSION_COOKIE_LEN];
	uint8_t client_share[SESSION_SHARE_LEN];
	uint8_t padding[];
} PACKED;

enum session_denial {
#define DENIED(NAME, name, number) SESSION_DENIED_##NAME = (number),
#include "wire/closed.def"
};

struct session_denied {
	struct session_header header; // counter is 0
	uint8_t client_nonce[SESSION_NONCE_LEN];
	uint8_t reason;                 // enum session_denial
	uint8_t versions[3];            // that the gateway speaks, the highest first; 0 where there is none
	uint8_t proof[SESSION_TAG_LEN]; // 0 of one for the version: anybody can have sent it
} PACKED;

/// The gateway has no connection for a session that it knows.
struct session_reset {
	struct session_header header;           // counter is 0
	uint8_t token[SESSION_RESET_TOKEN_LEN]; // of the latest connection's WELCOME
} PACKED;

static_assert(sizeof(struct session_hello) == 72, "HELLO");
static_assert(sizeof(struct session_challenge) == 68, "CHALLENGE");
static_assert(sizeof(struct session_challenge) <= sizeof(struct session_hello), "nothing is amplified");
static_assert(sizeof(struct session_confirm) == 88, "CONFIRM without padding and proof");
static_assert(sizeof(struct session_denied) == 48, "DENIED");
static_assert(sizeof(struct session_reset) == 28, "RESET");

// ---------------------------------------------------------------- sealed

/// Padded with 0 to max_datagram, the tag at its end. Nonce and share of the gateway are associated data, like the header.
struct session_welcome {
	struct session_header header;
	uint8_t server_nonce[SESSION_NONCE_LEN];
	uint8_t server_share[SESSION_SHARE_LEN];
	// sealed from here
	uint32_t player_id;
	uint32_t expires_in_s;
	uint32_t idle_timeout_ms;
	uint16_t max_datagram;
	uint16_t limits; // entries that follow
	uint8_t reset_token[SESSION_RESET_TOKEN_LEN];
	uint32_t spare; // number to change to; 0: none
	uint32_t spare_offset[2];
	uint8_t padding[];
} PACKED;
static_assert(sizeof(struct session_welcome) == 104, "WELCOME without limits and tag");
#define SESSION_WELCOME_CLEAR offsetof(struct session_welcome, player_id)

enum session_close_reason {
#define CLOSED(NAME, name, number) SESSION_CLOSED_##NAME = (number),
#include "wire/closed.def"
};

/// Reasons from here on are the game's own, and so many more than it says: it kicked the player.
#define SESSION_CLOSED_GAME 128
#define SESSION_KICK_REASONS (UINT8_MAX + 1 - SESSION_CLOSED_GAME)

struct session_close_body {
	uint8_t reason; // enum session_close_reason, or of the game
	uint8_t reserved[7];
} PACKED;
static_assert(sizeof(struct session_close_body) == 8, "CLOSE");

#define SESSION_PATH_TOKEN_LEN 8 // body of PATH_CHALLENGE and PATH_RESPONSE

/// What every DATA seals in front of its messages.
struct session_prefix {
	uint32_t ack;       // newest counter that was taken from the peer; 0: none
	uint32_t ack_bits;  // bit n: ack-1-n was taken
	uint16_t ack_delay; // since the datagram `ack` came, in SESSION_ACK_DELAY_HZ; SESSION_ACK_DELAY_UNKNOWN
	uint8_t wants;      // SESSION_WANTS_ANSWER
	uint8_t reserved;
} PACKED;
static_assert(sizeof(struct session_prefix) == 12, "DATA");

#define SESSION_WANTS_ANSWER 1 // at once, rather than with the next packet

#define SESSION_ACK_DELAY_HZ 16000
#define SESSION_ACK_DELAY_UNKNOWN UINT16_MAX // or longer than all others

/// Is what it does not use 0?
ALWAYS_INLINE bool prefix_is_right(const struct session_prefix *prefix)
{
	return ((prefix->wants & ~SESSION_WANTS_ANSWER) | prefix->reserved) == 0;
}

/// The bytes of a sealed datagram that are not sealed.
#define SESSION_AROUND (sizeof(struct session_header) + SESSION_TAG_LEN)

/// In front of the messages of a DATA.
#define SESSION_BEFORE_MESSAGES (sizeof(struct session_header) + sizeof(struct session_prefix))

/// The shortest DATA: nothing but an acknowledgement.
#define SESSION_DATA_MIN (SESSION_BEFORE_MESSAGES + SESSION_TAG_LEN)

// ---------------------------------------------------------------- messages inside DATA

/// An event of type t is the message t - SESSION_EVENT of a player: u32 player_id of the sender (0: the operator), then the
/// body as it was sent.
#define SESSION_EVENT 200

enum session_message_type {
#define OWN(NAME, name, title, number, ...) SESSION_##NAME = (number),
#define RELAYED(NAME, name, title, number, ...) \
	SESSION_##NAME = (number), SESSION_##NAME##_EVENT = (number) + SESSION_EVENT,
#define GIVEN(NAME, name, title, number, ...) SESSION_##NAME = (number),
#define GAME(NAME, name, title, first, last, ...) SESSION_##NAME = (first), SESSION_##NAME##_LAST = (last),
#define CONTROL(NAME, name, title, number, ...) SESSION_##NAME = (number),
#define UNSENT(NAME, title, number) SESSION_##NAME = (number),
#include "wire/messages.def"
};
static_assert((int)SESSION_MOVE == PLAIN_MOVE && (int)SESSION_ATTACK == PLAIN_ATTACK &&
		      (int)SESSION_CHAT == PLAIN_CHAT && (int)SESSION_HEARTBEAT == PLAIN_HEARTBEAT &&
		      (int)SESSION_SKILL == PLAIN_SKILL,
	      "types that both profiles have are the same");

#define SESSION_MESSAGE_COMPRESSED 0x01
#define SESSION_MESSAGE_RELIABLE 0x02
#define SESSION_MESSAGE_FRAGMENT 0x04 // only reliable, only on channels in order
#define SESSION_MESSAGE_CHANNEL_SHIFT 4
#define SESSION_MESSAGE_CHANNEL_MASK 0x30
#define SESSION_MESSAGE_UNUSED 0x08      // a bit that is 0
#define SESSION_MESSAGE_PRIORITY_SHIFT 6 // 0 urgent, 1 normal, 2 and 3 bulk

#define SESSION_CHANNELS 4
#define SESSION_CHANNEL_UNORDERED 3 // 0 to 2 deliver in order; 0 for what is not reliable

struct session_message {
	uint8_t type; // enum session_message_type, or between the first and the last of a game's own
	uint8_t flags;
	uint16_t body_len;
	// u16 message id if reliable, then the body
} PACKED;
static_assert(sizeof(struct session_message) == 4, "message header");

/// First in the body of a fragment. The ids of a message's fragments follow one another.
struct session_fragment {
	uint16_t index;
	uint16_t count;
} PACKED;

#define SESSION_MESSAGE_MAX 65536 // bytes of a body, whole and not compressed
#define SESSION_PIECE 458 // bytes of it in a fragment, whatever the path carries: the smallest datagram has room
#define SESSION_FRAGMENTS_MAX 144
static_assert(SESSION_PIECE * SESSION_FRAGMENTS_MAX >= SESSION_MESSAGE_MAX, "pieces carry the largest message");

/// A message costs 1 of its limit, and 1 more for each so many bytes, or part of them, that its whole body is longer.
#define SESSION_COST_BYTES 1400

/// First in a compressed body (of all fragments together); a zlib stream (RFC 1950) follows.
struct session_compressed {
	uint32_t original_len; // 1 to SESSION_MESSAGE_MAX
} PACKED;

/// A sender keeps so many ids of a channel on their way at most: a receiver has room for no more.
#define SESSION_CHANNEL_WINDOW 256

/// Of one type of message: a bucket that is filled evenly.
struct session_limit {
	uint8_t type; // of message, or SESSION_LIMIT_DATAGRAMS
	uint8_t reserved;
	uint16_t burst;
	uint32_t per_minute;
} PACKED;
static_assert(sizeof(struct session_limit) == 8, "limit");
#define SESSION_LIMITS_MAX 48
#define SESSION_LIMIT_DATAGRAMS 0

/// @param per_second  not 0
static inline struct session_limit session_limit_make(uint8_t type, uint32_t per_second, uint32_t burst)
{
	return (struct session_limit){
		.type = type,
		.burst = (uint16_t)(burst < UINT16_MAX ? burst : UINT16_MAX),
		.per_minute = per_second < UINT32_MAX / 60 ? per_second * 60 : UINT32_MAX,
	};
}

/// LIMITS; the entries follow.
struct session_limits {
	uint16_t version; // 0 is WELCOME's
	uint16_t count;
} PACKED;

enum session_refusal {
#define REFUSED(NAME, name, number) SESSION_REFUSED_##NAME = (number),
#include "wire/closed.def"
};

struct session_busy {
	uint32_t counter; // of the datagram with the message
	uint8_t reason;   // enum session_refusal
	uint8_t type;     // of the first message that was refused
	uint16_t retry_ms;
} PACKED;
static_assert(sizeof(struct session_busy) == 8, "BUSY");

/// NUMBER: what a client changes to on another network.
struct session_number {
	uint32_t spare;     // 0: none
	uint32_t offset[2]; // added to the counter of the header: from the client, from the gateway
} PACKED;
static_assert(sizeof(struct session_number) == 12, "NUMBER");

/// First in each DATA of the process after one that died, until the client has heard it.
struct session_restarted {
	uint16_t epoch;                           // so many processes that died
	uint16_t next_in[SESSION_CHANNELS];       // all before it were delivered
	uint8_t seen[SESSION_CHANNEL_WINDOW / 8]; // bit n: next_in + n of the unordered channel was delivered
	uint16_t next_out[SESSION_CHANNELS];      // the first id that this process uses
} PACKED;
static_assert(sizeof(struct session_restarted) == 50, "RESTARTED");

#endif
