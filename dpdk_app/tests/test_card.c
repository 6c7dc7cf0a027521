// SPDX-License-Identifier: BSD-3-Clause
// tests/test_card.c: a card that leaves its slot or its driver, in a directory that looks like the kernel's.

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "port/card.h"
#include "unit.h"

#define DEVICE "device"
#define LINK DEVICE "/driver"
#define DRIVER "uio_pci_generic"
#define OTHER_DRIVER "e1000e"

static char root[] = "/tmp/pollgate-test-card-XXXXXX";

static void plug(void)
{
	assert_int_equal(mkdir(DEVICE, 0700), 0);
	assert_int_equal(symlink("../" DRIVER, LINK), 0);
}

static void unplug(void)
{
	assert_int_equal(unlink(LINK), 0);
	assert_int_equal(rmdir(DEVICE), 0);
}

static int enter(void **state)
{
	(void)state;
	snprintf(root, sizeof(root), "/tmp/pollgate-test-card-XXXXXX");
	if (!mkdtemp(root) || chdir(root) != 0)
		return -1;
	mkdir(DRIVER, 0700);
	mkdir(OTHER_DRIVER, 0700);
	plug();
	return 0;
}

static int leave(void **state)
{
	(void)state;
	unlink(LINK);
	rmdir(DEVICE);
	rmdir("aside");
	rmdir(DRIVER);
	rmdir(OTHER_DRIVER);
	return chdir("/") || rmdir(root);
}

static void a_card_that_is_where_it_was_stands(void **state)
{
	struct card card;

	(void)state;
	card_begin(&card, DEVICE);
	assert_true(card_stands(&card));
}

static void a_card_that_was_taken_out_does_not_stand(void **state)
{
	struct card card;

	(void)state;
	card_begin(&card, DEVICE);
	unplug();
	assert_false(card_stands(&card));
}

static void a_card_that_was_put_back_is_another_one(void **state)
{
	struct card card;

	(void)state;
	card_begin(&card, DEVICE);
	// The old one stays, aside, so that the new one has another inode.
	assert_int_equal(unlink(LINK), 0);
	assert_int_equal(rename(DEVICE, "aside"), 0);
	plug();
	assert_false(card_stands(&card));
}

static void a_card_that_lost_its_driver_does_not_stand(void **state)
{
	struct card card;

	(void)state;
	card_begin(&card, DEVICE);
	assert_int_equal(unlink(LINK), 0);
	assert_false(card_stands(&card));
	assert_int_equal(symlink("../" OTHER_DRIVER, LINK), 0);
	assert_false(card_stands(&card));
}

static void a_host_that_shows_no_cards_is_not_asked(void **state)
{
	struct card card;

	(void)state;
	card_begin(&card, "elsewhere");
	assert_true(card_stands(&card));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_card_that_is_where_it_was_stands, enter, leave),
		cmocka_unit_test_setup_teardown(a_card_that_was_taken_out_does_not_stand, enter, leave),
		cmocka_unit_test_setup_teardown(a_card_that_was_put_back_is_another_one, enter, leave),
		cmocka_unit_test_setup_teardown(a_card_that_lost_its_driver_does_not_stand, enter, leave),
		cmocka_unit_test_setup_teardown(a_host_that_shows_no_cards_is_not_asked, enter, leave),
	};

	return cmocka_run_group_tests_name("card", tests, NULL, NULL);
}
