// SPDX-License-Identifier: BSD-3-Clause
// test_memif.c: port/memif.h: a peer that is there, is not, or is back.

#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "port/memif.h"

#define SECOND_NS 1000000000ULL

static char path[64], arguments[160], about[PG_ABOUT_MAX];

/// @param at  a path, or with a leading 0 a name
static int listen_at(const char *at, size_t length)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, at, length);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)),
			 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static struct memif begun(const char *role, const char *abstract)
{
	struct memif memif;

	snprintf(arguments, sizeof(arguments), "role=%s,socket-abstract=%s,socket=%s", role, abstract, path);
	memif_begin(&memif, "net_memif", arguments);
	return memif;
}

static int set_up(void **state UNUSED)
{
	snprintf(path, sizeof(path), "/tmp/pollgate-memif-%d.sock", (int)getpid());
	unlink(path);
	return 0;
}

static int clear(void **state UNUSED)
{
	unlink(path);
	return 0;
}

static void one_that_listens_is_alone_until_somebody_connects(void **state UNUSED)
{
	struct memif memif = begun("server", "no");

	assert_int_equal(memif_state(&memif, false, 1, about), PG_DEVICE_ALONE);
	assert_string_equal(about, path);
	assert_int_equal(memif_state(&memif, true, 2, about), PG_DEVICE_WELL);
	assert_int_equal(memif_state(&memif, false, 100 * SECOND_NS, about), PG_DEVICE_ALONE);
}

static void one_that_connects_has_time_for_it(void **state UNUSED)
{
	struct memif memif = begun("client", "no");

	assert_int_equal(memif_state(&memif, false, 1, about), PG_DEVICE_WELL);
	assert_int_equal(memif_state(&memif, false, 1 + SECOND_NS, about), PG_DEVICE_PEERLESS);
}

static void a_peer_that_goes_is_missed_at_once_and_found_when_it_is_back(void **state UNUSED)
{
	struct memif memif;
	int fd = listen_at(path, strlen(path));

	memif = begun("client", "no");
	assert_int_equal(memif_state(&memif, true, SECOND_NS, about), PG_DEVICE_WELL);
	close(fd); // and leaves its file behind
	assert_int_equal(memif_state(&memif, false, 2 * SECOND_NS, about), PG_DEVICE_PEERLESS);
	assert_int_equal(memif_state(&memif, false, 4 * SECOND_NS, about), PG_DEVICE_PEERLESS);
	unlink(path);
	fd = listen_at(path, strlen(path));
	assert_int_equal(memif_state(&memif, false, 6 * SECOND_NS, about), PG_DEVICE_PEER_BACK);
	close(fd);
}

static void a_listener_that_let_go_of_us_and_still_listens_is_found(void **state UNUSED)
{
	const int fd = listen_at(path, strlen(path));
	struct memif memif = begun("client", "no");

	assert_int_equal(memif_state(&memif, true, SECOND_NS, about), PG_DEVICE_WELL);
	assert_int_equal(memif_state(&memif, false, 2 * SECOND_NS, about), PG_DEVICE_PEERLESS);
	assert_int_equal(memif_state(&memif, false, 4 * SECOND_NS, about), PG_DEVICE_PEER_BACK);
	close(fd);
}

static void a_listener_with_a_name_and_no_file_is_found(void **state UNUSED)
{
	struct memif memif = begun("client", "yes");
	char name[sizeof(path) + 1] = "";
	int fd;

	snprintf(name + 1, sizeof(name) - 1, "%s", path); // a name begins with a zero
	assert_int_equal(memif_state(&memif, false, 1, about), PG_DEVICE_WELL);
	assert_int_equal(memif_state(&memif, false, 2 * SECOND_NS, about), PG_DEVICE_PEERLESS);
	fd = listen_at(name, 1 + strlen(path));
	assert_int_equal(memif_state(&memif, false, 4 * SECOND_NS, about), PG_DEVICE_PEER_BACK);
	close(fd);
}

static void another_driver_has_no_peer(void **state UNUSED)
{
	struct memif memif;

	memif_begin(&memif, "net_null", NULL);
	assert_int_equal(memif_state(&memif, false, SECOND_NS, about), PG_DEVICE_WELL);
}

static void without_arguments_the_driver_connects_to_a_name_of_its_own(void **state UNUSED)
{
	struct memif memif;

	memif_begin(&memif, "net_memif", NULL);
	assert_int_equal(memif.role, MEMIF_CONNECTS);
	assert_true(memif.abstract);
	assert_string_equal(memif.path, "/run/memif.sock");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_listens_is_alone_until_somebody_connects),
		cmocka_unit_test(one_that_connects_has_time_for_it),
		cmocka_unit_test(a_peer_that_goes_is_missed_at_once_and_found_when_it_is_back),
		cmocka_unit_test_setup_teardown(a_listener_that_let_go_of_us_and_still_listens_is_found, set_up, clear),
		cmocka_unit_test(a_listener_with_a_name_and_no_file_is_found),
		cmocka_unit_test(another_driver_has_no_peer),
		cmocka_unit_test(without_arguments_the_driver_connects_to_a_name_of_its_own),
	};

	return cmocka_run_group_tests_name("memif", tests, set_up, clear);
}
