// SPDX-License-Identifier: BSD-3-Clause
// fuzz_frame.c: bursts of any frames through the whole pipeline, on the lowest and the best level of this CPU. The lowest has no
// lane of fast frames: they take the general path, to the same end.
//
// Input: records of flags, length (u16, little-endian), bytes. Flags: bit 0 make the checksums right, bit 1 address
// it to us, bit 2 end the burst here, bit 3 let 40 s go by before it, bit 4 it is for the second listener, which speaks the
// session profile: four sessions are issued, one is revoked, nobody is connected; bit 5 from here on the first listener limits
// its sources, too. The last record may be short.

#include <stdlib.h>
#include <string.h>

#include "frames.h"
#include "net/move_frame.h"
#include "rig.h"
#include "session_fixture.h"

enum record_flag { REPAIR = 1, TO_US = 2, END_BURST = 4, LATER = 8, SEALED = 16, LIMITED = 32 };

#define ISSUED 4

#define CAPACITY 8 // small: full within a few frames

/// The same frames for two rigs; what lies behind a frame differs, so that a byte read there shows.
struct pair {
	struct rig *rig[2];
	struct session_fixture *fixture; // of both: a shard each
	struct identity many;            // of a port with more addresses
	struct burst burst[2];
	uint8_t *original[BURST_MAX];
	uint16_t length[BURST_MAX];
	unsigned n;
};

static void require(bool condition)
{
	if (!condition)
		__builtin_trap();
}

static uint8_t *copy_with_room(const uint8_t *bytes, size_t len, uint8_t behind)
{
	uint8_t *copy = malloc(len + HOST_ANSWER_ROOM);

	if (!copy)
		abort();
	memcpy(copy, bytes, len);
	memset(copy + len, behind, HOST_ANSWER_ROOM);
	return copy;
}

/// Offset of the EtherType behind the tags of an answer: at most two, or it would not be one.
static size_t type_offset(const uint8_t *answer)
{
	size_t at = 12;

	while (get16(answer + at) == 0x8100 || get16(answer + at) == 0x88a8 || get16(answer + at) == 0x9100)
		at += 4;
	require(at <= 20);
	return at;
}

static bool is_advertisement(const uint8_t *answer, size_t type_at)
{
	return get16(answer + type_at) == 0x86dd && answer[type_at + 2 + 6] == PROTOCOL_ICMPV6 &&
	       answer[type_at + 2 + 40] == 136;
}

static void check_answer(uint16_t request_len, const uint8_t *answer, uint16_t answer_len)
{
	const size_t type_at = type_offset(answer);
	const bool arp = get16(answer + type_at) == 0x0806; // carries no checksum

	require(answer_len <= request_len + (is_advertisement(answer, type_at) ? HOST_ANSWER_ROOM : 0));
	require(memcmp(answer + 6, our_mac, 6) == 0);
	require(arp || checksums_right(answer, answer_len));
}

/// The short cut of MOVEs says yes only to common frames, and that of common frames to what the parser accepts.
static void check_short_cut(const struct identity *identity, const struct listeners *listeners, const uint8_t *frame,
			    uint16_t len)
{
	const struct fast_spans spans = fast_spans(&identity->fast);
	const bool is_move = is_move_frame(frame, len, &spans) && move_checksums_right(frame, &spans, 0);
	struct packet p = {0};

	if (!frame_is_common(frame, len, identity, 0, false)) {
		require(!is_move);
		return;
	}
	require(parse_frame(frame, len, identity, listeners, 0, false, &p) == PG_DROP_NONE);

	const struct packet common = common_packet(frame);

	require(peer_equal(&common.peer, &p.peer) && common.l4 == p.l4 && common.end == p.end);
}

static void check_frame(const struct pair *p, unsigned i)
{
	const uint16_t len = p->length[i], answer_len = p->burst[0].length[i];

	require(p->burst[0].drop[i] == p->burst[1].drop[i]);
	require(p->burst[0].drop[i] < PG_DROPS || p->burst[0].drop[i] == PACKET_ABSORBED); // or reported later
	if (p->burst[0].drop[i] != PG_DROP_NONE) {
		require(memcmp(p->burst[0].frame[i], p->original[i], len) == 0); // not turned into anything
		return;
	}
	require(answer_len == p->burst[1].length[i]);
	require(memcmp(p->burst[0].frame[i], p->burst[1].frame[i], answer_len) == 0);
	check_answer(len, p->burst[0].frame[i], answer_len);
}

static void run_burst(struct pair *p)
{
	for (unsigned k = 0; k < 2; k++) {
		struct rig *rig = p->rig[k];

		rig->path->run[0][0](&rig->ingress, &p->burst[k], p->n, rig->now);
		require(rig_conserved(rig));
		require(rig->stats.sessions_active <= CAPACITY);
	}
	require(memcmp(&p->rig[0]->stats, &p->rig[1]->stats, sizeof(struct pg_worker_stats)) == 0);
	for (unsigned i = 0; i < p->n; i++) {
		check_frame(p, i);
		free(p->burst[0].frame[i]);
		free(p->burst[1].frame[i]);
		free(p->original[i]);
	}
	p->n = 0;
}

static void add_frame(struct pair *p, const uint8_t *bytes, uint16_t len, unsigned flags)
{
	uint8_t *frame = copy_with_room(bytes, len, 0);

	if (flags & TO_US && len >= 6)
		memcpy(frame, our_mac, 6);
	if (flags & SEALED && len >= 14 + 20 + 8 + 8) {
		put16(frame + 36, 8081);
		frame[46] = (uint8_t)(frame[46] % (2 * ISSUED)); // a slot that may have been issued
	}
	if (flags & REPAIR)
		repair_checksums(frame, len);
	check_short_cut(&p->rig[1]->identity, &p->rig[0]->listeners, frame, len);
	check_short_cut(&p->many, &p->rig[0]->listeners, frame, len);
	p->original[p->n] = frame;
	p->length[p->n] = len;
	for (unsigned k = 0; k < 2; k++) {
		p->burst[k].frame[p->n] = copy_with_room(frame, len, k ? 0xff : 0x00);
		p->burst[k].length[p->n] = len;
		p->burst[k].rx[p->n] = 0;
		p->burst[k].drop[p->n] = 0xee;
	}
	p->n++;
}

static void let_time_pass(struct pair *p)
{
	for (unsigned k = 0; k < 2; k++) {
		struct rig *rig = p->rig[k];

		rig->now += 40 * RIG_HZ;
		plain_expire(&rig->sessions, rig->now, rig->policy.sessions.idle_timeout, CAPACITY);
		require(rig->stats.sessions_active == 0);
	}
}

static void prepare(struct pair *p)
{
	p->fixture = fixture_open(ISSUED, STORE_FRAMES);
	for (uint32_t i = 0; i < ISSUED; i++) {
		const struct player player = fixture_issue(p->fixture, i + 1, 3600, false);

		if (i == 0)
			require(pg_session_revoke(p->fixture->state, player.session));
	}
	for (unsigned k = 0; k < 2; k++) {
		p->rig[k] = rig_open(k == 0 ? "v2" : "auto", CAPACITY);
		p->rig[k]->ingress.shard = p->fixture->shard[k];
		p->rig[k]->ingress.profile[1] = PG_PROFILE_SESSION;
		session_shard_use(p->fixture->shard[k], &p->rig[k]->policy.sessions);
	}
	fast_frame_close(&p->rig[0]->identity.fast);
	rig_identity_of_many(&p->many);
}

/// Nobody can connect who has no key.
static void check_fixture(const struct pair *p)
{
	for (unsigned k = 0; k < 2; k++)
		require(p->fixture->stats[k].connections == 0 && p->fixture->shard[k]->outbox.count == 0);
	require(memcmp(p->fixture->stats[0].denied, p->fixture->stats[1].denied, sizeof(p->fixture->stats[0].denied)) ==
		0);
}

static void limit_sources(struct pair *p, unsigned listener)
{
	static const struct rate few = {.interval = RIG_HZ / 10, .tolerance = RIG_HZ};

	for (unsigned k = 0; k < 2; k++)
		rig_limit_sources(p->rig[k], listener, few);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pair p;

	if (!p.fixture)
		prepare(&p);
	for (unsigned k = 0; k < 2; k++)
		rig_reset(p.rig[k]);
	limit_sources(&p, 1);
	while (size >= 3) {
		const unsigned flags = data[0];
		size_t len = (size_t)(data[1] | data[2] << 8);

		data += 3;
		size -= 3;
		len = len < size ? len : size;
		len = len < FRAME_MAX ? len : FRAME_MAX;
		if (flags & LATER) {
			run_burst(&p);
			let_time_pass(&p);
		}
		if (flags & LIMITED) {
			run_burst(&p);
			limit_sources(&p, 0);
		}
		add_frame(&p, data, (uint16_t)len, flags);
		data += len;
		size -= len;
		if (flags & END_BURST || p.n == BURST_MAX)
			run_burst(&p);
	}
	run_burst(&p);
	check_fixture(&p);
	return 0;
}
