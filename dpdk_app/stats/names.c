// SPDX-License-Identifier: BSD-3-Clause
// stats/names.c: the one table of labels: metrics, tests and documents take their words from here.

#include <stddef.h>

#include "pollgate.h"
#include "wire/session.h"

static_assert(PG_DENIALS == SESSION_DENIED_FULL + 1 && PG_CLOSE_REASONS == SESSION_CLOSED_SHUTDOWN + 1,
	      "indexed by the reasons of the wire");

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
	[PG_MESSAGE_MLD_QUERY] = "mld_query",
	[PG_MESSAGE_SESSION_HELLO] = "session_hello",
	[PG_MESSAGE_SESSION_CONFIRM] = "session_confirm",
	[PG_MESSAGE_SESSION_DATA] = "session_data",
	[PG_MESSAGE_SESSION_CLOSE] = "session_close",
	[PG_MESSAGE_SESSION_PATH_RESPONSE] = "session_path_response",
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
	[PG_DROP_GROUP_FRAME] = "group_frame",
	[PG_DROP_UDP_LENGTH] = "udp_length",
	[PG_DROP_UDP_CHECKSUM] = "udp_checksum",
	[PG_DROP_UDP_CHECKSUM_MISSING] = "udp_checksum_missing",
	[PG_DROP_BAD_ARP] = "bad_arp",
	[PG_DROP_BAD_ICMP] = "bad_icmp",
	[PG_DROP_BAD_NEIGHBOR_DISCOVERY] = "bad_neighbor_discovery",
	[PG_DROP_BAD_MLD] = "bad_mld",
	[PG_DROP_ADDRESS_CONFLICT] = "address_conflict",
	[PG_DROP_HOST_RATE_LIMITED] = "host_rate_limited",
	[PG_DROP_MESSAGE_TYPE] = "message_type",
	[PG_DROP_MESSAGE_SIZE] = "message_size",
	[PG_DROP_MESSAGE_RESERVED] = "message_reserved",
	[PG_DROP_NOT_FINITE] = "not_finite",
	[PG_DROP_BAD_UTF8] = "bad_utf8",
	[PG_DROP_PLAYER_MISMATCH] = "player_mismatch",
	[PG_DROP_TABLE_FULL] = "table_full",
	[PG_DROP_SOURCE_RATE_LIMITED] = "source_rate_limited",
	[PG_DROP_SESSION_HEADER] = "session_header",
	[PG_DROP_SESSION_UNKNOWN] = "session_unknown",
	[PG_DROP_SESSION_STATE] = "session_state",
	[PG_DROP_SESSION_OVER] = "session_over",
	[PG_DROP_COOKIE_FORGED] = "cookie_forged",
	[PG_DROP_COOKIE_OLD] = "cookie_old",
	[PG_DROP_BAD_PROOF] = "bad_proof",
	[PG_DROP_REPLAYED] = "replayed",
	[PG_DROP_BAD_TAG] = "bad_tag",
	[PG_DROP_BAD_PATH_RESPONSE] = "bad_path_response",
	[PG_DROP_MESSAGE_ORDER] = "message_order",
	[PG_DROP_MESSAGE_COMPRESSION] = "message_compression",
	[PG_DROP_NO_ROOM] = "no_room",
	[PG_DROP_CONNECTION_RATE_LIMITED] = "connection_rate_limited",
	[PG_DROP_HANDSHAKE_BUDGET] = "handshake_budget",
	[PG_DROP_SESSION_RATE_LIMITED] = "session_rate_limited",
	[PG_DROP_MESSAGE_RATE_LIMITED] = "message_rate_limited",
	[PG_DROP_OWNER_BUSY] = "owner_busy",
	[PG_DROP_WORKER_LOST] = "worker_lost",
};

static const char *const tx_drop_names[PG_TX_DROPS] = {
	[PG_TX_DROP_QUEUE_FULL] = "queue_full",
	[PG_TX_DROP_LINK_DOWN] = "link_down",
	[PG_TX_DROP_REFUSED] = "refused",
	[PG_TX_DROP_WORKER_LOST] = "worker_lost",
};

static const char *const request_names[PG_REQUESTS] = {
	[PG_REQUEST_MOVE] = "move",           [PG_REQUEST_ATTACK] = "attack", [PG_REQUEST_CHAT] = "chat",
	[PG_REQUEST_HEARTBEAT] = "heartbeat", [PG_REQUEST_SKILL] = "skill",   [PG_REQUEST_BULK] = "bulk",
};

static const char *const event_names[PG_EVENTS] = {
	[PG_EVENT_ATTACK] = "attack",       [PG_EVENT_CHAT] = "chat", [PG_EVENT_SKILL] = "skill",
	[PG_EVENT_INVENTORY] = "inventory", [PG_EVENT_BULK] = "bulk",
};

static const char *const compressible_names[PG_COMPRESSIBLE] = {
	[PG_COMPRESS_CHAT] = "chat",
	[PG_COMPRESS_INVENTORY] = "inventory",
	[PG_COMPRESS_BULK] = "bulk",
};

static const char *const loss_names[PG_LOSSES] = {
	[PG_LOSS_QUEUE_FULL] = "queue_full",
	[PG_LOSS_NO_MEMORY] = "no_memory",
	[PG_LOSS_NO_PLAYER] = "no_player",
	[PG_LOSS_OWNER_BUSY] = "owner_busy",
	[PG_LOSS_UNACKNOWLEDGED] = "unacknowledged",
	[PG_LOSS_CLOSED] = "closed",
	[PG_LOSS_TOO_LONG] = "too_long",
	[PG_LOSS_NO_RECEIVER] = "no_receiver",
};

static const char *const denial_names[PG_DENIALS] = {
	[SESSION_DENIED_UNKNOWN] = "unknown",   [SESSION_DENIED_VERSION] = "version",
	[SESSION_DENIED_EXPIRED] = "expired",   [SESSION_DENIED_REVOKED] = "revoked",
	[SESSION_DENIED_CONSUMED] = "consumed", [SESSION_DENIED_FULL] = "full",
};

static const char *const close_names[PG_CLOSE_REASONS] = {
	[SESSION_CLOSED_LEFT] = "left",         [SESSION_CLOSED_IDLE] = "idle",
	[SESSION_CLOSED_EXPIRED] = "expired",   [SESSION_CLOSED_REVOKED] = "revoked",
	[SESSION_CLOSED_REPLACED] = "replaced", [SESSION_CLOSED_UNDELIVERABLE] = "undeliverable",
	[SESSION_CLOSED_PROTOCOL] = "protocol", [SESSION_CLOSED_RESTARTED] = "restarted",
	[SESSION_CLOSED_SHUTDOWN] = "shutdown",
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

const char *pg_request_name(unsigned request)
{
	return request < PG_REQUESTS ? request_names[request] : NULL;
}

const char *pg_event_name(unsigned event)
{
	return event < PG_EVENTS ? event_names[event] : NULL;
}

const char *pg_compressible_name(unsigned type)
{
	return type < PG_COMPRESSIBLE ? compressible_names[type] : NULL;
}

const char *pg_loss_name(unsigned loss)
{
	return loss < PG_LOSSES ? loss_names[loss] : NULL;
}

const char *pg_denial_name(unsigned reason)
{
	return reason < PG_DENIALS ? denial_names[reason] : NULL;
}

const char *pg_close_name(unsigned reason)
{
	return reason < PG_CLOSE_REASONS ? close_names[reason] : NULL;
}
