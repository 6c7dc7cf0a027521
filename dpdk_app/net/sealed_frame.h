// SPDX-License-Identifier: BSD-3-Clause
// net/sealed_frame.h: the frame that nearly every frame of the session profile is, a DATA without tags or options, all that is
// in front of its messages at once: see fast_frame.h.

#ifndef POLLGATE_NET_SEALED_FRAME_H
#define POLLGATE_NET_SEALED_FRAME_H

#include "net/fast_frame.h"
#include "net/reply.h"
#include "wire/session.h"

struct sealed_frame {
	struct frame_front front;
	struct session_header header;
	struct session_prefix prefix; // sealed from here
	uint8_t messages[];           // and the tag
} PACKED;

#define SEALED_FRAME_MIN (sizeof(struct frame_front) + SESSION_DATA_MIN)
#define SEALED_FRAME_MAX (sizeof(struct frame_front) + SESSION_DATAGRAM_MAX)
#define SEALED_FRAME_MOVE (SEALED_FRAME_MIN + sizeof(struct session_message) + sizeof(struct motion))
static_assert(FRAME_WORDS + SPAN_BYTES <= ETHERNET_MAX, "where frames of this profile may be, words are readable");

/// Is it an untagged DATA to the port's first address and first listener, whole but for its checksums? Its three lengths are
/// the frame's: without padding, which a sealed frame is too long for.
ALWAYS_INLINE bool is_sealed_frame(const uint8_t *frame, uint16_t len, const struct fast_spans *spans)
{
	const struct sealed_frame *f = (const struct sealed_frame *)frame;
	const uint16_t datagram = (uint16_t)(len - offsetof(struct frame_front, udp));

	if (unlikely(len < SEALED_FRAME_MIN || len > SEALED_FRAME_MAX) || !frame_fits(frame, spans))
		return false;
	return likely(((f->front.ip.total_length ^ BE16(datagram + sizeof(struct ipv4_header))) |
		       (f->front.udp.length ^ BE16(datagram)) |
		       (f->header.length ^ (datagram - sizeof(struct udp_header)))) == 0);
}

/// From the addresses on, without protocol and length.
ALWAYS_INLINE uint64_t sealed_frame_sum(const uint8_t *frame, uint16_t len, const struct fast_spans *spans)
{
	const uint8_t *addresses = frame + FRAME_WORD_AT(WORD_SOURCE), *rest = frame + FRAME_WORD_AT(SPAN_WORDS);

	static_assert((SEALED_FRAME_MIN - FRAME_WORD_AT(WORD_SOURCE)) % 8 == 0, "whole words");
	static_assert(SEALED_FRAME_MOVE - FRAME_WORD_AT(SPAN_WORDS) == 24, "three words");
	if (likely(len == SEALED_FRAME_MOVE))
		return sum_words(rest, 3, span_sum(span_load(frame + FRAME_WORDS), spans->sum_mask));
	if (len == SEALED_FRAME_MIN)
		return sum_words(addresses, (SEALED_FRAME_MIN - FRAME_WORD_AT(WORD_SOURCE)) / 8, 0);
	return checksum_sum(addresses, len - FRAME_WORD_AT(WORD_SOURCE));
}

/// @param rx  what the device has said of them; the rest is verified here
ALWAYS_INLINE bool sealed_checksums_right(const uint8_t *frame, uint16_t len, const struct fast_spans *spans,
					  unsigned rx)
{
	const struct sealed_frame *f = (const struct sealed_frame *)frame;

	if (unlikely(rx & RX_CHECKSUM_BAD) || (!(rx & RX_IP_CHECKSUM_GOOD) && unlikely(!frame_header_right(frame))))
		return false;
	if (rx & RX_L4_CHECKSUM_GOOD)
		return true;
	return likely(
		checksum_right(add_around(sealed_frame_sum(frame, len, spans), BE16(IP_UDP) + f->front.udp.length)));
}

/// Sum over the answer's pseudo-header, UDP header without checksum, and payload. Exchanging does not change it.
ALWAYS_INLINE uint64_t sealed_answer_sum(const uint8_t *frame, uint64_t pseudo)
{
	const uint8_t *payload = frame + offsetof(struct sealed_frame, header);
	const uint64_t ports = load32(frame + offsetof(struct frame_front, udp));

	static_assert(SESSION_DATA_MIN % 8 == 0, "whole words");

	return add_around(sum_words(payload, SESSION_DATA_MIN / 8, pseudo),
			  ports + BE16(sizeof(struct udp_header) + SESSION_DATA_MIN));
}

/// Turn a frame round an acknowledgement, a DATA without messages, that lies where the payload lay: as reply_resized() does
/// it. It has SEALED_FRAME_MIN bytes.
ALWAYS_INLINE void sealed_frame_answer(uint8_t *frame, const unsigned tx_offload)
{
	struct sealed_frame *f = (struct sealed_frame *)frame;
	const be16 udp_len = BE16(sizeof(struct udp_header) + SESSION_DATA_MIN);
	const be16 length = BE16(SEALED_FRAME_MIN - sizeof(struct ethernet_header));
	const be16 fragment = BE16(IPV4_DO_NOT_FRAGMENT);
	const uint64_t pseudo = pseudo_header4(&f->front.ip, udp_len);
	const uint32_t before =
		(uint32_t)f->front.ip.total_length + f->front.ip.fragment + f->front.ip.ttl + f->front.ip.checksum;
	const uint32_t after = (uint32_t)length + fragment + ANSWER_HOP_LIMIT;
	const be16 sum = (be16)~checksum_fold(sealed_answer_sum(frame, pseudo));

	frame_exchange_ends(frame);
	f->front.ip.total_length = length;
	f->front.ip.fragment = fragment;
	f->front.ip.ttl = ANSWER_HOP_LIMIT;
	// RFC 1624 eqn. 3, of three words at once.
	f->front.ip.checksum =
		tx_offload & TX_CHECKSUM_IP ? 0 : (be16)~checksum_fold32(4U * UINT16_MAX - before + after);
	f->front.udp.length = udp_len;
	f->front.udp.checksum = tx_offload & TX_CHECKSUM_UDP ? checksum_fold(pseudo) : sum != 0 ? sum : UINT16_MAX;
}

#endif
