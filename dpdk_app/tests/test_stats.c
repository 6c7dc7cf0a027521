// SPDX-License-Identifier: BSD-3-Clause
// test_stats.c: labels, histograms and the statistics page.

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "pollgate.h"
#include "rig.h"
#include "stats/histogram.h"

typedef const char *name_of(unsigned);

/// Each of first … end-1 has a name of its own that Prometheus takes as a label, and `end` has none.
static void check_names(name_of *name, unsigned first, unsigned end)
{
	for (unsigned i = first; i < end; i++) {
		assert_non_null(name(i));
		assert_int_equal(strspn(name(i), "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(name(i)));
		assert_true(strlen(name(i)) > 0);
		for (unsigned j = first; j < i; j++)
			assert_string_not_equal(name(i), name(j));
	}
	assert_null(name(end));
	assert_null(name(UINT32_MAX));
}

static void every_enumerator_has_a_label_of_its_own(void **state UNUSED)
{
	check_names(pg_message_name, 0, PG_MESSAGES);
	check_names(pg_drop_name, PG_DROP_NONE + 1, PG_DROPS);
	check_names(pg_tx_drop_name, 0, PG_TX_DROPS);
}

static void a_packet_that_was_not_dropped_has_no_reason(void **state UNUSED)
{
	assert_null(pg_drop_name(PG_DROP_NONE));
}

static void bucket_bounds_grow(void **state UNUSED)
{
	for (unsigned i = 1; i < PG_BURST_BUCKETS; i++)
		assert_true(pg_burst_bound(i) > pg_burst_bound(i - 1));
	for (unsigned i = 1; i < PG_HANDLING_BUCKETS; i++)
		assert_true(pg_handling_bound_ns(i) > pg_handling_bound_ns(i - 1));
	for (unsigned i = 1; i < PG_TICK_BUCKETS; i++)
		assert_true(pg_tick_bound_ns(i) > pg_tick_bound_ns(i - 1));
	assert_true(pg_tick_bound_ns(PG_TICK_BUCKETS - 1) == UINT64_MAX);
	assert_true(pg_tick_bound_ns(PG_TICK_BUCKETS) == UINT64_MAX);
	for (unsigned i = 1; i < PG_UNSEEN_BUCKETS; i++)
		assert_true(pg_unseen_bound_ns(i) > pg_unseen_bound_ns(i - 1));
	assert_true(pg_unseen_bound_ns(PG_UNSEEN_BUCKETS) == UINT64_MAX);
	assert_int_equal(pg_burst_bound(PG_BURST_BUCKETS - 1), BURST_MAX);
	assert_true(pg_handling_bound_ns(PG_HANDLING_BUCKETS - 1) == UINT64_MAX);
	assert_int_equal(pg_burst_bound(PG_BURST_BUCKETS), UINT32_MAX);
	assert_true(pg_handling_bound_ns(PG_HANDLING_BUCKETS) == UINT64_MAX);
}

static void every_burst_falls_into_the_first_bucket_that_holds_it(void **state UNUSED)
{
	for (unsigned packets = 1; packets <= BURST_MAX; packets++) {
		const unsigned bucket = burst_bucket(packets);

		assert_true(bucket < PG_BURST_BUCKETS);
		assert_true(packets <= pg_burst_bound(bucket));
		if (bucket > 0)
			assert_true(packets > pg_burst_bound(bucket - 1));
	}
}

static void a_handling_time_at_its_bound_is_within_and_beyond_it_is_not(void **state UNUSED)
{
	struct handling_bounds bounds;

	handling_bounds_init(&bounds, RIG_HZ); // cycles are nanoseconds
	assert_int_equal(handling_bucket(&bounds, 0), 0);
	for (unsigned i = 0; i < PG_HANDLING_BUCKETS - 1; i++) {
		assert_int_equal(handling_bucket(&bounds, pg_handling_bound_ns(i)), i);
		assert_int_equal(handling_bucket(&bounds, pg_handling_bound_ns(i) + 1), i + 1);
	}
	assert_int_equal(handling_bucket(&bounds, UINT64_MAX), PG_HANDLING_BUCKETS - 1);
}

static void a_tick_at_a_bound_is_within_and_beyond_it_is_not(void **state UNUSED)
{
	struct tick_bounds bounds;

	tick_bounds_init(&bounds, RIG_HZ); // cycles are nanoseconds
	assert_int_equal(tick_bucket(&bounds, 0), 0);
	for (unsigned i = 0; i < PG_TICK_BUCKETS - 1; i++) {
		assert_int_equal(tick_bucket(&bounds, pg_tick_bound_ns(i)), i);
		assert_int_equal(tick_bucket(&bounds, pg_tick_bound_ns(i) + 1), i + 1);
	}
	assert_int_equal(tick_bucket(&bounds, UINT64_MAX), PG_TICK_BUCKETS - 1);
}

static void what_was_unseen_for_so_long_is_in_the_first_bucket_that_holds_it(void **state UNUSED)
{
	assert_int_equal(unseen_bucket(0), 0);
	for (unsigned i = 0; i < PG_UNSEEN_BUCKETS - 1; i++) {
		assert_int_equal(unseen_bucket(pg_unseen_bound_ns(i)), i);
		assert_int_equal(unseen_bucket(pg_unseen_bound_ns(i) + 1), i + 1);
	}
	assert_int_equal(unseen_bucket(UINT64_MAX), PG_UNSEEN_BUCKETS - 1);
}

static void handling_bounds_follow_the_clock(void **state UNUSED)
{
	struct handling_bounds bounds;

	handling_bounds_init(&bounds, 2500000000);
	assert_int_equal(bounds.cycles[0], 625);
	assert_int_equal(bounds.cycles[2], 2500);
}

static struct pg_stats_page *page_new(void)
{
	struct pg_stats_page *page = zeroed_lines(pg_stats_page_size());

	pg_stats_page_init(page, 3, 2, 1);
	return page;
}

static void a_snapshot_copies_every_byte_before_the_directory(void **state UNUSED)
{
	struct pg_stats_page *page = page_new(), *copy = zeroed_lines(pg_stats_page_size());
	uint64_t seed = 3;

	for (size_t i = offsetof(struct pg_stats_page, port) / 8; i < offsetof(struct pg_stats_page, directory) / 8;
	     i++)
		((uint64_t *)page)[i] = random_next(&seed);
	assert_int_equal(pg_stats_snapshot(page, copy), PG_OK);
	assert_memory_equal(page, copy, offsetof(struct pg_stats_page, directory));
	assert_int_equal(copy->worker_count, 3);
	assert_int_equal(copy->port_count, 2);
	assert_int_equal(copy->pool_count, 1);
	free(page);
	free(copy);
}

static const struct pg_stats_entry *entry_of(const struct pg_stats_page *page, const char *metric)
{
	for (unsigned i = 0; i < page->directory_entries; i++)
		if (strcmp(page->directory.entry[i].metric, metric) == 0)
			return &page->directory.entry[i];
	fail_msg("no entry for %s", metric);
	return NULL;
}

static void the_directory_says_where_a_counter_is_and_what_its_elements_are_called(void **state UNUSED)
{
	struct pg_stats_page *page = page_new();
	const struct pg_stats_entry *lost = entry_of(page, "session_messages_lost");
	const char *name = (const char *)page + lost->names;

	assert_ptr_equal((char *)page + lost->offset + 2 * lost->worker_stride, page->worker[2].messages.lost);
	assert_int_equal(lost->count, PG_LOSSES);
	assert_string_equal(lost->labels, "worker, reason");
	assert_string_equal(name, "");
	for (unsigned i = PG_LOSS_NONE + 1; i < PG_LOSSES; i++) {
		name += strlen(name) + 1;
		assert_string_equal(name, pg_loss_name(i));
	}
	free(page);
}

static void the_names_of_a_directory_have_room(void **state UNUSED)
{
	struct pg_stats_page *page = page_new();
	const struct pg_stats_entry *last = entry_of(page, "message_handling_seconds");
	const char *name = (const char *)page + last->names;

	for (unsigned i = 1; i < last->count; i++)
		name += strlen(name) + 1;
	assert_string_equal(name, "+Inf");
	assert_true(name + sizeof("+Inf") < page->directory.names + sizeof(page->directory.names));
	free(page);
}

static void a_name_is_given_once_and_where_there_is_room(void **state UNUSED)
{
	static const char longest[] = "0123456789012345678901234567890", longer[] = "01234567890123456789012345678901";
	struct pg_stats_page *page = page_new(), *copy = zeroed_lines(pg_stats_page_size());

	assert_int_equal(sizeof(longest), PG_STATS_NAME);
	assert_true(pg_stats_name(page, PG_STATS_LISTENER, PG_LISTENERS_MAX - 1, longest));
	assert_true(pg_stats_name(page, PG_STATS_LISTENER, PG_LISTENERS_MAX - 1, longest));
	assert_false(pg_stats_name(page, PG_STATS_LISTENER, PG_LISTENERS_MAX - 1, "8080"));
	assert_false(pg_stats_name(page, PG_STATS_LISTENER, PG_LISTENERS_MAX, "8080"));
	assert_false(pg_stats_name(page, PG_STATS_LISTENER, 0, longer));
	assert_false(pg_stats_name(page, PG_STATS_LISTENER, 0, ""));
	assert_false(pg_stats_name(page, PG_STATS_LISTENER, 0, longest)); // which would be the same series
	assert_false(pg_stats_name(page, PG_STATS_SETS, 0, "8080"));
	assert_true(pg_stats_name(page, PG_STATS_PORT, 0, "game0"));
	assert_int_equal(pg_stats_snapshot(page, copy), PG_OK);
	assert_string_equal(copy->names.listener[PG_LISTENERS_MAX - 1], longest);
	assert_string_equal(copy->names.port[0], "game0");
	for (unsigned slot = 0; slot + 1 < PG_LISTENERS_MAX; slot++)
		assert_string_equal(copy->names.listener[slot], "");
	free(page);
	free(copy);
}

static void a_slot_that_is_named_again_is_one_more_naming_and_says_where_its_counts_began(void **state UNUSED)
{
	struct pg_stats_page *page = page_new(), *copy = zeroed_lines(pg_stats_page_size());
	const struct pg_stats_entry *offered = entry_of(page, "game_messages_offered");
	const struct pg_stats_set_entry *set = &page->directory.set[offered->set - 1];
	const uint32_t namings = page->namings;

	assert_int_equal(offered->offset + set->before,
			 offsetof(struct pg_stats_page, worker[0].process_before[0].offered));
	assert_true(pg_stats_name(page, PG_STATS_PROCESS, 4, "match-8371"));
	assert_false(pg_stats_name(page, PG_STATS_PROCESS, 4, "match-8372"));
	assert_true(pg_stats_unname(page, PG_STATS_PROCESS, 4));
	assert_true(pg_stats_name(page, PG_STATS_PROCESS, 4, "m"));
	assert_int_equal(page->namings, namings + 2);
	assert_true(pg_stats_name(page, PG_STATS_PROCESS, 5, "match-8371"));
	assert_int_equal(pg_stats_snapshot(page, copy), PG_OK);
	assert_string_equal(copy->names.process[4], "m");
	assert_false(pg_stats_unname(page, PG_STATS_LISTENER, 0)); // stands
	assert_false(pg_stats_unname(page, PG_STATS_PROCESS, PG_GAME_PROCESSES_MAX));
	free(page);
	free(copy);
}

static void the_names_of_a_set_are_where_the_directory_says(void **state UNUSED)
{
	struct pg_stats_page *page = page_new();
	const struct pg_stats_entry *sessions = entry_of(page, "listener_sessions");
	const struct pg_stats_set_entry *set = &page->directory.set[sessions->set - 1];

	assert_string_equal(set->label, "listener");
	assert_true(pg_stats_name(page, PG_STATS_LISTENER, 3, "8080"));
	assert_string_equal((const char *)page + set->names + (size_t)3 * set->name_bytes, "8080");
	assert_int_equal(sessions->offset + 2 * sessions->worker_stride + 3 * sessions->index_stride,
			 offsetof(struct pg_stats_page, worker[2].listener[3].sessions));
	assert_int_equal(entry_of(page, "drops")->set, 0);
	free(page);
}

static void a_page_fits_as_long_as_its_directory_is_that_of_this_build(void **state UNUSED)
{
	struct pg_stats_page *page = page_new();

	assert_true(pg_stats_page_fits(page));
	for (size_t i = 0; i < sizeof(page->directory); i += 97) {
		uint8_t *byte = (uint8_t *)&page->directory + i;

		(*byte)++;
		assert_false(pg_stats_page_fits(page));
		(*byte)--;
	}
	page->abi_version++;
	assert_false(pg_stats_page_fits(page));
	free(page);
}

static void a_page_of_another_kind_or_version_is_refused(void **state UNUSED)
{
	struct pg_stats_page *page = zeroed_lines(pg_stats_page_size()), *copy = zeroed_lines(pg_stats_page_size());

	assert_int_equal(pg_stats_snapshot(page, copy), PG_ERROR_USAGE); // zeros
	pg_stats_page_init(page, 1, 1, 1);
	assert_int_equal(pg_stats_snapshot(page, copy), PG_OK);
	page->abi_version++;
	assert_int_equal(pg_stats_snapshot(page, copy), PG_ERROR_USAGE);
	page->abi_version--;
	page->magic ^= 1;
	assert_int_equal(pg_stats_snapshot(page, copy), PG_ERROR_USAGE);
	free(page);
	free(copy);
}

static void the_counters_of_a_worker_are_alone_on_their_cache_lines(void **state UNUSED)
{
	assert_int_equal(sizeof(struct pg_worker_stats) % CACHE_LINE, 0);
	assert_int_equal(offsetof(struct pg_stats_page, worker) % CACHE_LINE, 0);
}

static void what_is_counted_first_lies_before_what_is_counted_after_it(void **state UNUSED)
{
	// A snapshot reads backwards; only so does it never show a packet that ended without having arrived.
	assert_true(offsetof(struct pg_worker_stats, received) < offsetof(struct pg_worker_stats, handled));
	assert_true(offsetof(struct pg_worker_stats, received) < offsetof(struct pg_worker_stats, dropped));
	assert_true(offsetof(struct pg_worker_stats, received) < offsetof(struct pg_worker_stats, to_kernel));
	assert_true(offsetof(struct pg_worker_stats, received) < offsetof(struct pg_worker_stats, forwarded));
	assert_true(offsetof(struct pg_worker_stats, tx_offered) < offsetof(struct pg_worker_stats, tx_sent));
	assert_true(offsetof(struct pg_worker_stats, tx_offered) < offsetof(struct pg_worker_stats, tx_dropped));
}

static void the_clock_runs_forward_at_a_known_rate(void **state UNUSED)
{
	const uint64_t before = pg_tsc();

	assert_true(pg_tsc_hz() > 100000000 && pg_tsc_hz() < 20000000000);
	assert_int_equal(pg_tsc_hz(), pg_tsc_hz());
	assert_true(pg_tsc() >= before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_enumerator_has_a_label_of_its_own),
		cmocka_unit_test(a_packet_that_was_not_dropped_has_no_reason),
		cmocka_unit_test(bucket_bounds_grow),
		cmocka_unit_test(every_burst_falls_into_the_first_bucket_that_holds_it),
		cmocka_unit_test(a_handling_time_at_its_bound_is_within_and_beyond_it_is_not),
		cmocka_unit_test(a_tick_at_a_bound_is_within_and_beyond_it_is_not),
		cmocka_unit_test(what_was_unseen_for_so_long_is_in_the_first_bucket_that_holds_it),
		cmocka_unit_test(handling_bounds_follow_the_clock),
		cmocka_unit_test(a_snapshot_copies_every_byte_before_the_directory),
		cmocka_unit_test(the_directory_says_where_a_counter_is_and_what_its_elements_are_called),
		cmocka_unit_test(the_names_of_a_directory_have_room),
		cmocka_unit_test(a_name_is_given_once_and_where_there_is_room),
		cmocka_unit_test(a_slot_that_is_named_again_is_one_more_naming_and_says_where_its_counts_began),
		cmocka_unit_test(the_names_of_a_set_are_where_the_directory_says),
		cmocka_unit_test(a_page_fits_as_long_as_its_directory_is_that_of_this_build),
		cmocka_unit_test(a_page_of_another_kind_or_version_is_refused),
		cmocka_unit_test(the_counters_of_a_worker_are_alone_on_their_cache_lines),
		cmocka_unit_test(what_is_counted_first_lies_before_what_is_counted_after_it),
		cmocka_unit_test(the_clock_runs_forward_at_a_known_rate),
	};

	return cmocka_run_group_tests_name("stats", tests, NULL, NULL);
}
