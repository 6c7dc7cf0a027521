// SPDX-License-Identifier: BSD-3-Clause
// game/groups.c: see groups.h.

#include "game/groups.h"

#include <string.h>

#define BUCKETS GROUPS_MAX

static size_t rounded(size_t bytes)
{
	return (bytes + 63) & ~(size_t)63;
}

static uint32_t members_max(uint32_t slots)
{
	return slots * GROUPS_PER_PLAYER;
}

size_t groups_size(uint32_t slots)
{
	return rounded(BUCKETS * sizeof(uint32_t)) + rounded(GROUPS_MAX * sizeof(struct player_group)) +
	       rounded(members_max(slots) * sizeof(struct group_member)) + rounded(slots * sizeof(uint32_t));
}

void groups_init(struct groups *groups, void *memory, uint32_t slots, const uint64_t secret[2])
{
	uint8_t *at = memory;

	*groups = (struct groups){.factor = secret[0] | 1,
				  .summand = secret[1],
				  .slots = slots,
				  .members_max = members_max(slots),
				  .groups_free = GROUP_NONE,
				  .members_free = GROUP_NONE,
				  .walk = GROUP_NONE};
	groups->bucket = (uint32_t *)at;
	at += rounded(BUCKETS * sizeof(uint32_t));
	groups->group = (struct player_group *)at;
	at += rounded(GROUPS_MAX * sizeof(struct player_group));
	groups->member = (struct group_member *)at;
	at += rounded(members_max(slots) * sizeof(struct group_member));
	groups->of_player = (uint32_t *)at;
}

// ---------------------------------------------------------------- groups

static uint32_t *bucket_of(const struct groups *groups, uint32_t id)
{
	// Universal (Dietzfelbinger 1996): buckets hold one group on the average, whatever the ids.
	return &groups->bucket[(groups->factor * id + groups->summand) >> 50];
}
_Static_assert(BUCKETS == 1U << (64 - 50), "as many as the hash has values");

static uint32_t find(const struct groups *groups, uint32_t id)
{
	uint32_t index = *bucket_of(groups, id);

	while (index != 0 && groups->group[index - 1].id != id)
		index = groups->group[index - 1].next;
	return index - 1;
}

static uint32_t make(struct groups *groups, uint32_t id)
{
	uint32_t *bucket = bucket_of(groups, id);
	uint32_t index = groups->groups_free;

	if (index != GROUP_NONE)
		groups->groups_free = groups->group[index].next;
	else if (groups->groups_used < GROUPS_MAX)
		index = groups->groups_used++;
	else
		return GROUP_NONE;
	groups->group[index] = (struct player_group){.id = id, .first = GROUP_NONE, .next = *bucket};
	*bucket = index + 1;
	return index;
}

static void unmake(struct groups *groups, uint32_t index)
{
	uint32_t *at = bucket_of(groups, groups->group[index].id);

	while (*at != index + 1)
		at = &groups->group[*at - 1].next;
	*at = groups->group[index].next;
	groups->group[index].next = groups->groups_free;
	groups->groups_free = index;
}

// ---------------------------------------------------------------- members

static bool is_in_too_many(const struct groups *groups, uint32_t slot)
{
	unsigned n = 0;

	for (uint32_t member = groups->of_player[slot]; member != 0; n++)
		member = groups->member[member - 1].next_of_player;
	return n >= GROUPS_OF_PLAYER;
}

static uint32_t find_member(const struct groups *groups, uint32_t group, uint32_t slot)
{
	uint32_t member = groups->of_player[slot];

	while (member != 0 && groups->member[member - 1].group != group)
		member = groups->member[member - 1].next_of_player;
	return member - 1;
}

static uint32_t take_member(struct groups *groups)
{
	const uint32_t member = groups->members_free;

	if (member != GROUP_NONE) {
		groups->members_free = groups->member[member].next;
		return member;
	}
	return groups->members_used < groups->members_max ? groups->members_used++ : GROUP_NONE;
}

bool groups_join(struct groups *groups, uint32_t id, uint32_t slot)
{
	uint32_t index = find(groups, id), member;
	struct player_group *group;

	if (slot >= groups->slots)
		return false;
	if (index == GROUP_NONE)
		index = make(groups, id);
	if (index == GROUP_NONE)
		return false;
	if (find_member(groups, index, slot) != GROUP_NONE)
		return true;
	group = &groups->group[index];
	member = is_in_too_many(groups, slot) ? GROUP_NONE : take_member(groups);
	if (member == GROUP_NONE) {
		if (group->members == 0)
			unmake(groups, index);
		return false;
	}
	groups->member[member] = (struct group_member){.slot = slot,
						       .group = index,
						       .next = group->first,
						       .previous = GROUP_NONE,
						       .next_of_player = groups->of_player[slot]};
	if (group->first != GROUP_NONE)
		groups->member[group->first].previous = member;
	group->first = member;
	group->members++;
	groups->of_player[slot] = member + 1;
	return true;
}

static void unlink_from_player(struct groups *groups, uint32_t member)
{
	uint32_t *at = &groups->of_player[groups->member[member].slot];

	while (*at != member + 1)
		at = &groups->member[*at - 1].next_of_player;
	*at = groups->member[member].next_of_player;
}

/// Out of the group, which ends with its last.
static void unlink_from_group(struct groups *groups, uint32_t member)
{
	const struct group_member *gone = &groups->member[member];
	struct player_group *group = &groups->group[gone->group];

	if (groups->walk == member)
		groups->walk = gone->next;
	if (gone->previous != GROUP_NONE)
		groups->member[gone->previous].next = gone->next;
	else
		group->first = gone->next;
	if (gone->next != GROUP_NONE)
		groups->member[gone->next].previous = gone->previous;
	if (--group->members == 0)
		unmake(groups, gone->group);
}

static void give_member(struct groups *groups, uint32_t member)
{
	groups->member[member].next = groups->members_free;
	groups->members_free = member;
}

bool groups_leave(struct groups *groups, uint32_t id, uint32_t slot)
{
	const uint32_t index = find(groups, id);
	uint32_t member;

	if (index == GROUP_NONE || slot >= groups->slots)
		return false;
	member = find_member(groups, index, slot);
	if (member == GROUP_NONE)
		return false;
	unlink_from_player(groups, member);
	unlink_from_group(groups, member);
	give_member(groups, member);
	return true;
}

void groups_forget(struct groups *groups, uint32_t slot)
{
	uint32_t member;

	if (slot >= groups->slots)
		return;
	while ((member = groups->of_player[slot]) != 0) {
		groups->of_player[slot] = groups->member[member - 1].next_of_player;
		unlink_from_group(groups, member - 1);
		give_member(groups, member - 1);
	}
}

bool groups_has(const struct groups *groups, uint32_t id)
{
	return find(groups, id) != GROUP_NONE;
}

bool groups_end(struct groups *groups, uint32_t id, uint32_t members)
{
	const uint32_t index = find(groups, id);
	uint32_t left;

	if (index == GROUP_NONE)
		return true;
	left = groups->group[index].members;
	for (; left > 0 && members > 0; left--, members--) {
		const uint32_t member = groups->group[index].first;

		unlink_from_player(groups, member);
		unlink_from_group(groups, member);
		give_member(groups, member);
	}
	return left == 0;
}

void groups_walk(struct groups *groups, uint32_t id)
{
	const uint32_t index = find(groups, id);

	groups->walk = index == GROUP_NONE ? GROUP_NONE : groups->group[index].first;
}

bool groups_walk_next(struct groups *groups, uint32_t *slot)
{
	const struct group_member *member = &groups->member[groups->walk];

	if (groups->walk == GROUP_NONE)
		return false;
	*slot = member->slot;
	groups->walk = member->next;
	return true;
}

void groups_clear(struct groups *groups)
{
	memset(groups->bucket, 0, BUCKETS * sizeof(uint32_t));
	if (groups->members_used != 0)
		memset(groups->of_player, 0, groups->slots * sizeof(uint32_t));
	groups->groups_used = groups->members_used = 0;
	groups->groups_free = groups->members_free = groups->walk = GROUP_NONE;
}
