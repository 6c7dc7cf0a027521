// SPDX-License-Identifier: BSD-3-Clause
// unit.h: cmocka with the headers that it wants before it, and what every test file needs.

#ifndef POLLGATE_TESTS_UNIT_H
#define POLLGATE_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#ifndef assert_uint_in_range // cmocka 1 has it under a name that cmocka 2 deprecates
#define assert_uint_in_range assert_in_range
#endif

#define UNUSED __attribute__((unused))
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
