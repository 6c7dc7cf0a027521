// SPDX-License-Identifier: BSD-3-Clause
// net/move_frame.h: the one frame that nearly every frame is, a movement without tags or options, all of it at once:
// a PLAYER_MOVE, or where the first listener speaks the session profile, a DATA of as long a payload as holds one.
//
// What such a frame must have lies in its first 64 bytes: one comparison under a mask. The 64 bytes that begin four
// before the addresses have every field as a word: one comparison with words that may not be (zeros, our own address,
// the exponents of infinities), and one sum for the UDP checksum. Only ever says yes: what it doubts is looked at again
// by frame_is_common. Offsets and lengths are constants, and so is most of the answer.

#ifndef POLLGATE_NET_MOVE_FRAME_H
#define POLLGATE_NET_MOVE_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "net/checksum.h"
#include "net/headers.h"
#include "net/peer.h"
#include "net/vector.h"
#include "wire/plain.h"
#include "wire/session.h"

struct move_frame {
	struct ethernet_header ethernet;
	struct ipv4_header ip;
	struct udp_header udp;
	struct plain_move move;
} PACKED;
static_assert(sizeof(struct move_frame) == 86, "PLAYER_MOVE over Ethernet, IPv4 and UDP");

struct sealed_move_frame {
	struct ethernet_header ethernet;
	struct ipv4_header ip;
	struct udp_header udp;
	struct session_header header;
	struct session_message message; // encrypted, as is
	struct motion motion;
	uint8_t tag[SESSION_TAG_LEN];
} PACKED;
static_assert(sizeof(struct sealed_move_frame) == 106, "a sealed movement over Ethernet, IPv4 and UDP");

/// The words of the 64 bytes from MOVE_TAIL on. Of a sealed one, those behind the checksum are anything.
enum move_word {
	MOVE_WORD_TTL, // and protocol and header checksum: the only ones that no UDP checksum covers
	MOVE_WORD_SOURCE,
	MOVE_WORD_DESTINATION,
	MOVE_WORD_PORTS,
	MOVE_WORD_CHECKSUM, // behind the length
	MOVE_WORD_TYPE,
	MOVE_WORD_SIZE,
	MOVE_WORD_TIMESTAMP,
	MOVE_WORD_PLAYER = MOVE_WORD_TIMESTAMP + 2,
	MOVE_WORD_MOTION,
};

#define MOVE_TAIL (sizeof(struct move_frame) - SPAN_BYTES)
#define MOVE_TAIL_AT(field) (MOVE_TAIL + 4 * (field))
static_assert(MOVE_TAIL_AT(MOVE_WORD_SOURCE) == offsetof(struct move_frame, ip.source), "words are fields");
static_assert(MOVE_TAIL_AT(MOVE_WORD_MOTION) == offsetof(struct move_frame, move.motion), "words are fields");
static_assert(offsetof(struct move_frame, move) == offsetof(struct sealed_move_frame, header),
	      "in front, both are the same");

/// What a port's frames are compared with. Made by move_template_init, read per packet. Masks are among it so that the
/// compiler keeps them in registers, too: constants it would load for every frame.
struct move_template {
	uint8_t fixed[SPAN_BYTES];         // what the first 64 bytes have
	uint8_t fixed_mask[SPAN_BYTES];    // where they must
	uint32_t refused[SPAN_WORDS];      // what no word from MOVE_TAIL on may be
	uint32_t suspect_mask[SPAN_WORDS]; // which bits of it
	uint32_t source_mask[SPAN_WORDS];  // and which of the source in its place, that may be wrong in several ways
	uint32_t sum_mask[SPAN_WORDS];     // every other word of the datagram and its pseudo-header
	uint32_t mac_tail;                 // last four bytes of our MAC
};

/// @param broadcast  0: none
void move_template_init(struct move_template *template, be32 address, be32 broadcast, be16 udp_port);

/// Make it that of sealed movements.
void move_template_seal(struct move_template *template);
void move_template_set_mac(struct move_template *template, const uint8_t *mac);

/// Make it refuse every frame.
void move_template_close(struct move_template *template);

/// The same in registers, for the length of a burst.
struct move_spans {
	struct span fixed, fixed_mask, refused, suspect_mask, source_mask, sum_mask;
	uint32_t mac_tail;
};

ALWAYS_INLINE struct move_spans move_spans(const struct move_template *template)
{
	return (struct move_spans){
		.fixed = span_load(template->fixed),
		.fixed_mask = span_load(template->fixed_mask),
		.refused = span_load(template->refused),
		.suspect_mask = span_load(template->suspect_mask),
		.source_mask = span_load(template->source_mask),
		.sum_mask = span_load(template->sum_mask),
		.mac_tail = template->mac_tail,
	};
}

/// Is it an untagged movement of the template's kind to the port's first address and first listener, whole but for its
/// checksums?
/// @param frame_len  constant: of the kind
ALWAYS_INLINE bool is_move_frame(const uint8_t *frame, uint16_t len, const struct move_spans *spans,
				 const size_t frame_len)
{
	if (unlikely(len != frame_len))
		return false;

	const struct span tail = span_load(frame + MOVE_TAIL);
	const uint32_t source = load32(frame + MOVE_TAIL_AT(MOVE_WORD_SOURCE)), mac_tail = load32(frame + MAC_LEN + 2);
	const struct span suspects = span_select(tail, spans->suspect_mask, source, spans->source_mask);

	if (unlikely(vector_any(span_differences(span_load(frame), spans->fixed, spans->fixed_mask) |
				span_matches(suspects, spans->refused))))
		return false;
	// Somebody whose MAC ends like ours only takes the longer way.
	if (unlikely(mac_tail == 0))
		return false;
	return likely(mac_tail != spans->mac_tail);
}

/// What a sealed movement has behind the 64 bytes.
ALWAYS_INLINE uint64_t move_rest_sum(const uint8_t *frame, const size_t frame_len)
{
	const uint8_t *rest = frame + MOVE_TAIL + SPAN_BYTES;

	static_assert(sizeof(struct sealed_move_frame) - sizeof(struct move_frame) == 20, "two words and a half");

	return frame_len == sizeof(struct move_frame) ? 0 : add_around(sum_words(rest, 2, 0), load32(rest + 16));
}

ALWAYS_INLINE bool move_checksums_right(const uint8_t *frame, const struct move_spans *spans, const size_t frame_len)
{
	const uint8_t *ip = frame + offsetof(struct move_frame, ip);
	const uint64_t header = add_around(sum_words(ip, 2, 0), load32(ip + 16));
	const uint64_t datagram = span_sum(span_load(frame + MOVE_TAIL), spans->sum_mask) + BE16(IP_UDP) +
				  BE16(frame_len - offsetof(struct move_frame, udp));

	return likely(checksum_right(header)) &&
	       likely(checksum_right(add_around(datagram, move_rest_sum(frame, frame_len))));
}

ALWAYS_INLINE struct peer move_peer(const uint8_t *frame)
{
	const struct move_frame *f = (const struct move_frame *)frame;
	struct peer peer;

	peer_set4(&peer, f->ip.source);
	peer_set_channel(&peer, f->udp.source, 0);
	return peer;
}

/// Whom it is from and to: MACs, addresses, ports. Length and checksum of UDP are written back as they were.
ALWAYS_INLINE void exchange_ends(uint8_t *frame)
{
	uint8_t *addresses = frame + offsetof(struct move_frame, ip.source);
	bytes16 macs, ends;

	memcpy(&macs, frame, sizeof(macs));
	memcpy(&ends, addresses, sizeof(ends));
	macs = __builtin_shufflevector(macs, macs, 6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 4, 5, 12, 13, 14, 15);
	ends = __builtin_shufflevector(ends, ends, 4, 5, 6, 7, 0, 1, 2, 3, 10, 11, 8, 9, 12, 13, 14, 15);
	memcpy(frame, &macs, sizeof(macs));
	memcpy(addresses, &ends, sizeof(ends));
}

/// Exchange source and destination; the answer's hop limit and type. As reply_datagram and plain_acknowledge do it.
ALWAYS_INLINE void move_frame_answer(uint8_t *frame, const bool tx_offload)
{
	struct move_frame *f = (struct move_frame *)frame;
	const be16 ip_checksum = checksum_update(f->ip.checksum, f->ip.ttl, ANSWER_HOP_LIMIT);
	const be16 udp_checksum = checksum_update_udp(f->udp.checksum, PLAIN_MOVE, PLAIN_MOVE + PLAIN_ACK);

	exchange_ends(frame);
	f->ip.ttl = ANSWER_HOP_LIMIT;
	f->ip.checksum = tx_offload ? 0 : ip_checksum;
	f->udp.checksum = tx_offload ? checksum_fold(pseudo_header4(&f->ip, f->udp.length)) : udp_checksum;
	frame[offsetof(struct move_frame, move)] = PLAIN_MOVE + PLAIN_ACK;
}

/// What a sealed movement is answered with: a DATA without messages.
#define SEALED_ANSWER_LEN (offsetof(struct sealed_move_frame, header) + SESSION_SEALED_MIN)

/// Sum over the answer's pseudo-header, UDP header without checksum, and payload. Exchanging does not change it.
ALWAYS_INLINE uint64_t sealed_answer_sum(const uint8_t *frame, uint64_t pseudo)
{
	const uint8_t *payload = frame + offsetof(struct sealed_move_frame, header);
	const uint64_t ports = load32(frame + offsetof(struct sealed_move_frame, udp));

	static_assert(SESSION_SEALED_MIN == 36, "four words and a half");

	return add_around(sum_words(payload, 4, pseudo),
			  ports + load32(payload + 32) + BE16(sizeof(struct udp_header) + SESSION_SEALED_MIN));
}

/// Turn a sealed movement's frame round its answer, which lies where the payload lay: as reply_resized() does it.
ALWAYS_INLINE void sealed_move_frame_answer(uint8_t *frame, const bool tx_offload)
{
	struct sealed_move_frame *f = (struct sealed_move_frame *)frame;
	const be16 udp_len = BE16(sizeof(struct udp_header) + SESSION_SEALED_MIN);
	const be16 length = BE16(SEALED_ANSWER_LEN - sizeof(struct ethernet_header));
	const be16 fragment = BE16(IPV4_DO_NOT_FRAGMENT);
	const uint64_t pseudo = pseudo_header4(&f->ip, udp_len);
	const uint32_t before = (uint32_t)f->ip.total_length + f->ip.fragment + f->ip.ttl + f->ip.checksum;
	const uint32_t after = (uint32_t)length + fragment + ANSWER_HOP_LIMIT;
	const be16 sum = (be16)~checksum_fold(sealed_answer_sum(frame, pseudo));

	exchange_ends(frame);
	f->ip.total_length = length;
	f->ip.fragment = fragment;
	f->ip.ttl = ANSWER_HOP_LIMIT;
	// RFC 1624 eqn. 3, of three words at once.
	f->ip.checksum = tx_offload ? 0 : (be16)~checksum_fold32(4U * UINT16_MAX - before + after);
	f->udp.length = udp_len;
	f->udp.checksum = tx_offload ? checksum_fold(pseudo) : sum != 0 ? sum : UINT16_MAX;
}

#endif
