// SPDX-License-Identifier: BSD-3-Clause
// session/wheel.c: see wheel.h.
//
// A tick is emptied when it is over. What is due a whole round later, or more, lies in the same list and stays there.

#include "session/wheel.h"

#include <string.h>

/// In wheel_link.previous: the slot is the first of the list in the other bits. Slots have 20 bits.
#define LIST 0x80000000U

/// In wheel_link.due: the slot is in the list of those that wait for no tick.
#define AT_ONCE 0

static uint64_t tick_of(const struct wheel *wheel, uint64_t time)
{
	return time >> wheel->tick_shift;
}

void wheel_init(struct wheel *wheel, struct wheel_link *links, uint64_t tick_cycles, uint64_t now)
{
	*wheel = (struct wheel){.links = links, .tick_shift = 63U - (uint32_t)__builtin_clzll(tick_cycles | 1)};
	wheel->tick = tick_of(wheel, now);
	memset(wheel->first, 0xff, sizeof(wheel->first)); // WHEEL_NONE
	wheel->last_at_once = WHEEL_NONE;
}

void wheel_link_init(struct wheel *wheel, uint32_t slot)
{
	wheel->links[slot] = (struct wheel_link){.next = WHEEL_NONE, .previous = WHEEL_NONE, .due = UINT64_MAX};
}

/// The list in which a slot that is due then lies; what is overdue lies in the first that will be emptied.
static uint32_t list_of(const struct wheel *wheel, uint64_t due)
{
	const uint64_t tick = tick_of(wheel, due);

	return (tick > wheel->tick ? tick : wheel->tick) % WHEEL_TICKS;
}

static void insert(struct wheel *wheel, uint32_t slot, uint64_t due)
{
	const uint32_t list = list_of(wheel, due), next = wheel->first[list];

	wheel->links[slot] = (struct wheel_link){.next = next, .previous = LIST | list, .due = due};
	if (next != WHEEL_NONE)
		wheel->links[next].previous = slot;
	wheel->first[list] = slot;
	wheel->scheduled++;
}

void wheel_cancel(struct wheel *wheel, uint32_t slot)
{
	const struct wheel_link *link = &wheel->links[slot];

	if (link->due == UINT64_MAX)
		return;
	if (link->previous & LIST)
		wheel->first[link->previous & ~LIST] = link->next;
	else
		wheel->links[link->previous].next = link->next;
	if (link->next != WHEEL_NONE)
		wheel->links[link->next].previous = link->previous;
	else if (slot == wheel->last_at_once)
		wheel->last_at_once = link->previous & LIST ? WHEEL_NONE : link->previous;
	wheel->scheduled--;
	wheel_link_init(wheel, slot);
}

void wheel_schedule(struct wheel *wheel, uint32_t slot, uint64_t due)
{
	if (due >= wheel->links[slot].due)
		return;
	wheel_cancel(wheel, slot);
	insert(wheel, slot, due != AT_ONCE ? due : due + 1);
}

void wheel_hasten(struct wheel *wheel, uint32_t slot)
{
	const uint32_t last = wheel->last_at_once;

	if (wheel->links[slot].due == AT_ONCE)
		return;
	wheel_cancel(wheel, slot);
	wheel->links[slot] = (struct wheel_link){.next = WHEEL_NONE, .previous = last, .due = AT_ONCE};
	if (last != WHEEL_NONE) {
		wheel->links[last].next = slot;
	} else {
		wheel->links[slot].previous = LIST | WHEEL_AT_ONCE;
		wheel->first[WHEEL_AT_ONCE] = slot;
	}
	wheel->last_at_once = slot;
	wheel->scheduled++;
}

/// The next due slot of the tick that is being emptied.
static uint32_t find_due(const struct wheel *wheel)
{
	uint32_t slot = wheel->first[wheel->tick % WHEEL_TICKS];

	while (slot != WHEEL_NONE && tick_of(wheel, wheel->links[slot].due) > wheel->tick)
		slot = wheel->links[slot].next;
	return slot;
}

static uint32_t pop_at_once(struct wheel *wheel)
{
	const uint32_t slot = wheel->first[WHEEL_AT_ONCE];

	if (slot != WHEEL_NONE)
		wheel_cancel(wheel, slot);
	return slot;
}

uint32_t wheel_pop(struct wheel *wheel, uint64_t now)
{
	const uint64_t now_tick = tick_of(wheel, now);

	// One round over all lists finds everything, however long nobody asked.
	if (now_tick > wheel->tick + WHEEL_TICKS)
		wheel->tick = now_tick - WHEEL_TICKS;
	for (; wheel->tick < now_tick; wheel->tick++) {
		const uint32_t slot = wheel->scheduled > 0 ? find_due(wheel) : WHEEL_NONE;

		if (slot != WHEEL_NONE) {
			wheel_cancel(wheel, slot);
			return slot;
		}
	}
	return pop_at_once(wheel);
}

uint64_t wheel_next(const struct wheel *wheel)
{
	uint64_t tick = wheel->tick;

	if (wheel->scheduled == 0)
		return UINT64_MAX;
	if (wheel_hastens(wheel))
		return 0;
	while (wheel->first[tick % WHEEL_TICKS] == WHEEL_NONE)
		tick++;
	return (tick + 1) << wheel->tick_shift;
}
