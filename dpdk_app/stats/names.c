// SPDX-License-Identifier: BSD-3-Clause
// stats/names.c: the one table of labels: metrics, tests and documents take their words from here.

#include <stddef.h>

#include "pollgate.h"

static const char *const message_names[PG_MESSAGES] = {
	[PG_MESSAGE_MOVE] = "move",
	[PG_MESSAGE_ATTACK] = "attack",
	[PG_MESSAGE_CHAT] = "chat",
	[PG_MESSAGE_HEARTBEAT] = "heartbeat",
	[PG_MESSAGE_SKILL] = "skill",
	[PG_MESSAGE_ARP] = "arp",
	[PG_MESSAGE_ICMP_ECHO] = "icmp_echo",
	[PG_MESSAGE_NEIGHBOR_SOLICITATION] = "neighbor_solicitation",
	[PG_MESSAGE_ICMPV6_ECHO] = "icmpv6_echo",
};

static const char *const drop_names[PG_DROPS] = {
	[PG_DROP_TRUNCATED] = "truncated",
	[PG_DROP_TOO_LONG] = "too_long",
	[PG_DROP_NOT_ETHERNET_II] = "not_ethernet_ii",
	[PG_DROP_NOT_FOR_US] = "not_for_us",
	[PG_DROP_BAD_IP_HEADER] = "bad_ip_header",
	[PG_DROP_IP_OPTIONS] = "ip_options",
	[PG_DROP_IP_FRAGMENT] = "ip_fragment",
	[PG_DROP_IP_CHECKSUM] = "ip_checksum",
	[PG_DROP_BAD_SOURCE] = "bad_source",
	[PG_DROP_UDP_LENGTH] = "udp_length",
	[PG_DROP_UDP_CHECKSUM] = "udp_checksum",
	[PG_DROP_UDP_CHECKSUM_MISSING] = "udp_checksum_missing",
	[PG_DROP_BAD_ARP] = "bad_arp",
	[PG_DROP_BAD_ICMP] = "bad_icmp",
	[PG_DROP_BAD_NEIGHBOR_DISCOVERY] = "bad_neighbor_discovery",
	[PG_DROP_HOST_RATE_LIMITED] = "host_rate_limited",
	[PG_DROP_MESSAGE_TYPE] = "message_type",
	[PG_DROP_MESSAGE_SIZE] = "message_size",
	[PG_DROP_MESSAGE_RESERVED] = "message_reserved",
	[PG_DROP_NOT_FINITE] = "not_finite",
	[PG_DROP_BAD_UTF8] = "bad_utf8",
	[PG_DROP_PLAYER_MISMATCH] = "player_mismatch",
	[PG_DROP_TABLE_FULL] = "table_full",
	[PG_DROP_SOURCE_RATE_LIMITED] = "source_rate_limited",
	[PG_DROP_OWNER_BUSY] = "owner_busy",
	[PG_DROP_WORKER_LOST] = "worker_lost",
};

static const char *const tx_drop_names[PG_TX_DROPS] = {
	[PG_TX_DROP_QUEUE_FULL] = "queue_full",
	[PG_TX_DROP_LINK_DOWN] = "link_down",
	[PG_TX_DROP_REFUSED] = "refused",
	[PG_TX_DROP_WORKER_LOST] = "worker_lost",
};

const char *pg_message_name(unsigned message)
{
	return message < PG_MESSAGES ? message_names[message] : NULL;
}

const char *pg_drop_name(unsigned drop)
{
	return drop < PG_DROPS ? drop_names[drop] : NULL;
}

const char *pg_tx_drop_name(unsigned drop)
{
	return drop < PG_TX_DROPS ? tx_drop_names[drop] : NULL;
}
