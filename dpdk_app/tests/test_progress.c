// SPDX-License-Identifier: BSD-3-Clause
// test_progress.c: port/progress.h: a queue whose frames leave is told from one whose frames do not.

#include "unit.h"

#include "port/progress.h"

#define LOOK_NS 100000000ULL // between two looks
#define LONG 100             // looks

/// What happens between two looks.
struct step {
	uint64_t accepted, refused, left, lost;
};

struct watched_queue {
	struct progress progress;
	struct transmit_totals totals;
	uint64_t now_ns;
	bool down;
};

static bool look(struct watched_queue *q, struct step step)
{
	q->totals.accepted += step.accepted;
	q->totals.refused += step.refused;
	q->totals.left += step.left;
	q->totals.lost += step.lost;
	q->now_ns += LOOK_NS;
	return progress_stands(&q->progress, &q->totals, !q->down, q->now_ns);
}

/// @return the look that found that the queue stands; 0: none did
static unsigned found_by(struct watched_queue *q, struct step each)
{
	for (unsigned i = 1; i <= LONG; i++)
		if (look(q, each))
			return i;
	return 0;
}

static struct watched_queue working(void)
{
	struct watched_queue q = {.now_ns = 1};

	assert_int_equal(found_by(&q, (struct step){.accepted = 5, .left = 5}), 0);
	return q;
}

static void a_queue_whose_frames_leave_does_not_stand(void **state UNUSED)
{
	working();
}

static void a_queue_that_has_nothing_to_send_does_not_stand(void **state UNUSED)
{
	struct watched_queue q = working();

	assert_int_equal(found_by(&q, (struct step){0}), 0);
}

static void frames_that_are_lost_among_others_that_leave_are_no_standstill(void **state UNUSED)
{
	struct watched_queue q = working();

	assert_int_equal(found_by(&q, (struct step){.accepted = 5, .left = 4, .lost = 1}), 0);
}

static void a_queue_whose_head_is_refused_again_and_again_stands(void **state UNUSED)
{
	struct watched_queue q = working();

	assert_uint_in_range(found_by(&q, (struct step){.accepted = 1, .lost = 1}), 2, 30);
}

static void one_loss_and_then_silence_is_no_standstill(void **state UNUSED)
{
	struct watched_queue q = working();

	assert_false(look(&q, (struct step){.accepted = 1, .lost = 1}));
	assert_int_equal(found_by(&q, (struct step){0}), 0);
}

static void a_full_ring_that_takes_nothing_stands_whatever_others_send(void **state UNUSED)
{
	struct watched_queue q = working();

	assert_uint_in_range(found_by(&q, (struct step){.refused = 3, .left = 7}), 2, 30);
}

static void a_ring_that_is_full_now_and_then_does_not_stand(void **state UNUSED)
{
	struct watched_queue q = working();

	for (unsigned i = 0; i < LONG; i++) {
		assert_false(look(&q, (struct step){.refused = 9, .left = 1}));
		assert_int_equal(found_by(&q, (struct step){.left = 1}), 0);
		assert_false(look(&q, (struct step){.accepted = 60, .refused = 4, .left = 60}));
	}
}

static void nothing_is_expected_of_a_link_that_is_down(void **state UNUSED)
{
	struct watched_queue q = working();

	q.down = true;
	assert_int_equal(found_by(&q, (struct step){.accepted = 1, .refused = 1, .lost = 1}), 0);
	q.down = false;
	assert_false(look(&q, (struct step){.accepted = 1, .lost = 1}));
}

static void what_was_counted_before_the_first_look_says_nothing(void **state UNUSED)
{
	struct watched_queue q = {.totals = {.accepted = 1000, .refused = 1000, .lost = 1000}};

	assert_false(look(&q, (struct step){0}));
	assert_int_equal(found_by(&q, (struct step){0}), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_queue_whose_frames_leave_does_not_stand),
		cmocka_unit_test(a_queue_that_has_nothing_to_send_does_not_stand),
		cmocka_unit_test(frames_that_are_lost_among_others_that_leave_are_no_standstill),
		cmocka_unit_test(a_queue_whose_head_is_refused_again_and_again_stands),
		cmocka_unit_test(one_loss_and_then_silence_is_no_standstill),
		cmocka_unit_test(a_full_ring_that_takes_nothing_stands_whatever_others_send),
		cmocka_unit_test(a_ring_that_is_full_now_and_then_does_not_stand),
		cmocka_unit_test(nothing_is_expected_of_a_link_that_is_down),
		cmocka_unit_test(what_was_counted_before_the_first_look_says_nothing),
	};

	return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
