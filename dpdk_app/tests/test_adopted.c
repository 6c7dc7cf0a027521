// SPDX-License-Identifier: BSD-3-Clause
// test_adopted.c: what a worker process does with a state of another version, from pg_open() on: it drops nothing while it
// may still fail, and what it dropped is told once.

#include "unit.h"

#include <string.h>

#include "appliance.h"
#include "session/state.h"

#define CAPACITY 64
#define OTHER_VERSION 77

static const uint8_t every_engine[] = {PG_ENGINE_EPOLL, PG_ENGINE_IO_URING};

static struct section *plain_of(const struct appliance *a)
{
	return directory_find(a->state, "plain");
}

/// A state in which a worker process of another version left players.
static void left_by_another_version(struct appliance *a, uint8_t engine)
{
	appliance_plan(a, engine, 1, CAPACITY);
	appliance_prepare(a);
	memset(state_region(a->state, 0)->records, 0xa5, sizeof(struct plain_session));
	plain_of(a)->version = OTHER_VERSION;
}

/// A worker process that gets so far; the next one is another.
/// @return what it says that it dropped
static const char *dropped_by(struct appliance *a)
{
	static char text[1024];

	a->gateway = pg_open(&a->plan, a->page, a->state, a->state_size, &a->error);
	if (!a->gateway)
		fail_msg("%s", a->error.message);
	(void)pg_dropped(a->gateway, text, sizeof(text));
	pg_close(a->gateway);
	return text;
}

/// By an address that is not this host's; one that follows another process would wait for it to come back.
static void fail_to_open(struct appliance *a)
{
	const struct pg_address address = a->plan.port[0].address[0];

	a->page->tsc_hz = 0;
	a->plan.port[0].address[0] = (struct pg_address){.family = 4, .prefix_len = 24, .bytes = {192, 0, 2, 1}};
	assert_null(pg_open(&a->plan, a->page, a->state, a->state_size, &a->error));
	assert_non_null(strstr(a->error.message, "192.0.2.1"));
	a->plan.port[0].address[0] = address;
}

static void whose_device_fails_has_dropped_nothing(void **state)
{
	struct appliance a;

	left_by_another_version(&a, engine_of(state));
	fail_to_open(&a);
	assert_int_equal(plain_of(&a)->version, OTHER_VERSION); // whoever knows it may have it
	assert_int_equal(((const uint8_t *)state_region(a.state, 0)->records)[0], 0xa5);
	assert_string_equal(dropped_by(&a), "plain (version 77, this build has version 1)");
	assert_int_equal(((const uint8_t *)state_region(a.state, 0)->records)[0], 0);
	appliance_give_up(&a);
}

static void what_one_dropped_that_did_not_come_to_say_so_the_next_one_says(void **state)
{
	struct appliance a;

	left_by_another_version(&a, engine_of(state));
	assert_string_not_equal(dropped_by(&a), "");
	fail_to_open(&a);
	assert_string_equal(dropped_by(&a), "plain (version 77, this build has version 1)");
	appliance_give_up(&a);
}

static void what_was_told_is_not_told_again(void **state)
{
	struct appliance a;

	left_by_another_version(&a, engine_of(state));
	assert_string_not_equal(dropped_by(&a), "");
	pg_state_told(a.state);
	assert_string_equal(dropped_by(&a), "");
	appliance_give_up(&a);
}

int main(void)
{
#define FOR_EACH(test)                                                        \
	cmocka_unit_test_prestate(test, (void *)(uintptr_t)&every_engine[0]), \
		cmocka_unit_test_prestate(test, (void *)(uintptr_t)&every_engine[1])
	const struct CMUnitTest tests[] = {
		FOR_EACH(whose_device_fails_has_dropped_nothing),
		FOR_EACH(what_one_dropped_that_did_not_come_to_say_so_the_next_one_says),
		FOR_EACH(what_was_told_is_not_told_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
