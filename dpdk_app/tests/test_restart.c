// SPDX-License-Identifier: BSD-3-Clause
// test_restart.c: a gateway's process dies between two datagrams: what the next one says, until it is heard, and what its client
// does then.

#include "unit.h"

#include <string.h>

#include "delivery/restart.h"
#include "message/session_check.h"
#include "talk.h"

#define T 1000000U // a moment
#define UNORDERED SESSION_CHANNEL_UNORDERED

static struct talk_end gateway, client;
static struct talk_packet packet;
static unsigned heard[2];                 // messages, by the gateway and by the client
static uint32_t lost[SESSION_CHANNELS];   // as the client was told last
static unsigned told, delivered, settled; // RESTARTED that the client heeded; receipts of the client

static void hear(void *context, struct talk_end *end, const struct delivered *message)
{
	(void)context;
	if (!session_is_control(message->type))
		heard[end == &client]++;
}

static void settle(void *context, uint32_t receipt, enum pg_loss loss)
{
	(void)context, (void)receipt;
	settled++;
	delivered += loss == PG_LOSS_NONE;
}

static int open_both(void **state UNUSED)
{
	talk_open(&gateway, true, 1 << 20, 1400);
	talk_open(&client, false, 1 << 20, 1400);
	gateway.deliver = client.deliver = hear;
	client.ctx.settled = settle;
	memset(heard, 0, sizeof(heard));
	memset(lost, 0, sizeof(lost));
	told = delivered = settled = 0;
	return 0;
}

static int close_both(void **state UNUSED)
{
	delivery_end(&gateway.ctx, &gateway.c, PG_LOSS_CLOSED);
	delivery_end(&client.ctx, &client.c, PG_LOSS_CLOSED);
	assert_int_equal(message_pool_free_bytes(gateway.ctx.pool), 1 << 20);
	assert_int_equal(message_pool_free_bytes(client.ctx.pool), 1 << 20);
	talk_close(&gateway);
	talk_close(&client);
	return 0;
}

#define restart_test(name) cmocka_unit_test_setup_teardown(name, open_both, close_both)

/// What the record keeps goes on; messages do not.
static void crash(uint16_t epoch)
{
	const struct delivery_ids ids = delivery_ids(&gateway.c);
	const struct id_bits seen = gateway.c.in.unordered;

	delivery_end(&gateway.ctx, &gateway.c, PG_LOSS_CLOSED);
	delivery_begin(&gateway.ctx, &gateway.c, 0, gateway.room);
	delivery_resume(&gateway.c, &ids, &seen);
	restart_begin(&gateway.c, epoch);
	gateway.taken.bits = 0;
}

static void say(struct talk_end *end, uint8_t channel, uint32_t length, uint64_t now)
{
	static const uint8_t zeros[SESSION_MESSAGE_MAX];
	const uint8_t type = end == &gateway ? SESSION_BULK_EVENT : SESSION_BULK;

	assert_int_equal(talk_say(end,
				  (struct talk_say){.type = type,
						    .reliable = true,
						    .channel = channel,
						    .priority = PRIORITY_URGENT,
						    .receipt = 1,
						    .body = zeros,
						    .length = length},
				  now),
			 PG_LOSS_NONE);
}

/// The next datagram of this end; it is on its way.
static struct talk_packet leaves(struct talk_end *end, uint64_t now)
{
	talk_fill(end, &packet, now);
	return packet;
}

/// It arrives at the other end.
static void arrives(struct talk_end *at, struct talk_packet sent, uint64_t now)
{
	if (at == &client)
		told += delivery_heed_restarted(&client.ctx, &client.c, sent.body, sent.length, lost, now);
	assert_true(talk_take(at, &sent, now));
}

static bool tells(struct talk_packet sent)
{
	return sent.length >= sizeof(struct session_message) && sent.body[0] == SESSION_RESTARTED;
}

// ---------------------------------------------------------------- until it is heard

static void test_each_datagram_tells_it_until_one_that_had_it_is_acknowledged(void **state UNUSED)
{
	struct talk_packet second;

	crash(1);
	assert_true(tells(leaves(&gateway, T)));
	second = leaves(&gateway, T);
	assert_true(tells(second));
	arrives(&client, second, T);
	arrives(&gateway, leaves(&client, T), T); // the first is not acknowledged
	assert_true(tells(leaves(&gateway, T)));
	leaves(&gateway, T);
	for (unsigned i = 0; i < 3; i++)
		arrives(&client, leaves(&gateway, T), T);
	arrives(&gateway, leaves(&client, T), T); // three later ones are: the first was lost
	arrives(&client, leaves(&gateway, T), T);
	arrives(&gateway, leaves(&client, T), T);
	assert_false(tells(leaves(&gateway, T)));
	assert_true(delivery_quiet(&gateway.c));
	assert_int_equal(told, 1);
}

static void test_nothing_else_is_said_before_it_is_heard(void **state UNUSED)
{
	crash(1);
	say(&gateway, 0, 10, T);
	assert_int_equal(delivery_due(&gateway.c), T);
	arrives(&client, leaves(&gateway, T), T);
	assert_int_equal(heard[1], 0);
	assert_int_equal(delivery_due(&gateway.c), T + 200 * TALK_MS); // again, if nothing comes
	arrives(&gateway, leaves(&client, T), T);
	arrives(&client, leaves(&gateway, T), T);
	assert_int_equal(heard[1], 1);
	assert_int_equal(lost[0], 0);
}

static void test_it_waits_for_the_client_where_there_is_nothing_to_say(void **state UNUSED)
{
	crash(1);
	assert_true(delivery_due(&gateway.c) >= UINT64_MAX - 1);
	assert_false(delivery_quiet(&gateway.c));
}

static void test_a_crash_before_it_was_heard_tells_of_both(void **state UNUSED)
{
	say(&gateway, 2, 10, T);
	crash(1);
	say(&gateway, 2, 10, T);
	say(&gateway, 2, 10, T);
	leaves(&gateway, T);
	crash(2);
	arrives(&client, leaves(&gateway, T), T);
	assert_int_equal(lost[2], 3);
}

static void test_an_epoch_that_is_known_or_before_is_not_heeded(void **state UNUSED)
{
	const uint16_t epochs[] = {65535, 65535, 65534, 0, 65535, 0, 3, 2};

	for (size_t i = 0; i < sizeof(epochs) / sizeof(epochs[0]); i++) {
		crash(epochs[i]);
		arrives(&client, leaves(&gateway, T), T);
	}
	assert_int_equal(told, 3);
}

// ---------------------------------------------------------------- what the client said

static void test_what_was_delivered_is_not_said_again_and_all_else_is(void **state UNUSED)
{
	struct talk_packet before;

	say(&client, 0, 10, T);
	say(&client, UNORDERED, 10, T);
	before = leaves(&client, T);
	say(&client, 0, 10, T);
	say(&client, UNORDERED, 10, T);
	leaves(&client, T); // is lost
	arrives(&gateway, before, T);
	assert_int_equal(heard[0], 2);
	crash(1);
	arrives(&client, leaves(&gateway, T), T);
	assert_int_equal(delivered, 2);
	arrives(&gateway, leaves(&client, T + 5 * TALK_MS), T);
	assert_int_equal(heard[0], 4);
	arrives(&client, leaves(&gateway, T), T);
	assert_int_equal(delivered, 4);
	assert_int_equal(gateway.stats.duplicates, 0);
}

static void test_what_was_delivered_before_its_turn_is_not_said_again(void **state UNUSED)
{
	struct talk_packet sent[6];

	for (unsigned i = 0; i < 6; i++) {
		say(&client, UNORDERED, 10, T);
		sent[i] = leaves(&client, T + i * TALK_MS * 100);
	}
	for (unsigned i = 1; i < 6; i += 2)
		arrives(&gateway, sent[i], T);
	crash(1);
	arrives(&client, leaves(&gateway, T), T);
	assert_int_equal(delivered, 3);
	for (unsigned i = 0; i < 3; i++)
		arrives(&gateway, leaves(&client, T + (1000 + i) * TALK_MS), T);
	assert_int_equal(heard[0], 6);
}

/// The process that died acknowledged what waited for a message before it, and its end of the acknowledgement is still there.
static void test_what_waited_behind_a_gap_is_said_again_though_it_is_acknowledged(void **state UNUSED)
{
	struct talk_packet second;

	say(&client, 1, 10, T);
	leaves(&client, T); // is lost
	say(&client, 1, 10, T);
	second = leaves(&client, T);
	arrives(&gateway, second, T);
	arrives(&client, leaves(&gateway, T), T); // acknowledges it
	assert_int_equal(delivered, 0);
	crash(1);
	packet = leaves(&gateway, T);
	assert_int_equal(packet.prefix.ack, second.counter); // again
	arrives(&client, packet, T);
	arrives(&gateway, leaves(&client, T + 5 * TALK_MS), T);
	assert_int_equal(heard[0], 2);
	arrives(&client, leaves(&gateway, T), T);
	assert_int_equal(delivered, 2);
}

static void test_pieces_of_a_message_that_is_not_whole_are_said_again(void **state UNUSED)
{
	say(&client, 1, 2000, T); // five pieces: two datagrams
	arrives(&gateway, leaves(&client, T), T);
	arrives(&client, leaves(&gateway, T), T);
	crash(1);
	arrives(&client, leaves(&gateway, T), T);
	for (unsigned i = 0; i < 2; i++)
		arrives(&gateway, leaves(&client, T + (i + 1) * 100 * TALK_MS), T);
	assert_int_equal(heard[0], 1);
}

// ---------------------------------------------------------------- what the gateway said

static void test_what_did_not_come_is_told_for_each_channel(void **state UNUSED)
{
	struct talk_packet first, third;

	for (unsigned i = 0; i < 3; i++) {
		struct talk_packet sent;

		say(&gateway, 0, 10, T);
		say(&gateway, UNORDERED, 10, T);
		sent = leaves(&gateway, T);
		if (i == 0)
			first = sent;
		third = sent;
	}
	say(&gateway, 1, 2000, T); // five pieces, and none leaves
	arrives(&client, first, T);
	arrives(&client, third, T); // without the second: of the ordered channel it waits
	assert_int_equal(heard[1], 3);
	crash(1);
	arrives(&client, leaves(&gateway, T), T);
	assert_int_equal(lost[0], 2);
	assert_int_equal(lost[1], 5);
	assert_int_equal(lost[2], 0);
	assert_int_equal(lost[UNORDERED], 1);
	arrives(&gateway, leaves(&client, T), T);
	for (uint8_t channel = 0; channel < SESSION_CHANNELS; channel++)
		say(&gateway, channel, 10, T);
	arrives(&client, leaves(&gateway, T), T);
	assert_int_equal(heard[1], 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		restart_test(test_each_datagram_tells_it_until_one_that_had_it_is_acknowledged),
		restart_test(test_nothing_else_is_said_before_it_is_heard),
		restart_test(test_it_waits_for_the_client_where_there_is_nothing_to_say),
		restart_test(test_a_crash_before_it_was_heard_tells_of_both),
		restart_test(test_an_epoch_that_is_known_or_before_is_not_heeded),
		restart_test(test_what_was_delivered_is_not_said_again_and_all_else_is),
		restart_test(test_what_was_delivered_before_its_turn_is_not_said_again),
		restart_test(test_what_waited_behind_a_gap_is_said_again_though_it_is_acknowledged),
		restart_test(test_pieces_of_a_message_that_is_not_whole_are_said_again),
		restart_test(test_what_did_not_come_is_told_for_each_channel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
