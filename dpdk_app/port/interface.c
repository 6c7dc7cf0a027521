// SPDX-License-Identifier: BSD-3-Clause
// port/interface.c: see interface.h. One question of rtnetlink(7), one answer.

#include "port/interface.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

/// An interface's whole description is some 2 KiB.
#define ANSWER_BYTES 16384

struct question {
	struct nlmsghdr header;
	struct ifinfomsg about;
	char attributes[64];
};

struct answer {
	_Alignas(struct nlmsghdr) char bytes[ANSWER_BYTES];
	ssize_t length;
};

/// Where the other end of a veth is: its index, and which namespace it is in.
struct far_end {
	bool is_veth;
	uint32_t index;
	bool elsewhere; // in the namespace that we call `space`
	int32_t space;
};

void interface_netlink_open(struct interface_netlink *netlink)
{
	*netlink = (struct interface_netlink){.fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)};
}

void interface_netlink_close(struct interface_netlink *netlink)
{
	if (netlink->fd >= 0)
		close(netlink->fd);
	netlink->fd = -1;
}

static void begin(struct question *q, uint32_t index)
{
	*q = (struct question){
		.header = {.nlmsg_len = NLMSG_LENGTH(sizeof(q->about)),
			   .nlmsg_type = RTM_GETLINK,
			   .nlmsg_flags = NLM_F_REQUEST},
		.about = {.ifi_family = AF_UNSPEC, .ifi_index = (int)index},
	};
}

static void add_attribute(struct question *q, uint16_t type, const void *value, size_t length)
{
	struct rtattr *attribute = (struct rtattr *)((char *)q + NLMSG_ALIGN(q->header.nlmsg_len));

	attribute->rta_type = type;
	attribute->rta_len = (uint16_t)RTA_LENGTH(length);
	memcpy(RTA_DATA(attribute), value, length);
	q->header.nlmsg_len = (uint32_t)(NLMSG_ALIGN(q->header.nlmsg_len) + RTA_ALIGN(attribute->rta_len));
}

/// The kernel answers while it is asked, so nothing is waited for. What an earlier question left is thrown away.
static enum interface_answer ask(struct interface_netlink *netlink, struct question *q, struct answer *a)
{
	const struct nlmsghdr *header = (const struct nlmsghdr *)a->bytes;

	q->header.nlmsg_seq = ++netlink->sequence;
	if (send(netlink->fd, q, q->header.nlmsg_len, MSG_DONTWAIT) < 0)
		return INTERFACE_UNKNOWN;
	do {
		a->length = recv(netlink->fd, a->bytes, sizeof(a->bytes), MSG_DONTWAIT);
		if (a->length < (ssize_t)sizeof(*header))
			return INTERFACE_UNKNOWN;
	} while (header->nlmsg_seq != q->header.nlmsg_seq);
	if (header->nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *error = NLMSG_DATA(header);

		return error->error == -ENODEV ? INTERFACE_ABSENT : INTERFACE_UNKNOWN;
	}
	return header->nlmsg_type == RTM_NEWLINK && NLMSG_OK(header, (size_t)a->length) ? INTERFACE_FOUND :
											  INTERFACE_UNKNOWN;
}

typedef void take_attribute(const struct rtattr *attribute, void *out);

static void each_attribute(const struct rtattr *first, size_t length, take_attribute *take, void *out)
{
	for (const struct rtattr *a = first; RTA_OK(a, length); a = RTA_NEXT(a, length))
		take(a, out);
}

static void each_of_answer(const struct answer *a, take_attribute *take, void *out)
{
	const struct nlmsghdr *header = (const struct nlmsghdr *)a->bytes;
	const struct ifinfomsg *about = NLMSG_DATA(header);

	each_attribute(IFLA_RTA(about), IFLA_PAYLOAD(header), take, out);
}

static uint32_t number(const struct rtattr *attribute)
{
	uint32_t value = 0;

	if (RTA_PAYLOAD(attribute) >= sizeof(value))
		memcpy(&value, RTA_DATA(attribute), sizeof(value));
	return value;
}

static void take_statistics(const struct rtattr *attribute, struct interface *out)
{
	struct rtnl_link_stats64 counts = {0};
	const size_t has = RTA_PAYLOAD(attribute);

	memcpy(&counts, RTA_DATA(attribute), has < sizeof(counts) ? has : sizeof(counts));
	out->tx_packets = counts.tx_packets;
	out->tx_dropped = counts.tx_dropped;
}

static void take_interface(const struct rtattr *attribute, void *context)
{
	struct interface *out = context;

	switch (attribute->rta_type) {
	case IFLA_IFNAME:
		strncpy(out->name, RTA_DATA(attribute), sizeof(out->name) - 1);
		break;
	case IFLA_MTU:
		out->mtu = number(attribute);
		break;
	case IFLA_STATS64:
		take_statistics(attribute, out);
		break;
	default:
		break;
	}
}

static void take_kind(const struct rtattr *attribute, void *context)
{
	struct far_end *out = context;

	if (attribute->rta_type == IFLA_INFO_KIND && RTA_PAYLOAD(attribute) >= sizeof("veth"))
		out->is_veth = memcmp(RTA_DATA(attribute), "veth", sizeof("veth")) == 0;
}

static void take_far_end(const struct rtattr *attribute, void *context)
{
	struct far_end *out = context;

	switch (attribute->rta_type) {
	case IFLA_LINK:
		out->index = number(attribute);
		break;
	case IFLA_LINK_NETNSID:
		out->elsewhere = true;
		out->space = (int32_t)number(attribute);
		break;
	case IFLA_LINKINFO:
		each_attribute(RTA_DATA(attribute), RTA_PAYLOAD(attribute), take_kind, out);
		break;
	default:
		break;
	}
}

/// In another namespace only an administrator of it may ask (CAP_NET_ADMIN).
static uint32_t far_mtu(struct interface_netlink *netlink, const struct answer *near, struct answer *room)
{
	struct far_end far = {0};
	struct interface found = {0};
	struct question q;

	each_of_answer(near, take_far_end, &far);
	if (!far.is_veth || far.index == 0)
		return 0;
	begin(&q, far.index);
	if (far.elsewhere)
		add_attribute(&q, IFLA_TARGET_NETNSID, &far.space, sizeof(far.space));
	if (ask(netlink, &q, room) != INTERFACE_FOUND)
		return 0;
	each_of_answer(room, take_interface, &found);
	return found.mtu;
}

enum interface_answer interface_ask(struct interface_netlink *netlink, uint32_t index, const char *name,
				    struct interface *out)
{
	struct answer near, far;
	struct question q;
	enum interface_answer verdict;

	begin(&q, index);
	if (index == 0)
		add_attribute(&q, IFLA_IFNAME, name, strlen(name) + 1);
	verdict = ask(netlink, &q, &near);
	if (verdict != INTERFACE_FOUND)
		return verdict;

	const struct ifinfomsg *about = NLMSG_DATA((const struct nlmsghdr *)near.bytes);

	*out = (struct interface){
		.index = (uint32_t)about->ifi_index,
		.up = (about->ifi_flags & IFF_UP) && (about->ifi_flags & IFF_RUNNING),
	};
	each_of_answer(&near, take_interface, out);
	out->far_mtu = far_mtu(netlink, &near, &far);
	return INTERFACE_FOUND;
}
