// SPDX-License-Identifier: BSD-3-Clause
// fuzz_host.c: ARP, neighbour discovery, echo and queries for multicast listeners: examined without a write, answered, or
// reported to, with a frame that is right.
//
// Input: a byte of flags (bit 0: make the checksums right, bit 1: address it to us), then the frame.

#include <stdlib.h>
#include <string.h>

#include "frames.h"
#include "net/host.h"
#include "net/parse.h"
#include "rig.h"

static void require(bool condition)
{
	if (!condition)
		__builtin_trap();
}

static void check_answer(const uint8_t *answer, uint16_t len, const uint8_t *request, uint16_t received,
			 const struct packet *p, enum pg_message message)
{
	const bool advertisement = message == PG_MESSAGE_NEIGHBOR_SOLICITATION;

	require(len <= received + (advertisement ? HOST_ANSWER_ROOM : 0));
	require(memcmp(answer + 6, our_mac, 6) == 0);
	require(memcmp(answer + 12, request + 12, p->l3 - 12U) == 0); // tags and type
	if (message == PG_MESSAGE_ARP) {
		require(get16(answer + p->l3 + 6) == 2);
		require(memcmp(answer, request + p->l3 + 8, 6) == 0); // who asks, not who sends
		return;
	}
	require(checksums_right(answer, len));
	if (advertisement)
		require(answer[p->l4] == 136 && answer[p->l3 + 7] == 255);
	else
		require(answer[p->l4] == (message == PG_MESSAGE_ICMP_ECHO ? 0 : 129));
}

/// A report follows within what the query allows, whole and right.
static void check_report(const struct identity *identity, const struct packet *p, const struct mld_query *query)
{
	const struct mld_tags tags = {.length = (uint8_t)(p->l3 - 14)};
	struct membership m;
	uint8_t report[ANNOUNCER_FRAME_MAX];
	uint64_t now = RIG_HZ;
	unsigned reports = 0;

	require(query->version == 1 || query->version == 2);
	require(query->group == MLD_EVERY_GROUP || query->group < identity->v6_count);
	membership_init(&m, RIG_HZ, query->delay_ms);
	require(membership_query(&m, identity, query, &tags, now));
	require(m.due >= now && m.due <= now + query->delay_ms * (RIG_HZ / 1000));
	for (now += query->delay_ms * (RIG_HZ / 1000); reports < 9; reports++) {
		const uint16_t len = membership_next(&m, identity, now, report);

		if (len == 0)
			break;
		require(len <= MLD_REPORT_MAX && len > p->l3 + 48U);
		require(tags.length > 0 || checksums_right(report, len));
	}
	require(reports >= 1 && reports <= 2 && m.due == UINT64_MAX);
}

static void examine_and_answer(const uint8_t *frame, uint16_t len)
{
	static struct listeners listeners;
	struct identity identity;
	struct packet p;

	rig_identity(&identity);
	memset(&listeners, LISTENER_NONE, sizeof(listeners));
	if (parse_frame(frame, len, &identity, &listeners, 0, false, &p) != PG_DROP_NONE)
		return;
	require(p.host != HOST_NONE && p.l3 <= p.l4 && p.l4 <= p.end && p.end <= len);

	// Examined in a buffer of exactly its size: ASan sees a byte too many.
	const struct host_request request = host_examine(frame, &p, &identity);

	require(request.drop < PG_DROPS);
	if (request.drop != PG_DROP_NONE)
		return;
	if (request.message == PG_MESSAGE_MLD_QUERY) {
		check_report(&identity, &p, &request.query);
		return;
	}

	uint8_t *answer = malloc((size_t)len + HOST_ANSWER_ROOM);

	if (!answer)
		abort();
	memcpy(answer, frame, len);
	memset(answer + len, 0xa5, HOST_ANSWER_ROOM);

	const uint16_t answer_len = host_answer(answer, len, &p, &identity, request.message);

	check_answer(answer, answer_len, frame, len, &p, request.message);
	free(answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > FRAME_MAX)
		return 0;

	const size_t len = size - 1;
	uint8_t *frame = malloc(len ? len : 1);

	if (!frame)
		abort();
	memcpy(frame, data + 1, len);
	if (data[0] & 2 && len >= 6)
		memcpy(frame, our_mac, 6);
	if (data[0] & 1)
		repair_checksums(frame, len);
	examine_and_answer(frame, (uint16_t)len);
	free(frame);
	return 0;
}
