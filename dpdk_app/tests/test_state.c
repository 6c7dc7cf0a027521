// SPDX-License-Identifier: BSD-3-Clause
// test_state.c: the directory of the session state: who reads it believes nothing, keeps what it knows, and says what it drops.

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "rig.h"
#include "session/state.h"
#include "session_fixture.h"

#define CAPACITY 16
#define SLOTS 10
#define OTHER_VERSION 77

static const struct state_shape shape = {CAPACITY, FIXTURE_SHARDS, SLOTS, 0};
static struct pg_error error;
static struct state_dropped dropped;

/// A state as the supervisor makes it, with room behind it for more sections.
struct made {
	uint8_t *state;
	size_t size; // with the room
	struct directory *directory;
};

#define ROOM ((size_t)16 * CACHE_LINE)

static struct made make_state(void)
{
	const size_t size = pg_state_size(CAPACITY, FIXTURE_SHARDS, SLOTS) + ROOM;
	struct made made = {.state = zeroed_lines(size), .size = size};

	assert_int_equal(pg_state_init(made.state, size, CAPACITY, FIXTURE_SHARDS, SLOTS, &error), PG_OK);
	made.directory = (struct directory *)made.state;
	return made;
}

static void drop_state(const struct made *made)
{
	pg_state_release(made->state);
	free(made->state);
}

static int adopt(const struct made *made)
{
	const int rc = state_check(made->state, made->size, &shape, &error);

	if (rc == PG_OK)
		state_take(made->state, &shape, &dropped);
	return rc;
}

static struct section *section_of(const struct made *made, const char *name)
{
	struct section *section = directory_find(made->directory, name);

	assert_non_null(section);
	return section;
}

static void *copy_of(const struct made *made)
{
	void *copy = malloc(made->size);

	memcpy(copy, made->state, made->size);
	return copy;
}

// ---------------------------------------------------------------- what is kept

static void a_worker_of_the_same_version_keeps_everything(void **state UNUSED)
{
	struct made made = make_state();
	void *before = copy_of(&made);

	assert_int_equal(adopt(&made), PG_OK);
	assert_int_equal(dropped.count, 0);
	assert_memory_equal(made.state, before, made.size);
	free(before);
	drop_state(&made);
}

static void sections_follow_each_other_in_whole_lines(void **state UNUSED)
{
	struct made made = make_state();
	uint64_t end = sizeof(struct directory);

	assert_null(directory_fault(made.directory, made.size));
	assert_int_equal(made.directory->count, 5);
	for (uint32_t i = 0; i < made.directory->count; i++) {
		assert_int_equal(made.directory->section[i].offset, end);
		end += made.directory->section[i].size;
		assert_int_equal(end % CACHE_LINE, 0);
	}
	assert_int_equal(end, made.size - ROOM);
	drop_state(&made);
}

/// Players of the plain profile, in the regions of all workers.
static void admit_all(const struct made *made)
{
	for (uint32_t worker = 0; worker < FIXTURE_SHARDS; worker++) {
		struct plain_region *region = state_region(made->state, worker);

		region->high_water = CAPACITY;
		memset(region->records, 0xa5, CAPACITY * sizeof(struct plain_session));
	}
}

static void assert_nobody_is_admitted(const struct made *made)
{
	static const uint8_t nothing[sizeof(struct plain_session)];

	for (uint32_t worker = 0; worker < FIXTURE_SHARDS; worker++) {
		const struct plain_region *region = state_region(made->state, worker);

		assert_int_equal(region->high_water, 0);
		for (unsigned i = 0; i < CAPACITY; i++)
			assert_memory_equal(&region->records[i], nothing, sizeof(nothing));
	}
}

static void what_workers_keep_in_another_version_is_begun_anew_and_told(void **state UNUSED)
{
	struct made made = make_state();
	struct section *plain = section_of(&made, "plain");

	admit_all(&made);
	plain->version = OTHER_VERSION;
	plain->slots = CAPACITY / 2; // its records were longer
	assert_int_equal(adopt(&made), PG_OK);
	assert_int_equal(dropped.count, 1);
	assert_string_equal(dropped.section[0].name, "plain");
	assert_int_equal(dropped.section[0].version, OTHER_VERSION);
	assert_int_equal(dropped.section[0].known, plain->version);
	assert_nobody_is_admitted(&made);
	assert_int_equal(plain->slots, CAPACITY);
	pg_state_told(made.state);
	assert_int_equal(adopt(&made), PG_OK); // the next one finds its own
	assert_int_equal(dropped.count, 0);
	drop_state(&made);
}

static void players_of_one_profile_go_on_where_those_of_the_other_are_dropped(void **state UNUSED)
{
	struct session_fixture *fixture = fixture_open(SLOTS, STORE_SOCKETS);
	struct made made = {fixture->state, fixture->state_size, fixture->state};
	struct player player = fixture_issue(fixture, 7, 60, false);

	assert_true(fixture_connect(fixture, 0, &player));
	admit_all(&made);
	section_of(&made, "plain")->version = OTHER_VERSION;
	assert_int_equal(adopt(&made), PG_OK);
	assert_int_equal(dropped.count, 1);
	assert_nobody_is_admitted(&made);
	assert_int_equal(fixture_restart(fixture), 1);
	assert_int_equal(pg_session_of_player(fixture->state, 7), player.session);
	fixture_close(fixture);
}

static void a_section_that_this_build_does_not_have_is_dropped_once(void **state UNUSED)
{
	struct made made = make_state();
	const struct section world = {"world", 3, 2, 50, SECTION_OF_WORKERS, 0, 0, 0, 0};

	directory_add(made.directory, &world, 4 * CACHE_LINE);
	assert_null(directory_fault(made.directory, made.size));
	assert_int_equal(adopt(&made), PG_OK);
	assert_int_equal(dropped.count, 1);
	assert_string_equal(dropped.section[0].name, "world");
	assert_int_equal(dropped.section[0].version, 3);
	assert_int_equal(dropped.section[0].known, 0);
	assert_int_equal(section_of(&made, "world")->version, SECTION_DROPPED); // whoever knows it begins it anew
	pg_state_told(made.state);
	assert_int_equal(adopt(&made), PG_OK);
	assert_int_equal(dropped.count, 0);
	drop_state(&made);
}

static void what_was_dropped_twice_before_it_was_told_is_told_as_players_had_it(void **state UNUSED)
{
	struct made made = make_state();
	struct section *plain = section_of(&made, "plain");

	plain->version = OTHER_VERSION;
	assert_int_equal(adopt(&made), PG_OK);
	plain->version = OTHER_VERSION + 1; // begun anew by a process of a third version, which did not say so either
	assert_int_equal(adopt(&made), PG_OK);
	assert_int_equal(dropped.count, 1);
	assert_int_equal(dropped.section[0].version, OTHER_VERSION);
	drop_state(&made);
}

static void a_section_of_the_supervisor_that_this_build_does_not_have_is_left_alone(void **state UNUSED)
{
	struct made made = make_state();
	const struct section bans = {"bans", 1, 1, 50, SECTION_OF_SUPERVISOR, 0, 0, 0, 0};
	void *before;

	directory_add(made.directory, &bans, 4 * CACHE_LINE);
	before = copy_of(&made);
	assert_int_equal(adopt(&made), PG_OK);
	assert_int_equal(dropped.count, 0);
	assert_memory_equal(made.state, before, made.size);
	free(before);
	drop_state(&made);
}

static void a_worker_that_died_while_it_began_a_section_anew_is_followed_by_one_that_does(void **state UNUSED)
{
	struct made made = make_state();

	admit_all(&made);
	section_of(&made, "plain")->untold = OTHER_VERSION;
	section_of(&made, "plain")->version = SECTION_DROPPED;
	assert_int_equal(adopt(&made), PG_OK);
	assert_int_equal(dropped.count, 1);
	assert_int_equal(dropped.section[0].version, OTHER_VERSION);
	assert_nobody_is_admitted(&made);
	drop_state(&made);
}

static void sections_may_lie_in_another_order(void **state UNUSED)
{
	struct made made = make_state();
	const struct section first = made.directory->section[0];

	made.directory->section[0] = made.directory->section[3];
	made.directory->section[3] = first;
	assert_int_equal(adopt(&made), PG_OK);
	assert_int_equal(dropped.count, 0);
	assert_int_equal(state_parts(made.state).issued_capacity, SLOTS);
	assert_ptr_equal(state_parts(made.state).issuing, made.state + first.offset);
	drop_state(&made);
}

// ---------------------------------------------------------------- what is refused

static void assert_refused(const struct made *made, const char *why)
{
	void *before = copy_of(made);

	assert_int_equal(adopt(made), PG_ERROR_USAGE);
	assert_non_null(strstr(error.message, why));
	assert_memory_equal(made->state, before, made->size); // nothing was changed
	free(before);
}

static void what_the_supervisor_goes_on_writing_in_another_version_is_refused_in_a_sentence(void **state UNUSED)
{
	static const char *const names[] = {"issuing", "players", "issued"};

	for (unsigned i = 0; i < COUNT(names); i++) {
		struct made made = make_state();

		section_of(&made, "plain")->version = OTHER_VERSION; // nor is this one dropped then
		section_of(&made, names[i])->version = OTHER_VERSION;
		assert_refused(&made, names[i]);
		assert_non_null(strstr(error.message, "version 77"));
		assert_non_null(strstr(error.message, "restart pollgate"));
		drop_state(&made);
	}
}

static void a_section_that_is_missing_or_too_small_is_refused(void **state UNUSED)
{
	struct made made = make_state();
	struct section *plain = section_of(&made, "plain");

	strcpy(plain->name, "plane");
	assert_refused(&made, "no section plain");
	strcpy(plain->name, "plain");
	plain->version = OTHER_VERSION;
	plain->size -= (size_t)FIXTURE_SHARDS * CACHE_LINE;
	assert_refused(&made, "are needed");
	drop_state(&made);
}

/// A worker process would look for the bits of a slot behind the end of a word.
static void numbers_that_cannot_be_are_refused(void **state UNUSED)
{
	static const struct {
		uint32_t bits, id;
	} cases[] = {{17, 0}, {32, 0}, {33, 0}, {UINT32_MAX, 0}, {8, 256}, {0, 1}};

	for (unsigned i = 0; i < COUNT(cases); i++) {
		struct made made = make_state();
		struct issuing_section *issuing = state_parts(made.state).issuing;

		issuing->gateway_bits = cases[i].bits;
		issuing->gateway_id = cases[i].id;
		assert_refused(&made, "have no numbers");
		drop_state(&made);
	}
}

static void more_issued_sessions_than_slots_are_refused(void **state UNUSED)
{
	struct made made = make_state();

	state_parts(made.state).issuing->used = section_of(&made, "issued")->slots + 1;
	assert_refused(&made, "sessions were issued");
	drop_state(&made);
}

static void what_is_no_state_is_refused(void **state UNUSED)
{
	struct made made = make_state();

	made.directory->magic++;
	assert_refused(&made, "does not begin with a directory");
	made.directory->magic--;
	made.directory->size = made.size + 1;
	assert_refused(&made, "shorter than");
	made.directory->size = made.size;
	made.directory->count = SECTIONS_MAX + 1;
	assert_refused(&made, "too long");
	drop_state(&made);
}

// ---------------------------------------------------------------- any directory

/// Without the sums and comparisons of directory_fault(): each line of the state belongs to one section at most.
static void assert_sound(const struct made *made)
{
	const struct directory *d = made->directory;
	uint8_t *owner = calloc(made->size / CACHE_LINE, 1);

	assert_true(d->count <= SECTIONS_MAX);
	for (uint32_t i = 0; i < d->count; i++) {
		const struct section *s = &d->section[i];

		assert_true(strnlen(s->name, SECTION_NAME_SIZE) < SECTION_NAME_SIZE);
		assert_ptr_equal(directory_find(made->directory, s->name), s); // no other has its name
		assert_int_equal(s->offset % CACHE_LINE, 0);
		assert_int_equal(s->size % CACHE_LINE, 0);
		for (uint64_t at = s->offset, n = 0; n < s->size; at += CACHE_LINE, n += CACHE_LINE) {
			assert_true(at >= sizeof(*d) && at < made->size);
			assert_int_equal(owner[at / CACHE_LINE], 0);
			owner[at / CACHE_LINE] = 1;
		}
		assert_true(s->parts > 0 && s->size % s->parts == 0);
		assert_int_equal(s->size / s->parts % CACHE_LINE, 0);
	}
	free(owner);
}

/// A number that somebody could get wrong.
static uint64_t odd_number(uint64_t *seed, uint64_t was)
{
	switch (random_below(seed, 6)) {
	case 0:
		return 0;
	case 1:
		return was + random_below(seed, 3) - 1;
	case 2:
		return was + (random_below(seed, 2) ? 1 : -1) * (uint64_t)CACHE_LINE;
	case 3:
		return UINT64_MAX - random_below(seed, 200);
	case 4:
		return random_below(seed, 20000);
	default:
		return random_next(seed);
	}
}

static void spoil(struct directory *d, uint64_t *seed)
{
	struct section *s = &d->section[random_below(seed, SECTIONS_MAX)];

	switch (random_below(seed, 8)) {
	case 0:
		d->count = (uint32_t)odd_number(seed, d->count);
		break;
	case 1:
		d->size = odd_number(seed, d->size);
		break;
	case 2:
		s->offset = odd_number(seed, s->offset);
		break;
	case 3:
		s->size = odd_number(seed, s->size);
		break;
	case 4:
		s->parts = (uint32_t)odd_number(seed, s->parts);
		break;
	case 5:
		s->version = random_below(seed, 3);
		break;
	case 6:
		memcpy(s->name, d->section[random_below(seed, SECTIONS_MAX)].name, SECTION_NAME_SIZE);
		break;
	default:
		((uint8_t *)s)[random_below(seed, sizeof(*s))] = (uint8_t)random_next(seed);
	}
}

/// Whatever a directory says: it is refused, or its sections are where they can be, and then a worker takes it or says why.
static void any_directory_is_either_sound_or_refused(void **state UNUSED)
{
	struct made made = make_state();
	void *before = copy_of(&made);
	uint64_t seed = 1;
	unsigned taken = 0, refused = 0, begun_anew = 0;

	for (unsigned round = 0; round < 20000; round++) {
		memcpy(made.state, before, made.size);
		for (unsigned i = 1 + random_below(&seed, 3); i > 0; i--)
			spoil(made.directory, &seed);
		if (!directory_fault(made.directory, made.size))
			assert_sound(&made);
		if (adopt(&made) == PG_OK) {
			assert_sound(&made);
			taken++;
			begun_anew += dropped.count > 0;
		} else {
			refused++;
			assert_int_not_equal(error.message[0], '\0');
		}
	}
	assert_true(taken > 100 && refused > 100 && begun_anew > 10); // else the mutations prove nothing
	free(before);
	drop_state(&made);
}

/// The same for a state that is shorter than anybody says.
static void no_directory_is_read_behind_the_end_of_the_state(void **state UNUSED)
{
	struct made made = make_state();

	for (size_t size = 0; size < made.size - ROOM; size += 8) {
		void *part = NULL; // to the byte, so that a sanitizer sees what is beyond

		assert_int_equal(posix_memalign(&part, CACHE_LINE, size + 1), 0);
		memcpy(part, made.state, size);
		assert_int_equal(state_check(part, size, &shape, &error), PG_ERROR_USAGE);
		free(part);
	}
	drop_state(&made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_worker_of_the_same_version_keeps_everything),
		cmocka_unit_test(sections_follow_each_other_in_whole_lines),
		cmocka_unit_test(what_workers_keep_in_another_version_is_begun_anew_and_told),
		cmocka_unit_test(players_of_one_profile_go_on_where_those_of_the_other_are_dropped),
		cmocka_unit_test(a_section_that_this_build_does_not_have_is_dropped_once),
		cmocka_unit_test(what_was_dropped_twice_before_it_was_told_is_told_as_players_had_it),
		cmocka_unit_test(a_section_of_the_supervisor_that_this_build_does_not_have_is_left_alone),
		cmocka_unit_test(a_worker_that_died_while_it_began_a_section_anew_is_followed_by_one_that_does),
		cmocka_unit_test(sections_may_lie_in_another_order),
		cmocka_unit_test(what_the_supervisor_goes_on_writing_in_another_version_is_refused_in_a_sentence),
		cmocka_unit_test(a_section_that_is_missing_or_too_small_is_refused),
		cmocka_unit_test(numbers_that_cannot_be_are_refused),
		cmocka_unit_test(more_issued_sessions_than_slots_are_refused),
		cmocka_unit_test(what_is_no_state_is_refused),
		cmocka_unit_test(any_directory_is_either_sound_or_refused),
		cmocka_unit_test(no_directory_is_read_behind_the_end_of_the_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
