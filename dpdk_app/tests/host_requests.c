// SPDX-License-Identifier: BSD-3-Clause
// host_requests.c: see host_requests.h.

#include "host_requests.h"

#include "unit.h"

enum pg_drop drop_of(const struct frame *f)
{
	struct rig *rig = rig_open("auto", 4);
	const enum pg_drop drop = rig_send(rig, f).drop;

	assert_true(rig_conserved(rig));
	rig_close(rig);
	return drop;
}

enum pg_drop drop_of_repaired(struct frame *f)
{
	repair_checksums(f->bytes, f->len);
	return drop_of(f);
}

void assert_answered(const struct frame *request, const struct frame *expected, enum pg_message message)
{
	struct rig *rig = rig_open("auto", 4);
	const struct outcome outcome = rig_send(rig, request);

	assert_int_equal(outcome.drop, PG_DROP_NONE);
	assert_int_equal(outcome.len, expected->len);
	assert_memory_equal(outcome.bytes, expected->bytes, expected->len);
	assert_int_equal(rig->stats.handled[message], 1);
	assert_true(rig_conserved(rig));
	rig_close(rig);
}

struct flow solicitation_flow(void)
{
	struct flow flow = flow6(1);

	solicited_node(our_ip6, flow.to);
	multicast_mac6(flow.to, flow.mac_to);
	flow.ttl = 255;
	return flow;
}

struct frame solicitation(bool with_option)
{
	const struct flow flow = solicitation_flow();
	struct frame f;

	build_neighbor(&f, &flow, 135, 0, our_ip6, with_option);
	return f;
}
