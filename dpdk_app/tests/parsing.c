// SPDX-License-Identifier: BSD-3-Clause
// parsing.c: see parsing.h.

#include "parsing.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"

/// The short cut of common frames may doubt, but never say yes to what the parser refuses or sees otherwise.
static void assert_short_cut_agrees(const uint8_t *bytes, uint16_t len, const struct identity *identity, unsigned rx,
				    bool rx_offload, enum pg_drop drop, const struct packet *parsed)
{
	const struct fast_spans spans = fast_spans(&identity->fast);

	if (is_move_frame(bytes, len, &spans) && move_checksums_right(bytes, &spans, 0))
		assert_true(frame_is_common(bytes, len, identity, 0, false));
	if (!(rx_offload ? frame_is_common(bytes, len, identity, rx, true) :
			   frame_is_common(bytes, len, identity, rx, false)))
		return;

	const struct packet p = common_packet(bytes);

	if (drop != PG_DROP_NONE)
		fail_msg("the short cut accepts what the parser drops as %s", pg_drop_name(drop));
	assert_true(peer_equal(&p.peer, &parsed->peer));
	assert_true(p.layer == parsed->layer && p.host == parsed->host);
	assert_true(p.l3 == parsed->l3 && p.l4 == parsed->l4 && p.end == parsed->end);
}

enum pg_drop parse_as(const uint8_t *bytes, size_t len, const struct identity *identity, unsigned rx, bool rx_offload)
{
	static struct listeners listeners;
	static const uint16_t ports[] = RIG_PORTS;
	struct packet packet = {0};
	uint8_t *exact = malloc(len ? len : 1);

	assert_non_null(exact);
	memcpy(exact, bytes, len);
	listeners_init(&listeners, ports, 2);

	const enum pg_drop drop = rx_offload ?
					  parse_frame(exact, (uint16_t)len, identity, &listeners, rx, true, &packet) :
					  parse_frame(exact, (uint16_t)len, identity, &listeners, rx, false, &packet);

	assert_short_cut_agrees(exact, (uint16_t)len, identity, rx, rx_offload, drop, &packet);
	free(exact);
	return drop;
}

enum pg_drop parse(const uint8_t *bytes, size_t len)
{
	struct identity one, many;

	rig_identity(&one);
	parse_as(bytes, len, &one, 0, false); // for the short cut: it is made for ports with one address
	rig_identity_of_many(&many);
	return parse_as(bytes, len, &many, 0, false);
}

enum pg_drop parse_as_is(const struct frame *f)
{
	return parse(f->bytes, f->len);
}

enum pg_drop parse_repaired(struct frame *f)
{
	repair_checksums(f->bytes, f->len);
	return parse(f->bytes, f->len);
}

struct frame game(const struct flow *flow)
{
	struct frame f;

	build_game(&f, flow, 1, 42);
	return f;
}

struct frame game4(void)
{
	const struct flow flow = flow4(1);

	return game(&flow);
}

struct frame game6(void)
{
	const struct flow flow = flow6(1);

	return game(&flow);
}

enum pg_drop to4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	struct flow flow = flow4(1);
	const uint8_t destination[4] = {a, b, c, d};

	memcpy(flow.to, destination, 4);

	const struct frame f = game(&flow);

	return parse_as_is(&f);
}
