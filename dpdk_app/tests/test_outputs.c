// SPDX-License-Identifier: BSD-3-Clause
// test_outputs.c: port/outputs.h and port/arguments.h: a file that has what it was given is told from one that has not.

#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "port/arguments.h"
#include "port/outputs.h"

#define PACKET 60
#define HEADER 24
#define RECORD 16

struct capture {
	char directory[32];
	char path[64];
	char arguments[128];
	struct outputs outputs;
	char about[PG_ABOUT_MAX];
	uint64_t packets; // that the driver says it sent
};

static void grow(const struct capture *c, size_t bytes)
{
	const int fd = open(c->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	struct stat file;

	assert_int_equal(fstat(fd, &file), 0);
	assert_int_equal(ftruncate(fd, file.st_size + (off_t)bytes), 0);
	close(fd);
}

static int set_up(void **state)
{
	static struct capture c;

	c = (struct capture){.directory = "/tmp/pollgate-outputs-XXXXXX"};
	assert_non_null(mkdtemp(c.directory));
	snprintf(c.path, sizeof(c.path), "%s/out.pcap", c.directory);
	snprintf(c.arguments, sizeof(c.arguments), "rx_iface_in=eth0,tx_pcap=%s", c.path);
	grow(&c, HEADER);
	outputs_begin(&c.outputs, c.arguments);
	*state = &c;
	return 0;
}

static int clear(void **state)
{
	const struct capture *c = *state;

	unlink(c->path);
	return rmdir(c->directory);
}

/// The driver says that a packet more was sent, and so much of it is in the file.
static enum pg_device_state after_a_packet(struct capture *c, size_t written)
{
	grow(c, written);
	c->packets++;
	return outputs_look(&c->outputs, c->packets, c->packets * PACKET, c->about);
}

static void a_file_that_has_every_packet_is_well(void **state)
{
	struct capture *c = *state;

	assert_int_equal(outputs_look(&c->outputs, 0, 0, c->about), PG_DEVICE_WELL);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(after_a_packet(c, RECORD + PACKET), PG_DEVICE_WELL);
}

static void a_file_with_less_than_it_was_given_is_full_and_stays_so(void **state)
{
	struct capture *c = *state;

	assert_int_equal(outputs_look(&c->outputs, 0, 0, c->about), PG_DEVICE_WELL);
	assert_int_equal(after_a_packet(c, RECORD + PACKET - 1), PG_DEVICE_FULL);
	assert_string_equal(c->about, c->path);
	// Whatever is behind a packet that was cut short cannot be read.
	assert_int_equal(after_a_packet(c, 2 * (RECORD + PACKET)), PG_DEVICE_FULL);
}

static void what_was_sent_before_the_file_was_opened_is_not_looked_for_in_it(void **state)
{
	struct capture *c = *state;

	c->packets = 1000;
	assert_int_equal(outputs_look(&c->outputs, 1000, 1000 * PACKET, c->about), PG_DEVICE_WELL);
	assert_int_equal(after_a_packet(c, RECORD + PACKET), PG_DEVICE_WELL);
	assert_int_equal(after_a_packet(c, 0), PG_DEVICE_FULL);
}

static void a_file_that_was_moved_or_made_anew_is_away(void **state)
{
	struct capture *c = *state;
	char elsewhere[80];

	assert_int_equal(after_a_packet(c, RECORD + PACKET), PG_DEVICE_WELL);
	snprintf(elsewhere, sizeof(elsewhere), "%s.1", c->path);
	assert_int_equal(rename(c->path, elsewhere), 0);
	assert_int_equal(outputs_look(&c->outputs, c->packets, c->packets * PACKET, c->about), PG_DEVICE_FILE_AWAY);
	grow(c, HEADER);
	assert_int_equal(outputs_look(&c->outputs, c->packets, c->packets * PACKET, c->about), PG_DEVICE_FILE_AWAY);
	unlink(elsewhere);
}

static void a_device_without_such_files_is_well(void **state UNUSED)
{
	struct outputs outputs;
	char about[PG_ABOUT_MAX];

	outputs_begin(&outputs, "rx_pcap=in.pcap,tx_iface=eth0");
	assert_int_equal(outputs_look(&outputs, 1000, 1000, about), PG_DEVICE_WELL);
	outputs_begin(&outputs, "tx_pcap=/dev/null"); // takes everything
	assert_int_equal(outputs_look(&outputs, 1000, 1000, about), PG_DEVICE_WELL);
	outputs_begin(&outputs, NULL);
	assert_int_equal(outputs_look(&outputs, 1000, 1000, about), PG_DEVICE_WELL);
}

static void arguments_are_found_by_their_whole_name_one_after_the_other(void **state UNUSED)
{
	char value[8];
	const char *at = argument_next("rx_iface=a,iface=b,x,iface=cdefghijk", "iface", value, sizeof(value));

	assert_non_null(at);
	assert_string_equal(value, "b");
	at = argument_next(at, "iface", value, sizeof(value));
	assert_non_null(at);
	assert_string_equal(value, "cdefghi"); // cut to the room
	assert_null(argument_next(at, "iface", value, sizeof(value)));
	assert_null(argument_next(NULL, "iface", value, sizeof(value)));
	assert_null(argument_next("", "iface", value, sizeof(value)));
	assert_null(argument_next("iface", "iface", value, sizeof(value)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_file_that_has_every_packet_is_well, set_up, clear),
		cmocka_unit_test_setup_teardown(a_file_with_less_than_it_was_given_is_full_and_stays_so, set_up, clear),
		cmocka_unit_test_setup_teardown(what_was_sent_before_the_file_was_opened_is_not_looked_for_in_it,
						set_up, clear),
		cmocka_unit_test_setup_teardown(a_file_that_was_moved_or_made_anew_is_away, set_up, clear),
		cmocka_unit_test(a_device_without_such_files_is_well),
		cmocka_unit_test(arguments_are_found_by_their_whole_name_one_after_the_other),
	};

	return cmocka_run_group_tests_name("outputs", tests, NULL, NULL);
}
