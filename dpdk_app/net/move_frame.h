// SPDX-License-Identifier: BSD-3-Clause
// net/move_frame.h: the one frame that nearly every frame of the plain profile is, a PLAYER_MOVE without tags or options, all
// of it at once: see fast_frame.h. Offsets and lengths are constants, and so is most of the answer.

#ifndef POLLGATE_NET_MOVE_FRAME_H
#define POLLGATE_NET_MOVE_FRAME_H

#include "net/fast_frame.h"
#include "net/reply.h"
#include "wire/plain.h"

struct move_frame {
	struct frame_front front;
	struct plain_move move;
} PACKED;
static_assert(sizeof(struct move_frame) == 86, "PLAYER_MOVE over Ethernet, IPv4 and UDP");
static_assert(FRAME_WORD_AT(WORD_MOTION) == offsetof(struct move_frame, move.motion), "words are fields");
static_assert(FRAME_WORD_AT(SPAN_WORDS) == sizeof(struct move_frame), "words end with the frame");

/// Is it an untagged PLAYER_MOVE to the port's first address and first listener, whole but for its checksums?
ALWAYS_INLINE bool is_move_frame(const uint8_t *frame, uint16_t len, const struct fast_spans *spans)
{
	return likely(len == sizeof(struct move_frame)) && frame_fits(frame, spans);
}

/// @param rx  what the device has said of them; the rest is verified here
ALWAYS_INLINE bool move_checksums_right(const uint8_t *frame, const struct fast_spans *spans, unsigned rx)
{
	if (unlikely(rx & RX_CHECKSUM_BAD) || (!(rx & RX_IP_CHECKSUM_GOOD) && unlikely(!frame_header_right(frame))))
		return false;
	if (rx & RX_L4_CHECKSUM_GOOD)
		return true;

	const uint64_t datagram = span_sum(span_load(frame + FRAME_WORDS), spans->sum_mask) + BE16(IP_UDP) +
				  BE16(sizeof(struct udp_header) + sizeof(struct plain_move));

	return likely(checksum_right(datagram));
}

#ifdef __AVX512F__
/// Exchange source and destination, the answer's hop limit and type: the first 64 bytes at once. Checksums are the caller's.
ALWAYS_INLINE void move_frame_turn(uint8_t *frame)
{
	static const uint16_t from[SPAN_BYTES / 2] CACHE_ALIGNED = {3,  4,  5,  0,  1,  2,  6,  7,  8,  9,  10,
								    11, 12, 15, 16, 13, 14, 18, 17, 19, 20, 21,
								    22, 23, 24, 25, 26, 27, 28, 29, 30, 31};
	static const struct move_frame changed = {.front.ip.ttl = 0xff, .move.header.packet_type = 0xff};
	static const struct move_frame answer = {.front.ip.ttl = ANSWER_HOP_LIMIT,
						 .move.header.packet_type = PLAIN_MOVE + PLAIN_ACK};
	const __m512i turned = _mm512_permutexvar_epi16(_mm512_load_si512(from), _mm512_loadu_si512(frame));

	_mm512_storeu_si512(frame, _mm512_or_si512(_mm512_andnot_si512(_mm512_loadu_si512(&changed), turned),
						   _mm512_loadu_si512(&answer)));
}
#else
ALWAYS_INLINE void move_frame_turn(uint8_t *frame)
{
	struct move_frame *f = (struct move_frame *)frame;

	frame_exchange_ends(frame);
	f->front.ip.ttl = ANSWER_HOP_LIMIT;
	frame[offsetof(struct move_frame, move)] = PLAIN_MOVE + PLAIN_ACK;
}
#endif

/// Exchange source and destination; the answer's hop limit and type. As reply_datagram and plain_acknowledge do it.
ALWAYS_INLINE void move_frame_answer(uint8_t *frame, const unsigned tx_offload)
{
	struct move_frame *f = (struct move_frame *)frame;
	const be16 ip_checksum = checksum_update(f->front.ip.checksum, f->front.ip.ttl, ANSWER_HOP_LIMIT);
	const be16 udp_checksum = checksum_update_udp(f->front.udp.checksum, PLAIN_MOVE, PLAIN_MOVE + PLAIN_ACK);

	move_frame_turn(frame);
	f->front.ip.checksum = tx_offload & TX_CHECKSUM_IP ? 0 : ip_checksum;
	f->front.udp.checksum = tx_offload & TX_CHECKSUM_UDP ?
					checksum_fold(pseudo_header4(&f->front.ip, f->front.udp.length)) :
					udp_checksum;
}

#endif
