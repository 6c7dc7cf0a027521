// SPDX-License-Identifier: BSD-3-Clause
// port/promises.c: see promises.h.

#include "port/promises.h"

#include <stdio.h>
#include <stdlib.h>

#include "net/checksum.h"
#include "net/headers.h"
#include "net/reply.h"

/// What a request for a checksum consists of; nothing else is ever asked of a device.
#define TX_IP (RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM)
#define TX_UDP (RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6 | RTE_MBUF_F_TX_UDP_CKSUM)

static const char *memory_broken(const struct port *port, const struct rte_mbuf *m)
{
	const rte_iova_t address = rte_mbuf_iova_get(m);

	if (m->nb_segs != 1 || m->next)
		return "in several segments, which the device was not asked for";
	if (!RTE_MBUF_DIRECT(m))
		return "its data lies in another's buffer, which MBUF_FAST_FREE rules out";
	if (rte_mbuf_refcnt_read(m) != 1)
		return "it has several owners, which MBUF_FAST_FREE rules out";
	if (port->own_mbufs && m->pool != port->pool)
		return "it is of another pool than the port's, which MBUF_FAST_FREE rules out";
	if (address == 0 || address == RTE_BAD_IOVA)
		return "its data has no address for the device";
	return NULL;
}

static const char *length_broken(const struct rte_mbuf *m)
{
	if (m->data_len != m->pkt_len)
		return "its two lengths differ";
	if (m->data_len < sizeof(struct ethernet_header))
		return "it is shorter than an Ethernet header";
	if (m->data_len > ETHERNET_MAX)
		return "it is longer than the device was set up for";
	if (m->data_off + m->data_len > m->buf_len)
		return "it ends behind its buffer";
	return NULL;
}

static const uint8_t *network_header(const struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod_offset(m, const uint8_t *, m->l2_len);
}

static const struct udp_header *udp_of(const struct rte_mbuf *m)
{
	return (const struct udp_header *)(network_header(m) + m->l3_len);
}

static uint16_t pseudo_sum(const struct rte_mbuf *m)
{
	const uint8_t *l3 = network_header(m);
	const be16 length = udp_of(m)->length;

	return checksum_fold(m->ol_flags & RTE_MBUF_F_TX_IPV4 ?
				     pseudo_header4((const struct ipv4_header *)l3, length) :
				     pseudo_header6((const struct ipv6_header *)l3, IP_UDP, length));
}

static bool version_agrees(const struct rte_mbuf *m)
{
	const bool ipv4 = m->ol_flags & RTE_MBUF_F_TX_IPV4, ipv6 = m->ol_flags & RTE_MBUF_F_TX_IPV6;

	return ipv4 != ipv6 && *network_header(m) >> 4 == (ipv4 ? 4 : 6) &&
	       m->l3_len == (ipv4 ? sizeof(struct ipv4_header) : sizeof(struct ipv6_header));
}

static const char *request_broken(const struct port *port, const struct rte_mbuf *m)
{
	const uint64_t asked = m->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK;
	const uint64_t allowed =
		(port->tx_offload & TX_CHECKSUM_IP ? TX_IP : 0) | (port->tx_offload & TX_CHECKSUM_UDP ? TX_UDP : 0);

	if (asked & ~allowed)
		return "it asks for what the device was not configured for";
	if (asked == 0)
		return NULL;
	if ((size_t)m->l2_len + m->l3_len + sizeof(struct udp_header) > m->data_len)
		return "the lengths of its headers are more than it has";
	if (!version_agrees(m))
		return "it says another IP version than it has";
	if ((asked & RTE_MBUF_F_TX_IP_CKSUM) && ((const struct ipv4_header *)network_header(m))->checksum != 0)
		return "the IPv4 checksum that the device is to write is not 0";
	if ((asked & RTE_MBUF_F_TX_L4_MASK) == RTE_MBUF_F_TX_UDP_CKSUM && udp_of(m)->checksum != pseudo_sum(m))
		return "the UDP checksum that the device is to complete is not the sum of the pseudo-header";
	return NULL;
}

const char *promise_broken(const struct port *port, const struct rte_mbuf *m)
{
	const char *broken = memory_broken(port, m);

	if (!broken)
		broken = length_broken(m);
	return broken ? broken : request_broken(port, m);
}

void promises_enforce(const struct port *port, struct rte_mbuf *const *mbufs, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const char *broken = promise_broken(port, mbufs[i]);

		if (!broken)
			continue;
		fprintf(stderr, "port %s: a packet breaks a promise to the driver: %s\n", port->plan->name, broken);
		abort();
	}
}

void promises_enforce_returned(const struct rte_mempool *pool)
{
	const unsigned back = rte_mempool_avail_count(pool);

	if (back == pool->size)
		return;
	fprintf(stderr, "mbuf pool %s: %u of %u buffers are missing after its ports were closed\n", pool->name,
		pool->size - back, pool->size);
	abort();
}
