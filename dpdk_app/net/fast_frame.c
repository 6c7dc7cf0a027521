// SPDX-License-Identifier: BSD-3-Clause
// net/fast_frame.c: see fast_frame.h.

#include "net/fast_frame.h"

#include <string.h>

#include "net/move_frame.h"
#include "net/sealed_frame.h"

#define FLOAT_EXPONENT 0x7f800000U // all ones: infinity or NaN
#define EVERY UINT32_MAX

static const struct move_frame plain_mask = {
	.front.ethernet = {.destination = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, .source = {1}, .type = UINT16_MAX},
	.front.ip = {.version_ihl = 0xff,
		     .tos = ECN_MASK, // an answer has neither: the other lanes clear them
		     .total_length = UINT16_MAX,
		     .fragment = BE16(IPV4_FRAGMENT_BUT_DF),
		     .protocol = 0xff,
		     .destination = EVERY},
	.front.udp = {.destination = UINT16_MAX, .length = UINT16_MAX},
	.move.header = {.packet_type = EVERY, .packet_size = EVERY},
};

static void refuse(struct fast_frame *template, unsigned word, uint32_t value, uint32_t mask)
{
	template->refused[word] = value;
	template->suspect_mask[word] = mask;
}

/// Refuse a value of the source's word, in the place of a word that may be anything.
static void refuse_source(struct fast_frame *template, unsigned word, uint32_t value, uint32_t mask)
{
	template->refused[word] = value;
	template->source_mask[word] = mask;
}

void fast_frame_init(struct fast_frame *template, be32 address, be32 broadcast, be16 udp_port)
{
	const struct move_frame fixed = {
		.front.ethernet.type = BE16(ETHER_IPV4),
		.front.ip = {.version_ihl = IPV4_VERSION_IHL_PLAIN,
			     .total_length = BE16(sizeof(struct move_frame) - sizeof(struct ethernet_header)),
			     .protocol = IP_UDP,
			     .destination = address},
		.front.udp = {.destination = udp_port,
			      .length = BE16(sizeof(struct udp_header) + sizeof(struct plain_move))},
		.move.header = {.packet_type = PLAIN_MOVE, .packet_size = sizeof(struct plain_move)},
	};

	*template = (struct fast_frame){.mac_tail = 0};
	memcpy(template->fixed, &fixed, SPAN_BYTES);
	memcpy(template->fixed_mask, &plain_mask, SPAN_BYTES);
	for (unsigned i = 0; i < SPAN_WORDS; i++)
		refuse(template, i, NO_WORD, 0);
	refuse(template, WORD_SOURCE, address, EVERY);
	refuse_source(template, WORD_TYPE, broadcast, EVERY);
	refuse_source(template, WORD_SIZE, 0, 0xff); // 0/8
	refuse_source(template, WORD_TIMESTAMP, NETWORK_LOOPBACK, 0xff);
	refuse_source(template, WORD_TIMESTAMP + 1, CLASS_MULTICAST, CLASS_MULTICAST); // 224/3
	refuse(template, WORD_PORTS, 0, 0x0000ffff);
	refuse(template, WORD_CHECKSUM, 0, 0xffff0000);
	for (unsigned i = WORD_MOTION; i < SPAN_WORDS; i++)
		refuse(template, i, FLOAT_EXPONENT, FLOAT_EXPONENT);
	for (unsigned i = WORD_DESTINATION; i < SPAN_WORDS; i += 2)
		template->sum_mask[i] = EVERY;
}

void fast_frame_seal(struct fast_frame *template)
{
	struct sealed_frame *fixed = (struct sealed_frame *)template->fixed;
	struct sealed_frame *mask = (struct sealed_frame *)template->fixed_mask;

	static_assert(offsetof(struct sealed_frame, prefix) <= SPAN_BYTES, "all that is fixed");
	template->sealed = true;
	// Lengths, which session it is, and all counters are anything; so is what is encrypted.
	mask->front.ip.total_length = 0;
	mask->front.udp.length = 0;
	memset(template->fixed_mask + offsetof(struct sealed_frame, header), 0,
	       SPAN_BYTES - offsetof(struct sealed_frame, header));
	fixed->header.kind = SESSION_DATA;
	fixed->header.flags = 0;
	mask->header.kind = 0xff;
	mask->header.flags = (uint8_t)~SESSION_FLAG_PHASE;
	for (unsigned i = WORD_MOTION; i < SPAN_WORDS; i++)
		refuse(template, i, NO_WORD, 0);
}

void fast_frame_set_mac(struct fast_frame *template, const uint8_t *mac)
{
	mac_copy(((struct frame_front *)template->fixed)->ethernet.destination, mac);
	template->mac_tail = load32(mac + 2);
}

void fast_frame_close(struct fast_frame *template)
{
	template->refused[WORD_TTL] = 0; // what every word is under no mask
}
