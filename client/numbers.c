// SPDX-License-Identifier: BSD-3-Clause
// numbers.c: the numbers under which a connection travels: the one issued, and on each further network another, so that
// nobody who sees both networks knows by the headers that the player is the same.

#include "client.h"

#include <string.h>

#define BEFORE_NS (3 * NS_PER_S) // so long the number before is taken, once the gateway has left it

void numbers_begin(struct numbers *numbers, uint32_t issued, const struct session_welcome *welcome)
{
	*numbers = (struct numbers){
		.used = {.session = issued},
		.spare = {welcome->spare, welcome->spare_offset[0], welcome->spare_offset[1]},
		.before_until = PGC_NEVER,
	};
}

void numbers_give(struct numbers *numbers, const uint8_t *body)
{
	struct session_number given;

	memcpy(&given, body, sizeof(given));
	if (given.spare == numbers->used.session) // late: it was used meanwhile
		return;
	numbers->spare = (struct number){given.spare, given.offset[0], given.offset[1]};
}

void numbers_move(struct numbers *numbers)
{
	if (numbers->spare.session == 0)
		return;
	numbers->before = numbers->used;
	numbers->before_until = PGC_NEVER;
	numbers->used = numbers->spare;
	numbers->spare = (struct number){0};
}

const struct number *numbers_find(const struct numbers *numbers, uint32_t session, uint64_t now)
{
	if (session == numbers->used.session)
		return &numbers->used;
	if (session != 0 && session == numbers->before.session && now < numbers->before_until)
		return &numbers->before;
	return NULL;
}

void numbers_heard(struct numbers *numbers, const struct number *under, uint64_t now)
{
	if (under == &numbers->used && numbers->before_until == PGC_NEVER)
		numbers->before_until = now + BEFORE_NS;
}
