// SPDX-License-Identifier: BSD-3-Clause
// fuzz_datagram.c: bursts of any datagrams, on the lowest and the best level of this CPU and against the same in frames.
//
// Input: records of flags, peer, length (u16, little-endian), bytes. Flags: bit 0 IPv6, bit 1 source port 0, bit 2 end
// the burst here, bit 3 let 40 s go by before it, bit 4 the second listener, bit 5 from here on the first one limits its
// sources, too. The last record may be short.

#include <stdlib.h>
#include <string.h>

#include "frames.h"
#include "rig.h"

enum record_flag { FAMILY_6 = 1, NO_PORT = 2, END_BURST = 4, LATER = 8, SECOND_LISTENER = 16, LIMITED = 32 };
enum way { LOWEST, BEST, FRAMES, WAYS };

#define CAPACITY 8 // small: full within a few datagrams

/// What a frame of either family holds. No message is as long: cut or whole, it is refused for the same reason.
#define FRAMED_MAX (ETHERNET_MAX - 14 - 40 - 8)

/// The same datagrams three times: for two levels, and in frames.
struct trio {
	struct rig *rig[WAYS];
	struct datagram_burst burst[2];
	struct burst frames;
	struct frame frame[BURST_MAX];
	uint8_t original[BURST_MAX][PG_DATAGRAM_MAX];
	unsigned n;
};

static void require(bool condition)
{
	if (!condition)
		__builtin_trap();
}

static uint16_t at_most(uint16_t len, uint16_t most)
{
	return len < most ? len : most;
}

/// Of exactly its size: ASan sees a byte too many, and all that is too long has no bytes at all.
static uint8_t *exact_copy(const uint8_t *bytes, size_t len)
{
	const size_t kept = len > PG_DATAGRAM_MAX ? 0 : len;
	uint8_t *copy = malloc(kept ? kept : 1);

	if (!copy)
		abort();
	return memcpy(copy, bytes, kept);
}

static void check_datagram(const struct trio *t, unsigned i)
{
	const uint8_t *original = t->original[i], *answer = t->burst[LOWEST].payload[i];
	const uint16_t len = t->burst[LOWEST].length[i];
	const enum pg_drop drop = t->burst[LOWEST].drop[i];

	require(drop == t->burst[BEST].drop[i] && drop < PG_DROPS);
	if (len > PG_DATAGRAM_MAX) {
		require(drop == PG_DROP_TOO_LONG || (drop == PG_DROP_BAD_SOURCE && t->frames.drop[i] == drop));
		return;
	}
	require(drop == t->frames.drop[i]);
	require(memcmp(answer, t->burst[BEST].payload[i], len) == 0);
	require(memcmp(answer, t->frame[i].bytes + t->frame[i].payload, at_most(len, FRAMED_MAX)) == 0);
	if (drop != PG_DROP_NONE) {
		require(memcmp(answer, original, len) == 0);
		return;
	}
	require(get_le32(answer) == get_le32(original) + 100 && get_le32(original) - 1 < 5);
	require(memcmp(answer + 4, original + 4, len - 4U) == 0);
}

/// In a frame, what is too long has another reason; all else is counted alike.
static void check_counters(const struct trio *t)
{
	const struct pg_worker_stats *datagrams = &t->rig[LOWEST]->stats, *frames = &t->rig[FRAMES]->stats;

	require(memcmp(datagrams, &t->rig[BEST]->stats, sizeof(*datagrams)) == 0);
	require(memcmp(datagrams->handled, frames->handled, sizeof(frames->handled)) == 0);
	require(datagrams->received == frames->received);
	require(memcmp(t->rig[LOWEST]->region, t->rig[FRAMES]->region, plain_region_size(CAPACITY)) == 0);
}

static void run_burst(struct trio *t)
{
	for (unsigned way = 0; way < WAYS; way++) {
		struct rig *rig = t->rig[way];

		if (way == FRAMES)
			rig->path->run[0][0](&rig->ingress, &t->frames, t->n, rig->now);
		else
			rig->path->run_datagrams(&rig->ingress, &t->burst[way], t->n, rig->now);
		require(rig_conserved(rig));
		require(rig->stats.sessions_active <= CAPACITY);
	}
	check_counters(t);
	require(t->burst[LOWEST].unanswered == t->frames.unanswered);
	for (unsigned i = 0; i < t->n; i++) {
		check_datagram(t, i);
		free(t->burst[LOWEST].payload[i]);
		free(t->burst[BEST].payload[i]);
	}
	t->n = 0;
}

static struct flow flow_of(unsigned flags, uint8_t peer)
{
	struct flow flow = flags & FAMILY_6 ? flow6(peer) : flow4(peer);

	if (flags & NO_PORT)
		flow.port_from = 0;
	if (flags & SECOND_LISTENER)
		flow.port_to = 8081;
	return flow;
}

static void add_datagram(struct trio *t, const uint8_t *bytes, uint16_t len, const struct flow *flow)
{
	const unsigned i = t->n++;

	memcpy(t->original[i], bytes, at_most(len, PG_DATAGRAM_MAX));
	// run_burst() frees the copies, which the analyzer does not follow. NOLINTNEXTLINE(clang-analyzer-unix.Malloc)
	build_udp(&t->frame[i], flow, bytes, at_most(len, FRAMED_MAX));
	t->frames.frame[i] = t->frame[i].bytes;
	t->frames.length[i] = t->frame[i].len;
	t->frames.drop[i] = 0xee;
	for (unsigned k = 0; k < 2; k++) {
		struct peer *peer = &t->burst[k].peer[i];

		if (flow->family == 4)
			peer_set4(peer, load32(flow->from));
		else
			peer_set6(peer, flow->from);
		peer_set_channel(peer, BE16(flow->port_from), flow->port_to == 8081);
		t->burst[k].payload[i] = exact_copy(bytes, len);
		t->burst[k].length[i] = len;
		t->burst[k].drop[i] = 0xee;
	}
}

static void let_time_pass(struct trio *t)
{
	for (unsigned way = 0; way < WAYS; way++) {
		struct rig *rig = t->rig[way];

		rig->now += 40 * RIG_HZ;
		plain_expire(&rig->sessions, rig->now, rig->policy.sessions.idle_timeout, CAPACITY);
		require(rig->stats.sessions_active == 0);
	}
}

static void limit_sources(struct trio *t, unsigned listener)
{
	static const struct rate few = {.interval = RIG_HZ / 10, .tolerance = RIG_HZ};

	for (unsigned way = 0; way < WAYS; way++)
		rig_limit_sources(t->rig[way], listener, few);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct trio t;

	for (unsigned way = 0; way < WAYS; way++) {
		if (!t.rig[way])
			t.rig[way] = rig_open(way == LOWEST ? "v2" : "auto", CAPACITY);
		rig_reset(t.rig[way]);
	}
	limit_sources(&t, 1);
	while (size >= 4) {
		const unsigned flags = data[0];
		const struct flow flow = flow_of(flags, data[1]);
		size_t len = (size_t)(data[2] | data[3] << 8);

		data += 4;
		size -= 4;
		len = len < size ? len : size;
		if (flags & LATER) {
			run_burst(&t);
			let_time_pass(&t);
		}
		if (flags & LIMITED) {
			run_burst(&t);
			limit_sources(&t, 0);
		}
		add_datagram(&t, data, (uint16_t)len, &flow);
		data += len;
		size -= len;
		if (flags & END_BURST || t.n == BURST_MAX)
			run_burst(&t);
	}
	run_burst(&t);
	return 0;
}
