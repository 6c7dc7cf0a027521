// SPDX-License-Identifier: BSD-3-Clause
// net/move_frame.c: see move_frame.h.

#include "net/move_frame.h"

#include <string.h>

#define FLOAT_EXPONENT 0x7f800000U // all ones: infinity or NaN
#define EVERY UINT32_MAX

/// No word is this under a mask without bits.
#define NEVER 1

static const struct move_frame plain_mask = {
	.ethernet = {.destination = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, .source = {1}, .type = UINT16_MAX},
	.ip = {.version_ihl = 0xff,
	       .total_length = UINT16_MAX,
	       .fragment = BE16(IPV4_FRAGMENT_MASK),
	       .protocol = 0xff,
	       .destination = EVERY},
	.udp = {.destination = UINT16_MAX, .length = UINT16_MAX},
	.move.header = {.packet_type = EVERY, .packet_size = EVERY},
};

/// Which session it is, and all counters, are anything.
static const struct session_header sealed_header = {
	.kind = SESSION_DATA,
	.length = sizeof(struct sealed_move_frame) - offsetof(struct sealed_move_frame, header),
};
static const struct session_header sealed_mask = {
	.kind = 0xff,
	.flags = (uint8_t)~SESSION_FLAG_ACK_NOW,
	.length = UINT16_MAX,
};

static void refuse(struct move_template *template, unsigned word, uint32_t value, uint32_t mask)
{
	template->refused[word] = value;
	template->suspect_mask[word] = mask;
}

/// In the place of a word that may be anything.
static void refuse_source(struct move_template *template, unsigned word, uint32_t value, uint32_t mask)
{
	template->refused[word] = value;
	template->source_mask[word] = mask;
}

void move_template_init(struct move_template *template, be32 address, be32 broadcast, be16 udp_port)
{
	const struct move_frame fixed = {
		.ethernet.type = BE16(ETHER_IPV4),
		.ip = {.version_ihl = IPV4_VERSION_IHL_PLAIN,
		       .total_length = BE16(sizeof(struct move_frame) - sizeof(struct ethernet_header)),
		       .protocol = IP_UDP,
		       .destination = address},
		.udp = {.destination = udp_port, .length = BE16(sizeof(struct udp_header) + sizeof(struct plain_move))},
		.move.header = {.packet_type = PLAIN_MOVE, .packet_size = sizeof(struct plain_move)},
	};

	*template = (struct move_template){.mac_tail = 0};
	memcpy(template->fixed, &fixed, SPAN_BYTES);
	memcpy(template->fixed_mask, &plain_mask, SPAN_BYTES);
	for (unsigned i = 0; i < SPAN_WORDS; i++)
		refuse(template, i, NEVER, 0);
	refuse(template, MOVE_WORD_SOURCE, address, EVERY);
	refuse_source(template, MOVE_WORD_TYPE, broadcast, EVERY);
	refuse_source(template, MOVE_WORD_SIZE, 0, 0xff);             // 0/8
	refuse_source(template, MOVE_WORD_TIMESTAMP, 127, 0xff);      // 127/8
	refuse_source(template, MOVE_WORD_TIMESTAMP + 1, 0xe0, 0xe0); // 224/3
	refuse(template, MOVE_WORD_PORTS, 0, 0x0000ffff);
	refuse(template, MOVE_WORD_CHECKSUM, 0, 0xffff0000);
	for (unsigned i = MOVE_WORD_MOTION; i < SPAN_WORDS; i++)
		refuse(template, i, FLOAT_EXPONENT, FLOAT_EXPONENT);
	for (unsigned i = MOVE_WORD_DESTINATION; i < SPAN_WORDS; i += 2)
		template->sum_mask[i] = EVERY;
}

void move_template_seal(struct move_template *template)
{
	struct sealed_move_frame fixed, mask;

	memcpy(&fixed, template->fixed, SPAN_BYTES);
	memcpy(&mask, template->fixed_mask, SPAN_BYTES);
	fixed.ip.total_length = BE16(sizeof(fixed) - sizeof(fixed.ethernet));
	fixed.udp.length = BE16(sizeof(fixed) - offsetof(struct sealed_move_frame, udp));
	fixed.header = sealed_header;
	mask.header = sealed_mask;
	memset(&mask.message, 0, sizeof(mask.message));
	memcpy(template->fixed, &fixed, SPAN_BYTES);
	memcpy(template->fixed_mask, &mask, SPAN_BYTES);
	for (unsigned i = MOVE_WORD_MOTION; i < SPAN_WORDS; i++)
		refuse(template, i, NEVER, 0);
}

void move_template_set_mac(struct move_template *template, const uint8_t *mac)
{
	mac_copy(((struct move_frame *)template->fixed)->ethernet.destination, mac);
	template->mac_tail = load32(mac + 2);
}

void move_template_close(struct move_template *template)
{
	template->refused[MOVE_WORD_TTL] = 0; // what every word is under no mask
}
