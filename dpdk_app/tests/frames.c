// SPDX-License-Identifier: BSD-3-Clause
// frames.c: see frames.h.

#include "frames.h"

#include <string.h>

const uint8_t our_mac[6] = {0x02, 0, 0, 0, 0, 0x02};
const uint8_t our_ip4[4] = {10, 0, 0, 1};
const uint8_t our_ip6[16] = {0xfd, [15] = 0x01};
const uint8_t our_link_local[16] = {0xfe, 0x80, [15] = 0x01};

void put16(uint8_t *to, uint16_t value)
{
	to[0] = (uint8_t)(value >> 8);
	to[1] = (uint8_t)value;
}

void put32(uint8_t *to, uint32_t value)
{
	put16(to, (uint16_t)(value >> 16));
	put16(to + 2, (uint16_t)value);
}

uint16_t get16(const uint8_t *from)
{
	return (uint16_t)(from[0] << 8 | from[1]);
}

void put_le16(uint8_t *to, uint16_t value)
{
	to[0] = (uint8_t)value;
	to[1] = (uint8_t)(value >> 8);
}

void put_le32(uint8_t *to, uint32_t value)
{
	put_le16(to, (uint16_t)value);
	put_le16(to + 2, (uint16_t)(value >> 16));
}

uint32_t get_le32(const uint8_t *from)
{
	return from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

// ---------------------------------------------------------------- checksums

uint16_t naive_checksum(const uint8_t *bytes, size_t len, uint64_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 == 0 ? (uint64_t)bytes[i] << 8 : bytes[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

uint64_t naive_pseudo_sum(const uint8_t *ip, uint8_t protocol, size_t len)
{
	const bool v6 = ip[0] >> 4 == 6;
	const uint8_t *addresses = ip + (v6 ? 8 : 12);
	uint64_t sum = protocol + len;

	for (size_t i = 0; i < (v6 ? 32 : 8); i += 2)
		sum += get16(addresses + i);
	return sum;
}

/// Where the parts of an IP frame are, as far as its lengths are true.
struct layers {
	size_t l3;
	size_t l4;
	size_t end;
	uint8_t protocol;
};

static bool locate(const uint8_t *bytes, size_t len, struct layers *at)
{
	size_t type_at = 12;

	while (type_at + 6 <= len && (get16(bytes + type_at) == 0x8100 || get16(bytes + type_at) == 0x88a8 ||
				      get16(bytes + type_at) == 0x9100))
		type_at += 4;
	at->l3 = type_at + 2;
	if (at->l3 + 20 <= len && get16(bytes + type_at) == 0x0800) {
		const uint8_t *ip = bytes + at->l3;

		at->l4 = at->l3 + (size_t)(ip[0] & 15) * 4;
		at->end = at->l3 + get16(ip + 2);
		at->protocol = ip[9];
		return ip[0] >> 4 == 4 && (ip[0] & 15) >= 5 && at->l4 <= at->end && at->end <= len;
	}
	if (at->l3 + 40 <= len && get16(bytes + type_at) == 0x86dd) {
		const uint8_t *ip = bytes + at->l3;

		at->l4 = at->l3 + 40;
		at->end = at->l4 + get16(ip + 4);
		at->protocol = ip[6];
		if (at->protocol == 0 && at->l4 + 8 <= at->end && at->end <= len) { // hop by hop
			at->protocol = ip[40];
			at->l4 += 8 + 8 * (size_t)ip[41];
		}
		return ip[0] >> 4 == 6 && at->l4 <= at->end && at->end <= len;
	}
	return false;
}

/// Offset of the transport checksum in its segment, or -1.
static int checksum_offset(const uint8_t *bytes, const struct layers *at)
{
	const bool v6 = bytes[at->l3] >> 4 == 6;
	const size_t len = at->end - at->l4;

	if (at->protocol == PROTOCOL_UDP && len >= 8)
		return 6;
	if (at->protocol == (v6 ? PROTOCOL_ICMPV6 : PROTOCOL_ICMP) && len >= 4)
		return 2;
	return -1;
}

static uint64_t segment_pseudo_sum(const uint8_t *bytes, const struct layers *at)
{
	if (at->protocol == PROTOCOL_ICMP) // RFC 792 has none
		return 0;
	return naive_pseudo_sum(bytes + at->l3, at->protocol, at->end - at->l4);
}

void repair_checksums(uint8_t *bytes, size_t len)
{
	struct layers at;

	if (!locate(bytes, len, &at))
		return;
	if (bytes[at.l3] >> 4 == 4) {
		put16(bytes + at.l3 + 10, 0);
		put16(bytes + at.l3 + 10, naive_checksum(bytes + at.l3, at.l4 - at.l3, 0));
	}

	const int offset = checksum_offset(bytes, &at);

	if (offset < 0)
		return;

	uint8_t *field = bytes + at.l4 + offset;

	put16(field, 0);

	const uint16_t checksum = naive_checksum(bytes + at.l4, at.end - at.l4, segment_pseudo_sum(bytes, &at));

	put16(field, at.protocol == PROTOCOL_UDP && checksum == 0 ? 0xffff : checksum);
}

/// A receiver sums everything, the field included, and wants all ones; naive_checksum turns that into 0.
bool checksums_right(const uint8_t *bytes, size_t len)
{
	struct layers at;

	if (!locate(bytes, len, &at))
		return false;

	const bool v4 = bytes[at.l3] >> 4 == 4;

	if (v4 && naive_checksum(bytes + at.l3, at.l4 - at.l3, 0) != 0)
		return false;

	const int offset = checksum_offset(bytes, &at);

	if (offset < 0)
		return false;
	if (at.protocol == PROTOCOL_UDP && get16(bytes + at.l4 + 4) != at.end - at.l4)
		return false;
	if (at.protocol == PROTOCOL_UDP && get16(bytes + at.l4 + 6) == 0)
		return v4;
	return naive_checksum(bytes + at.l4, at.end - at.l4, segment_pseudo_sum(bytes, &at)) == 0;
}

// ---------------------------------------------------------------- flows

static struct flow flow_of(uint32_t n)
{
	struct flow flow = {
		.ttl = 57, .tos = 0xb8, .ip_id = (uint16_t)(0x1234 + n), .fragment = 0x4000, .port_to = 8080};

	flow.port_from = (uint16_t)(20000 + n % 10000);
	memcpy(flow.mac_to, our_mac, 6);
	flow.mac_from[0] = 0x06;
	put32(flow.mac_from + 2, n);
	return flow;
}

struct flow flow4(uint32_t n)
{
	struct flow flow = flow_of(n);

	flow.family = 4;
	memcpy(flow.to, our_ip4, 4);
	put32(flow.from, 0x14000000U + n); // 20.0.0.0 and up
	return flow;
}

struct flow flow6(uint32_t n)
{
	struct flow flow = flow_of(n);

	flow.family = 6;
	memcpy(flow.to, our_ip6, 16);
	put32(flow.from, 0x20010db8U);
	put32(flow.from + 4, n); // a /64 each
	flow.from[15] = 0x77;
	return flow;
}

struct flow flow_back(const struct flow *flow)
{
	struct flow back = *flow;

	memcpy(back.mac_to, flow->mac_from, 6);
	memcpy(back.mac_from, our_mac, 6);
	memcpy(back.to, flow->from, 16);
	memcpy(back.from, flow->to, 16);
	back.port_to = flow->port_from;
	back.port_from = flow->port_to;
	back.ttl = 64;
	back.tos &= 0xfc;
	back.fragment &= 0x4000;
	return back;
}

void flow_tag(struct flow *flow, uint16_t type, uint16_t control)
{
	flow->tag_type[flow->tags] = type;
	flow->tag_control[flow->tags] = control;
	flow->tags++;
}

// ---------------------------------------------------------------- frames

static void pad(struct frame *f, const struct flow *flow)
{
	if (f->len < flow->padded_to)
		f->len = flow->padded_to; // the bytes are zero since build_ethernet
}

void build_ethernet(struct frame *f, const struct flow *flow, uint16_t type)
{
	uint8_t *at = f->bytes + 12;

	memset(f, 0, sizeof(*f));
	memcpy(f->bytes, flow->mac_to, 6);
	memcpy(f->bytes + 6, flow->mac_from, 6);
	for (unsigned i = 0; i < flow->tags; i++, at += 4) {
		put16(at, flow->tag_type[i]);
		put16(at + 2, flow->tag_control[i]);
	}
	put16(at, type);
	f->l3 = (uint16_t)(at + 2 - f->bytes);
	f->len = f->l3;
	pad(f, flow);
}

static void build_header4(uint8_t *ip, const struct flow *flow, uint8_t protocol, size_t len)
{
	ip[0] = 0x45;
	ip[1] = flow->tos;
	put16(ip + 2, (uint16_t)(20 + len));
	put16(ip + 4, flow->ip_id);
	put16(ip + 6, flow->fragment);
	ip[8] = flow->ttl;
	ip[9] = protocol;
	memcpy(ip + 12, flow->from, 4);
	memcpy(ip + 16, flow->to, 4);
}

static void build_header6(uint8_t *ip, const struct flow *flow, uint8_t protocol, size_t len)
{
	put32(ip, 0x60012345 | (uint32_t)flow->tos << 20); // the flow label comes back
	put16(ip + 4, (uint16_t)len);
	ip[6] = protocol;
	ip[7] = flow->ttl;
	memcpy(ip + 8, flow->from, 16);
	memcpy(ip + 24, flow->to, 16);
}

void build_ip(struct frame *f, const struct flow *flow, uint8_t protocol, const uint8_t *segment, size_t len)
{
	build_ethernet(f, flow, flow->family == 4 ? 0x0800 : 0x86dd);
	if (flow->family == 4)
		build_header4(f->bytes + f->l3, flow, protocol, len);
	else
		build_header6(f->bytes + f->l3, flow, protocol, len);
	f->l4 = (uint16_t)(f->l3 + (flow->family == 4 ? 20 : 40));
	f->payload = (uint16_t)(f->l4 + 8);
	memcpy(f->bytes + f->l4, segment, len);
	f->len = (uint16_t)(f->l4 + len);
	repair_checksums(f->bytes, f->len);
	if (protocol == PROTOCOL_UDP && flow->no_checksum)
		put16(f->bytes + f->l4 + 6, 0);
	pad(f, flow);
}

void build_udp(struct frame *f, const struct flow *flow, const uint8_t *payload, size_t len)
{
	uint8_t segment[FRAME_MAX] = {0};

	put16(segment, flow->port_from);
	put16(segment + 2, flow->port_to);
	put16(segment + 4, (uint16_t)(8 + len));
	memcpy(segment + 8, payload, len);
	build_ip(f, flow, PROTOCOL_UDP, segment, 8 + len);
}

void build_echo(struct frame *f, const struct flow *flow, uint8_t type, uint32_t id_and_sequence, const uint8_t *data,
		size_t len)
{
	uint8_t segment[FRAME_MAX] = {type};

	put32(segment + 4, id_and_sequence);
	if (len > 0)
		memcpy(segment + 8, data, len);
	build_ip(f, flow, flow->family == 4 ? PROTOCOL_ICMP : PROTOCOL_ICMPV6, segment, 8 + len);
}

void build_arp(struct frame *f, const struct flow *flow, uint16_t operation, const uint8_t *sender_ip,
	       const uint8_t *target_mac, const uint8_t *target_ip)
{
	static const uint8_t ethernet_ipv4[6] = {0, 1, 8, 0, 6, 4};

	build_ethernet(f, flow, 0x0806);

	uint8_t *arp = f->bytes + f->l3;

	memcpy(arp, ethernet_ipv4, 6);
	put16(arp + 6, operation);
	memcpy(arp + 8, flow->mac_from, 6);
	memcpy(arp + 14, sender_ip, 4);
	memcpy(arp + 18, target_mac, 6);
	memcpy(arp + 24, target_ip, 4);
	f->len = (uint16_t)(f->l3 + 28);
	pad(f, flow);
}

void build_neighbor(struct frame *f, const struct flow *flow, uint8_t type, uint32_t flags, const uint8_t *target,
		    bool with_option)
{
	uint8_t segment[32] = {type};

	put32(segment + 4, flags);
	memcpy(segment + 8, target, 16);
	segment[24] = type == 135 ? 1 : 2;
	segment[25] = 1;
	memcpy(segment + 26, flow->mac_from, 6);
	build_ip(f, flow, PROTOCOL_ICMPV6, segment, with_option ? 32 : 24);
}

// ---------------------------------------------------------------- messages

static size_t begin_message(uint8_t *out, uint32_t type, uint32_t size, uint32_t player)
{
	memset(out, 0, size);
	put_le32(out, type);
	put_le32(out + 4, size);
	put_le32(out + 8, 0x11223344 + player); // the sender's clock
	put_le32(out + 12, 0x55667788);
	put_le32(out + 16, player);
	return size;
}

size_t build_chat(uint8_t *out, uint32_t type, uint32_t player, const void *text, size_t text_len)
{
	const size_t size = begin_message(out, type, (uint32_t)(28 + text_len), player);

	out[24] = 3; // channel
	put_le16(out + 26, (uint16_t)text_len);
	memcpy(out + 28, text, text_len);
	return size;
}

static void put_float(uint8_t *to, float value)
{
	uint32_t bits;

	memcpy(&bits, &value, sizeof(bits));
	put_le32(to, bits);
}

size_t build_message(uint8_t *out, uint32_t type, uint32_t player)
{
	size_t size;

	switch (type % 100) {
	case 1:
		size = begin_message(out, type, 44, player);
		for (unsigned i = 0; i < 6; i++)
			put_float(out + 20 + 4 * i, (float)player - 1.5f * (float)i);
		return size;
	case 2:
		size = begin_message(out, type, 40, player);
		put_le32(out + 20, player + 1);
		put_le32(out + 24, 9);
		put_float(out + 36, -1.0f);
		return size;
	case 3:
		return build_chat(out, type, player, "hello", 5);
	case 4:
		return begin_message(out, type, 20, player);
	default:
		size = begin_message(out, type, 28, player);
		put_le32(out + 20, 77);
		return size;
	}
}

void build_game(struct frame *f, const struct flow *flow, uint32_t type, uint32_t player)
{
	uint8_t message[64];

	build_udp(f, flow, message, build_message(message, type, player));
}
