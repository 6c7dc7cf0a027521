// SPDX-License-Identifier: BSD-3-Clause
// net/identity.c: see identity.h.

#include "net/identity.h"

#include <string.h>

void listeners_init(struct listeners *listeners, const uint16_t *udp_port, unsigned count)
{
	memset(listeners->by_port, LISTENER_NONE, sizeof(listeners->by_port));
	for (unsigned i = 0; i < count; i++)
		listeners->by_port[BE16(udp_port[i])] = (uint8_t)i;
}

static be32 directed_broadcast(be32 address, unsigned prefix_len)
{
	if (prefix_len >= 31) // RFC 3021: point-to-point links have no broadcast
		return 0;
	return address | BE32(UINT32_MAX >> prefix_len);
}

static void add_address(struct identity *identity, const struct pg_address *a)
{
	if (a->family == 4) {
		struct identity4 *v4 = &identity->v4[identity->v4_count++];

		memcpy(&v4->address, a->bytes, sizeof(v4->address));
		v4->broadcast = directed_broadcast(v4->address, a->prefix_len);
	} else {
		memcpy(identity->v6[identity->v6_count++], a->bytes, sizeof(a->bytes));
	}
}

/// Lay a field into the words that compare it, where they cover it.
static void common_require(struct common_frame *common, unsigned offset, const void *value, const void *mask,
			   unsigned len)
{
	static const uint8_t word_offset[COMMON_WORDS] = {0, 12, 20, 30};

	for (unsigned i = 0; i < COMMON_WORDS; i++) {
		if (offset < word_offset[i] || offset + len > word_offset[i] + sizeof(uint64_t))
			continue;
		memcpy((uint8_t *)&common->word[i] + offset - word_offset[i], value, len);
		memcpy((uint8_t *)&common->mask[i] + offset - word_offset[i], mask, len);
		return;
	}
}

void identity_set_mac(struct identity *identity, const uint8_t *mac)
{
	struct common_frame *common = &identity->common;
	static const uint8_t all[MAC_LEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	static const uint8_t individual = 0, group_bit = 1;

	mac_copy(identity->mac, mac);
	common->mac = 0;
	memcpy(&common->mac, mac, MAC_LEN);
	common_require(common, offsetof(struct ethernet_header, destination), mac, all, MAC_LEN);
	common_require(common, offsetof(struct ethernet_header, source), &individual, &group_bit, 1);
	fast_frame_set_mac(&identity->fast, mac);
}

static void common_init(struct identity *identity, uint16_t udp_port)
{
	struct common_frame *common = &identity->common;
	const unsigned ip = sizeof(struct ethernet_header), udp = ip + sizeof(struct ipv4_header);
	const be16 type = BE16(ETHER_IPV4), port = BE16(udp_port), none = 0, fragment = BE16(IPV4_FRAGMENT_BUT_DF);
	const uint8_t plain = IPV4_VERSION_IHL_PLAIN, protocol = IP_UDP, ecn = ECN_MASK;
	static const uint8_t all[4] = {0xff, 0xff, 0xff, 0xff};

	common_require(common, offsetof(struct ethernet_header, type), &type, all, 2);
	common_require(common, ip + offsetof(struct ipv4_header, version_ihl), &plain, all, 1);
	common_require(common, ip + offsetof(struct ipv4_header, tos), &none, &ecn, 1);
	common_require(common, ip + offsetof(struct ipv4_header, fragment), &none, &fragment, 2);
	common_require(common, ip + offsetof(struct ipv4_header, protocol), &protocol, all, 1);
	common_require(common, ip + offsetof(struct ipv4_header, destination), &identity->v4[0].address, all, 4);
	common_require(common, udp + offsetof(struct udp_header, destination), &port, all, 2);
}

void identity_init(struct identity *identity, const struct pg_address *address, unsigned count, uint16_t udp_port)
{
	memset(identity, 0, sizeof(*identity));
	for (unsigned i = 0; i < count && i < PG_ADDRESSES_MAX; i++)
		add_address(identity, &address[i]);
	// Without an IPv4 address 0.0.0.0 stands there, which frame_is_common refuses.
	common_init(identity, udp_port);
	fast_frame_init(&identity->fast, identity->v4[0].address, identity->v4[0].broadcast, BE16(udp_port));
	if (identity->v4_count != 1) // of several addresses none may send to another: more than the template knows
		fast_frame_close(&identity->fast);
}

void identity_expect_sealed(struct identity *identity)
{
	fast_frame_seal(&identity->fast);
}

unsigned identity_index4(const struct identity *identity, be32 address)
{
	for (unsigned i = 0; i < identity->v4_count; i++)
		if (identity->v4[i].address == address)
			return i;
	return IDENTITY_NONE;
}

unsigned identity_index6(const struct identity *identity, const uint8_t *address)
{
	for (unsigned i = 0; i < identity->v6_count; i++)
		if (in6_equal(identity->v6[i], address))
			return i;
	return IDENTITY_NONE;
}

const uint8_t all_nodes6[16] = {0xff, 0x02, [15] = 0x01};

void solicited_node(const uint8_t *address, uint8_t *group)
{
	static const uint8_t prefix[13] = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0xff};

	memcpy(group, prefix, sizeof(prefix));
	memcpy(group + sizeof(prefix), address + sizeof(prefix), 16 - sizeof(prefix));
}

void multicast_mac6(const uint8_t *group, uint8_t *mac)
{
	mac[0] = 0x33; // RFC 2464 section 7
	mac[1] = 0x33;
	memcpy(mac + 2, group + 12, 4);
}
