// SPDX-License-Identifier: BSD-3-Clause
// told.c: see told.h.

#include "told.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"

void told_open(struct told_book *book, const struct session_store *store)
{
	*book = (struct told_book){.store = store};
	for (unsigned who = 0; who < TOLD_WHO; who++) {
		book->of[who].has = calloc(TOLD_SPAN, 1);
		assert_non_null(book->of[who].has);
	}
}

void told_close(struct told_book *book)
{
	for (unsigned who = 0; who < TOLD_WHO; who++)
		free(book->of[who].has);
}

void told_from(struct told_book *book, uint32_t who, uint64_t base)
{
	struct told_of *of = &book->of[who];

	of->base = base;
	of->count = of->order = 0;
	memset(of->has, 0, TOLD_SPAN);
}

static void begun(void *context, uint32_t who)
{
	struct told_book *book = context;

	assert_true(who < TOLD_WHO);
	book->of[who].over = false;
	told_from(book, who, 0);
}

static void ended(void *context, uint32_t who)
{
	struct told_book *book = context;

	assert_true(who < TOLD_WHO);
	assert_false(book->of[who].over);
	book->of[who].over = true;
}

static void write_down(void *context, uint32_t who, struct arrived arrived, uint64_t now UNUSED)
{
	struct told_book *book = context;

	assert_true(who < TOLD_WHO && arrived.packets != 0);
	if (book->store)
		assert_true(arrived.newest <= book->store->records[who].tx_counter);

	struct told_of *of = &book->of[who];

	assert_false(of->over);
	of->order = (of->order ^ arrived.newest ^ arrived.packets << 20) * 0x9e3779b97f4a7c15;
	for (uint64_t rest = arrived.packets; rest != 0; rest &= rest - 1) {
		const uint64_t counter = arrived.newest - (uint64_t)__builtin_ctzll(rest);

		assert_true(counter >= 1 && counter - of->base < TOLD_SPAN);
		assert_false(of->has[counter - of->base]); // once each
		of->has[counter - of->base] = 1;
		of->count++;
	}
}

struct acknowledged_listener told_listener(struct told_book *book)
{
	return (struct acknowledged_listener){.told = write_down, .context = book, .begun = begun, .ended = ended};
}

bool told_has(const struct told_book *book, uint32_t who, uint64_t counter)
{
	const struct told_of *of = &book->of[who];

	return counter - of->base < TOLD_SPAN && of->has[counter - of->base];
}

bool told_alike(const struct told_book *a, const struct told_book *b)
{
	for (unsigned who = 0; who < TOLD_WHO; who++)
		if (a->of[who].count != b->of[who].count || a->of[who].order != b->of[who].order)
			return false;
	return true;
}
