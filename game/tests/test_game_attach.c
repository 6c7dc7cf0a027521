// SPDX-License-Identifier: BSD-3-Clause
// test_game_attach.c: attaching, being refused, the ends of either side, fork().

#include "gateway.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct gateway gateway;

/// Must fail; its sentence is in the error.
static struct pgg_error refused(const struct pgg_options *options, enum pgg_result result)
{
	struct pgg_error error;

	assert_null(pgg_open(options, &error));
	assert_int_equal(error.result, result);
	return error;
}

static struct pgg_options options_of(const char *path)
{
	struct pgg_options options;

	pgg_options_init(&options);
	options.path = path;
	options.name = "arena";
	return options;
}

static void expect_sentence(const struct pgg_error *error, const char *part)
{
	if (!strstr(error->text, part))
		fail_msg("%s", error->text);
}

static void what_cannot_be_asked_for_is_refused_before_anything_is_done(void **state UNUSED)
{
	char path[200] = "/";
	struct pgg_options options = options_of(path);
	struct pgg_error error;

	memset(path + 1, 'p', sizeof(path) - 2);
	error = refused(&options, PGG_ARGUMENT);
	expect_sentence(&error, "options.path has 199 bytes; the path of a socket has 107 at most");
	options.path = NULL;
	error = refused(&options, PGG_ARGUMENT);
	expect_sentence(&error, "names no socket");
	options = options_of("/nowhere");
	options.name = "two words";
	error = refused(&options, PGG_ARGUMENT);
	expect_sentence(&error, "options.name is `two words`");
	options.name = "a-name-of-thirty-two-characters-";
	refused(&options, PGG_ARGUMENT);
	options.name = NULL;
	error = refused(&options, PGG_ARGUMENT);
	expect_sentence(&error, "options.name is none");
	options = options_of("/nowhere");
	error = refused(&options, PGG_SYSTEM);
	expect_sentence(&error, "/nowhere: No such file or directory; is the gateway running");
	assert_null(pgg_open(&options, NULL));
	pgg_close(NULL);
}

static void a_gateway_that_refuses_is_quoted(void **state UNUSED)
{
	struct pgg_options options;
	struct pgg_error error;

	gateway_start(&gateway, 1);
	gateway.refuses = "process 71 has this name";
	options = options_of(gateway.path);
	error = refused(&options, PGG_REFUSED);
	assert_string_equal(error.text, "process 71 has this name");
	gateway_stop(&gateway);
}

static void a_token_that_fits_lets_in(void **state UNUSED)
{
	struct pgg_options options;
	struct pgg_error error;
	pgg *game;

	gateway_start(&gateway, 1);
	gateway.token = "sesame";
	options = options_of(gateway.path);
	error = refused(&options, PGG_REFUSED);
	assert_string_equal(error.text, "the token is another");
	options.token = "sesame";
	options.wants_moves = true;
	game = pgg_open(&options, &error);
	assert_non_null(game);
	assert_int_equal(gateway.process[1].wants, ATTACH_WANTS_MOVES);
	pgg_close(game);
	gateway_stop(&gateway);
}

static void another_version_is_refused_in_a_sentence_with_both(void **state UNUSED)
{
	struct pgg_options options;
	struct pgg_error error;

	gateway_start(&gateway, 1);
	gateway.version = 7;
	options = options_of(gateway.path);
	error = refused(&options, PGG_REFUSED);
	assert_string_equal(error.text,
			    "the gateway speaks version 7 of the bus, this library (pollgate-game " PGG_VERSION
			    ") version 3: install both from one release");
	gateway_stop(&gateway);
}

static void a_gateway_that_says_nothing_is_not_waited_for_for_ever(void **state UNUSED)
{
	struct pgg_options options;
	struct pgg_error error;

	gateway_start(&gateway, 1);
	gateway.is_silent = true;
	options = options_of(gateway.path);
	options.timeout_ms = 1;
	error = refused(&options, PGG_LATE);
	expect_sentence(&error, "the gateway has not answered for 1 ms");
	gateway_stop(&gateway);
}

static void the_end_of_the_gateway_comes_after_what_was_said_before_it(void **state UNUSED)
{
	struct pgg_event event[2];
	pgg *game;

	gateway_start(&gateway, 1);
	game = gateway_attach(&gateway, "arena");
	gateway_say(&gateway, 0, 7, 64, "last words");
	gateway_die(&gateway);
	event[0] = next_event(game, PGG_MESSAGE);
	assert_memory_equal(event[0].as.message.body, "last words", 10);
	event[0] = next_event(game, PGG_END);
	assert_string_equal(event[0].as.ended.text, "the gateway ended");
	assert_int_equal(pgg_poll(game, event, 2), PGG_ENDED);
	assert_int_equal(pgg_wait(game, -1), PGG_ENDED);
	assert_int_equal(pgg_subscribe(game, "scores"), PGG_ENDED);
	pgg_close(game);
	gateway_stop(&gateway);
}

static void an_end_is_told_though_a_worker_never_stops_writing(void **state UNUSED)
{
	struct pgg_event event;
	bool told = false;
	pgg *game;

	gateway_start(&gateway, 1);
	game = gateway_attach(&gateway, "arena");
	gateway_die(&gateway);
	for (unsigned i = 0; i < 200 && !told; i++) {
		gateway_say(&gateway, 0, 7, 64, "more");
		assert_int_equal(pgg_poll(game, &event, 1), 1);
		told = event.type == PGG_END;
	}
	assert_true(told);
	pgg_close(game);
	gateway_stop(&gateway);
}

static void the_next_process_of_a_name_goes_on_with_what_waits(void **state UNUSED)
{
	struct pgg_event event;
	pgg *game;

	gateway_start(&gateway, 1);
	game = gateway_attach(&gateway, "arena");
	gateway_say(&gateway, 0, 7, 64, "first");
	gateway_say(&gateway, 0, 7, 64, "second");
	next_event(game, PGG_MESSAGE);
	pgg_close(game); // has given back the first
	gateway_follow(&gateway, 0);
	game = gateway_attach(&gateway, "arena");
	event = next_event(game, PGG_MESSAGE);
	assert_memory_equal(event.as.message.body, "second", 6);
	no_event(game);
	pgg_close(game);
	gateway_stop(&gateway);
}

static int poll_once(pgg *game, struct pgg_event *event, int n)
{
	assert_true(pgg_wait(game, 60000) > 0);
	return pgg_poll(game, event, n);
}

/// Of two rings, of which the second is read to its second message.
static void whoever_closes_in_the_middle_leaves_what_is_not_finished_to_the_next_of_the_name(void **state UNUSED)
{
	static const char *const numbers[] = {"0", "1", "2", "3"};
	struct pgg_event event[16];
	char rest[16] = "";
	pgg *game;
	int n;

	gateway_start(&gateway, 2);
	game = gateway_attach(&gateway, "arena");
	for (unsigned i = 0; i < COUNT(numbers); i++) {
		gateway_say(&gateway, 0, 7, 64, numbers[i]);
		gateway_say(&gateway, 1, 8, 65, numbers[i]);
	}
	assert_int_equal(poll_once(game, event, COUNT(event)), 8);
	const uint8_t read_first = event[0].as.message.type;

	pgg_close_after(game, 5);
	gateway_follow(&gateway, 0);
	game = gateway_attach(&gateway, "arena");
	n = poll_once(game, event, COUNT(event));
	for (int i = 0; i < n; i++) {
		assert_true(event[i].as.message.type != read_first);
		strncat(rest, event[i].as.message.body, 1);
	}
	assert_string_equal(rest, "123");
	pgg_close_after(game, 0); // as if it had read nothing
	gateway_follow(&gateway, 1);
	game = gateway_attach(&gateway, "arena");
	assert_int_equal(poll_once(game, event, COUNT(event)), 3);
	assert_int_equal(pgg_poll(game, event, COUNT(event)), 0); // gives them back
	pgg_close_after(game, 0);
	gateway_follow(&gateway, 2);
	game = gateway_attach(&gateway, "arena");
	no_event(game);
	pgg_close(game);
	gateway_stop(&gateway);
}

/// All of them have been mapped then: the gateway seals them.
static void it_is_said_once_that_the_rings_of_all_workers_are_mapped(void **state UNUSED)
{
	pgg *game;

	gateway_start(&gateway, GATEWAY_WORKERS);
	game = gateway_attach(&gateway, "arena");
	gateway_replace_worker(&gateway, 0, 0);
	gateway_listing(&gateway, 0, (const uint32_t[]){7}, 1);
	next_event(game, PGG_JOINED);
	next_event(game, PGG_LISTED);
	assert_int_equal(pgg_post(game, "nobody", "x", 1), PGG_NOT_HERE); // by then it has heard all that came before
	pgg_close(game);
	gateway_hear_out(&gateway, 0);
	assert_int_equal(gateway.process[0].mapped, 1);
	gateway_stop(&gateway);
}

/// Rings that this process has mapped, the fixture's own with them.
static unsigned rings_mapped(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned found = 0;
	char line[400];

	while (maps && fgets(line, sizeof(line), maps))
		found += strstr(line, "memfd:") != NULL;
	if (maps)
		(void)fclose(maps);
	return found;
}

static void the_child_of_a_process_that_attached_is_refused_and_harms_nothing(void **state UNUSED)
{
	const struct pgg_message message = {.type = 64, .body = "x", .length = 1};
	struct pgg_event event;
	unsigned mapped;
	int status;
	pid_t child;
	pgg *game;

	gateway_start(&gateway, 1);
	game = gateway_attach(&gateway, "arena");
	gateway_listing(&gateway, 0, (const uint32_t[]){7}, 1);
	next_event(game, PGG_JOINED);
	next_event(game, PGG_LISTED);
	assert_int_equal(pgg_send(game, 7, &message), PGG_OK);
	mapped = rings_mapped();
	child = fork();
	if (child == 0) {
		const bool right = pgg_send(game, 7, &message) == PGG_FORKED &&
				   pgg_poll(game, &event, 1) == PGG_FORKED && pgg_wait(game, 0) == PGG_FORKED &&
				   pgg_flush(game) == PGG_FORKED && pgg_post(game, "b", "x", 1) == PGG_FORKED &&
				   pgg_send_list(game, (const uint32_t[]){7}, 1, &message) == PGG_FORKED &&
				   pgg_sleep_begin(game) == PGG_FORKED && rings_mapped() == mapped - 2;

		pgg_close(game);
		_exit(right ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	pgg_flush(game);
	gateway_order(&gateway, 0, GAME_SEND, sizeof(struct game_send) + 1);
	gateway_no_order(&gateway, 0);
	gateway_say(&gateway, 0, 7, 64, "still here");
	next_event(game, PGG_MESSAGE);
	pgg_close(game);
	gateway_stop(&gateway);
}

static void every_result_has_a_sentence(void **state UNUSED)
{
	for (int result = PGG_OK; result >= PGG_PROFILE; result--) {
		assert_true(strlen(pgg_result_text(result)) > 5);
		assert_string_not_equal(pgg_result_text(result), "unknown result");
	}
	assert_string_equal(pgg_result_text(1), "unknown result");
	assert_string_equal(pgg_result_text(PGG_PROFILE - 1), "unknown result");
	assert_string_equal(pgg_left_text(1), "left");
	assert_string_equal(pgg_left_text(255), "other");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_cannot_be_asked_for_is_refused_before_anything_is_done),
		cmocka_unit_test(a_gateway_that_refuses_is_quoted),
		cmocka_unit_test(a_token_that_fits_lets_in),
		cmocka_unit_test(another_version_is_refused_in_a_sentence_with_both),
		cmocka_unit_test(a_gateway_that_says_nothing_is_not_waited_for_for_ever),
		cmocka_unit_test(the_end_of_the_gateway_comes_after_what_was_said_before_it),
		cmocka_unit_test(an_end_is_told_though_a_worker_never_stops_writing),
		cmocka_unit_test(the_next_process_of_a_name_goes_on_with_what_waits),
		cmocka_unit_test(whoever_closes_in_the_middle_leaves_what_is_not_finished_to_the_next_of_the_name),
		cmocka_unit_test(it_is_said_once_that_the_rings_of_all_workers_are_mapped),
		cmocka_unit_test(the_child_of_a_process_that_attached_is_refused_and_harms_nothing),
		cmocka_unit_test(every_result_has_a_sentence),
	};

	return cmocka_run_group_tests_name("game_attach", tests, NULL, NULL);
}
