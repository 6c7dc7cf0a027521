// SPDX-License-Identifier: BSD-3-Clause
// querier.c: see querier.h.

#include "querier.h"

#include <string.h>

#include "unit.h"

void source_of(uint8_t *source, unsigned n)
{
	memset(source, 0, 16);
	source[0] = 0x20;
	source[15] = (uint8_t)n;
}

void repair_behind_options(struct frame *f, size_t len)
{
	uint8_t *message = f->bytes + f->l4 + 8;

	put16(message + 2, 0);
	put16(message + 2, naive_checksum(message, len, naive_pseudo_sum(f->bytes + f->l3, PROTOCOL_ICMPV6, len)));
}

void build_mld(struct frame *f, const struct flow *flow, const uint8_t *message, size_t len)
{
	uint8_t segment[FRAME_MAX];

	memcpy(segment, router_alert, 8);
	memcpy(segment + 8, message, len);
	build_ip(f, flow, 0, segment, 8 + len);
	repair_behind_options(f, len);
}

struct frame query(struct question q)
{
	uint8_t message[28 + 16 * 64] = {130};
	struct flow flow = flow6(1);
	struct frame f;

	memcpy(flow.from, querier, 16);
	memcpy(flow.to, q.group ? q.group : all_nodes, 16);
	multicast_mac6(flow.to, flow.mac_to);
	flow.ttl = 1;
	flow.tos = 0;
	for (unsigned i = 0; i < q.tags; i++)
		flow_tag(&flow, i ? 0x8100 : 0x88a8, (uint16_t)(0x6000 + i + q.tags));
	put16(message + 4, q.delay);
	if (q.group)
		memcpy(message + 8, q.group, 16);
	put16(message + 26, (uint16_t)q.sources);
	for (unsigned i = 0; i < q.sources; i++)
		source_of(message + 28 + 16 * (size_t)i, i);
	build_mld(&f, &flow, message, q.version == 1 ? 24 : 28 + 16 * (size_t)q.sources);
	return f;
}

struct rig *open_rig(void)
{
	return rig_open("auto", 4);
}

void close_rig(struct rig *rig)
{
	assert_true(rig_conserved(rig));
	rig_close(rig);
}

const uint8_t *our_group(void)
{
	static uint8_t group[16];

	solicited_node(our_ip6, group);
	return group;
}
