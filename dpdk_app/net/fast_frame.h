// SPDX-License-Identifier: BSD-3-Clause
// net/fast_frame.h: what the frames of a port's most frequent kind have in common, compared all at once.
//
// What such a frame must have lies in its first 64 bytes: one comparison under a mask. The 64 bytes that begin four
// before the addresses have every field as a word: one comparison with words that may not be (zeros, our own address,
// the exponents of infinities). Only ever says yes: what it doubts is looked at again by frame_is_common. Which kind that
// is depends on the first listener's profile: move_frame.h, sealed_frame.h.

#ifndef POLLGATE_NET_FAST_FRAME_H
#define POLLGATE_NET_FAST_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "net/checksum.h"
#include "net/headers.h"
#include "net/peer.h"
#include "net/vector.h"

/// The headers in front of the payload of a frame without tags and options.
struct frame_front {
	struct ethernet_header ethernet;
	struct ipv4_header ip;
	struct udp_header udp;
} PACKED;
static_assert(sizeof(struct frame_front) == 42, "Ethernet, IPv4 and UDP");

/// The words from FRAME_WORDS on. Those of a PLAYER_MOVE end with the frame. In a sealed frame, the payload's are anything.
enum frame_word {
	WORD_TTL, // and protocol and header checksum: the only ones that no UDP checksum covers
	WORD_SOURCE,
	WORD_DESTINATION,
	WORD_PORTS,
	WORD_CHECKSUM, // behind the length
	WORD_TYPE,
	WORD_SIZE,
	WORD_TIMESTAMP,
	WORD_PLAYER = WORD_TIMESTAMP + 2,
	WORD_MOTION,
};

/// Words of a span that may be anything, in whose places its source is compared, that may be wrong in several ways.
#define SOURCE_WORDS (1U << WORD_TYPE | 1U << WORD_SIZE | 1U << WORD_TIMESTAMP | 1U << (WORD_TIMESTAMP + 1))

/// A word that no masked word equals, for places without a mask.
#define NO_WORD 1

#define NETWORK_LOOPBACK 127 // the first byte of an address
#define CLASS_MULTICAST 0xe0 // and its first bits

#define FRAME_WORDS (offsetof(struct frame_front, ip.source) - 4 * WORD_SOURCE)
#define FRAME_WORD_AT(word) (FRAME_WORDS + 4 * (word))
static_assert(FRAME_WORD_AT(WORD_PORTS) == offsetof(struct frame_front, udp), "words are fields");

/// The template that a port's frames are compared with. It is made once and read per packet. The masks are part of it so
/// that the compiler keeps them in registers: it would load constants for every frame.
struct fast_frame {
	uint8_t fixed[SPAN_BYTES];         // what the first 64 bytes have
	uint8_t fixed_mask[SPAN_BYTES];    // where they must
	uint32_t refused[SPAN_WORDS];      // what no word from FRAME_WORDS on may be
	uint32_t suspect_mask[SPAN_WORDS]; // which bits of it
	uint32_t source_mask[SPAN_WORDS];  // and which of the source in its place, that may be wrong in several ways
	uint32_t sum_mask[SPAN_WORDS];     // every other word of the datagram and its pseudo-header
	uint32_t mac_tail;                 // last four bytes of our MAC
	bool sealed;                       // they are DATA of the session profile
};

/// Make the template of PLAYER_MOVEs.
/// @param broadcast  0: none
void fast_frame_init(struct fast_frame *template, be32 address, be32 broadcast, be16 udp_port);

/// Make it the template of the session profile's DATA.
void fast_frame_seal(struct fast_frame *template);
void fast_frame_set_mac(struct fast_frame *template, const uint8_t *mac);

/// Make the template refuse every frame.
void fast_frame_close(struct fast_frame *template);

/// The template in registers, for the length of a burst.
struct fast_spans {
	struct span fixed, fixed_mask, refused, suspect_mask, source_mask, sum_mask;
	uint32_t mac_tail;
};

ALWAYS_INLINE struct fast_spans fast_spans(const struct fast_frame *template)
{
	return (struct fast_spans){
		.fixed = span_load(template->fixed),
		.fixed_mask = span_load(template->fixed_mask),
		.refused = span_load(template->refused),
		.suspect_mask = span_load(template->suspect_mask),
		.source_mask = span_load(template->source_mask),
		.sum_mask = span_load(template->sum_mask),
		.mac_tail = template->mac_tail,
	};
}

/// Does a frame match the template? The lengths of a sealed frame, and checksums, are not compared here.
/// @param frame  FRAME_WORDS + SPAN_BYTES readable bytes, of which those behind its end may be anything
ALWAYS_INLINE bool frame_fits(const uint8_t *frame, const struct fast_spans *spans)
{
	const struct span words = span_load(frame + FRAME_WORDS);
	const uint32_t source = load32(frame + FRAME_WORD_AT(WORD_SOURCE)), mac_tail = load32(frame + MAC_LEN + 2);
	const struct span suspects = span_select(words, spans->suspect_mask, source, spans->source_mask);

	if (unlikely(span_any(span_load(frame), spans->fixed, spans->fixed_mask, suspects, spans->refused)))
		return false;
	// A frame whose source MAC ends like ours only takes the general path.
	if (unlikely(mac_tail == 0))
		return false;
	return likely(mac_tail != spans->mac_tail);
}

ALWAYS_INLINE bool frame_header_right(const uint8_t *frame)
{
	const uint8_t *ip = frame + offsetof(struct frame_front, ip);

	return likely(checksum_right(add_around(sum_words(ip, 2, 0), load32(ip + 16))));
}

ALWAYS_INLINE struct peer frame_peer(const uint8_t *frame)
{
	const struct frame_front *f = (const struct frame_front *)frame;
	struct peer peer;

	peer_set4(&peer, f->ip.source);
	peer_set_channel(&peer, f->udp.source, 0);
	return peer;
}

/// Exchange source and destination: MACs, addresses, ports. Length and checksum of UDP are written back as they were.
ALWAYS_INLINE void frame_exchange_ends(uint8_t *frame)
{
	uint8_t *addresses = frame + offsetof(struct frame_front, ip.source);
	bytes16 macs, ends;

	memcpy(&macs, frame, sizeof(macs));
	memcpy(&ends, addresses, sizeof(ends));
	macs = __builtin_shufflevector(macs, macs, 6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 4, 5, 12, 13, 14, 15);
	ends = __builtin_shufflevector(ends, ends, 4, 5, 6, 7, 0, 1, 2, 3, 10, 11, 8, 9, 12, 13, 14, 15);
	memcpy(frame, &macs, sizeof(macs));
	memcpy(addresses, &ends, sizeof(ends));
}

#endif
