// SPDX-License-Identifier: BSD-3-Clause
// net/return_headers.c: see return_headers.h.

#include "net/return_headers.h"

#include <string.h>

#include "net/checksum.h"

static void learn_ipv4(uint8_t *to, const struct ipv4_header *from)
{
	const struct ipv4_header ip = {
		.version_ihl = IPV4_VERSION_IHL_PLAIN,
		.tos = from->tos & (uint8_t)~ECN_MASK,
		.fragment = BE16(IPV4_DO_NOT_FRAGMENT),
		.ttl = ANSWER_HOP_LIMIT,
		.protocol = IP_UDP,
		.source = from->destination,
		.destination = from->source,
	};

	memcpy(to, &ip, sizeof(ip));
}

static void learn_ipv6(uint8_t *to, const struct ipv6_header *from)
{
	struct ipv6_header ip = {
		.version_class_flow = from->version_class_flow & ~BE32(IPV6_ECN_MASK),
		.next_header = IP_UDP,
		.hop_limit = ANSWER_HOP_LIMIT,
	};

	memcpy(ip.source, from->destination, sizeof(ip.source));
	memcpy(ip.destination, from->source, sizeof(ip.destination));
	memcpy(to, &ip, sizeof(ip));
}

void return_headers_learn(struct return_headers *return_headers, const uint8_t *frame, const struct packet *p,
			  const struct identity *id, uint8_t port)
{
	const struct udp_header *udp = (const struct udp_header *)(frame + p->l4);
	const struct udp_header back = {.source = udp->destination, .destination = udp->source};
	struct path *path = &return_headers->current;

	if (path->length != 0 && !peer_equal(&path->peer, &p->peer))
		return_headers->previous = *path;
	*path = (struct path){
		.peer = p->peer,
		.length = (uint8_t)(p->l4 + sizeof(*udp)),
		.l3 = (uint8_t)p->l3,
		.l4 = (uint8_t)p->l4,
		.layer = p->layer,
		.port = port,
	};
	memcpy(path->headers, frame, p->l3); // tags and types among them
	mac_copy(path->headers, frame + MAC_LEN);
	mac_copy(path->headers + MAC_LEN, id->mac);
	if (p->layer == LAYER_IPV4)
		learn_ipv4(path->headers + p->l3, (const struct ipv4_header *)(frame + p->l3));
	else
		learn_ipv6(path->headers + p->l3, (const struct ipv6_header *)(frame + p->l3));
	memcpy(path->headers + p->l4, &back, sizeof(back));
}

const struct path *return_headers_to(const struct return_headers *return_headers, const struct peer *peer)
{
	if (return_headers->current.length != 0 && peer_equal(&return_headers->current.peer, peer))
		return &return_headers->current;
	if (return_headers->previous.length != 0 && peer_equal(&return_headers->previous.peer, peer))
		return &return_headers->previous;
	return NULL;
}

/// @return sum of the pseudo-header
static uint64_t finish_ipv4(struct ipv4_header *ip, uint16_t datagram_len)
{
	ip->total_length = BE16(sizeof(*ip) + datagram_len);
	ip->checksum = 0;
	ip->checksum = (be16)~checksum_fold(checksum_sum((const uint8_t *)ip, sizeof(*ip)));
	return pseudo_header4(ip, BE16(datagram_len));
}

static uint64_t finish_ipv6(struct ipv6_header *ip, uint16_t datagram_len)
{
	ip->payload_length = BE16(datagram_len);
	return pseudo_header6(ip, IP_UDP, BE16(datagram_len));
}

uint16_t return_headers_write(const struct path *path, uint8_t *frame, uint16_t payload_len)
{
	struct udp_header *udp = (struct udp_header *)(frame + path->l4);
	const uint16_t datagram_len = (uint16_t)(sizeof(*udp) + payload_len);
	uint64_t pseudo;

	memcpy(frame, path->headers, path->length);
	if (path->layer == LAYER_IPV4)
		pseudo = finish_ipv4((struct ipv4_header *)(frame + path->l3), datagram_len);
	else
		pseudo = finish_ipv6((struct ipv6_header *)(frame + path->l3), datagram_len);
	udp->length = BE16(datagram_len);
	udp->checksum = checksum_udp((const uint8_t *)udp, datagram_len, pseudo);
	return (uint16_t)(path->length + payload_len);
}
