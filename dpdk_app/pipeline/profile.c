// SPDX-License-Identifier: BSD-3-Clause
// pipeline/profile.c: see profile.h.

#include "pipeline/profile.h"

#include <string.h>

const struct profile plain_profile = {.take = NULL};

const struct profile session_profile = {
	.expect = identity_expect_sealed,
	.issued = true,
	.unfragmented = true,
};

static const struct profile *const profiles[PG_PROFILES] = {
#define PROFILE(NAME, name, loops) [PG_PROFILE_##NAME] = &name##_profile,
#include "wire/profiles.def"
};

/// Who takes its datagrams through a burst, as wire/profiles.def names it.
static const char *const loops_of[PG_PROFILES] = {
#define PROFILE(NAME, name, loops) [PG_PROFILE_##NAME] = #loops,
#include "wire/profiles.def"
};
static_assert(PG_PROFILES <= 32, "sets of profiles are 32 bits");

const struct profile *profile_of(unsigned number)
{
	return profiles[number];
}

void ingress_speak(struct ingress *ingress, const struct pg_plan *plan)
{
	memcpy(ingress->profile, plan->listener_profile, sizeof(ingress->profile));
	ingress->has_worlds = false;
	for (uint32_t i = 0; i < plan->listener_count; i++)
		if (plan->listener_profile[i] == PG_PROFILE_PLAIN && plan->listener_world[i] != 0)
			ingress->has_worlds = true;
}

void identity_expect(struct identity *identity, const struct pg_plan *plan)
{
	const struct profile *first = profile_of(plan->listener_profile[0]);

	if (first->expect)
		first->expect(identity);
}

uint32_t profiles_spoken(const struct pg_plan *plan)
{
	uint32_t spoken = 0;

	for (uint32_t i = 0; i < plan->listener_count; i++)
		spoken |= 1U << plan->listener_profile[i];
	return spoken;
}

/// Is there somebody who handles its datagrams?
static bool is_served(unsigned number)
{
	return profile_of(number)->take || strcmp(loops_of[number], "gathered") != 0;
}

static bool issues_sessions(const struct pg_plan *plan)
{
	for (uint32_t i = 0; i < plan->listener_count; i++)
		if (plan->listener_profile[i] == PG_PROFILE_SESSION)
			return true;
	return false;
}

const char *profile_misfit(const struct pg_plan *plan, uint32_t listener)
{
	const unsigned number = plan->listener_profile[listener];

	if (number >= PG_PROFILES)
		return "its profile is none of this build";
	if (!is_served(number))
		return "nobody handles the datagrams of its profile";
	// It would have nowhere to look for them.
	if (profile_of(number)->issued && plan->issued_capacity == 0)
		return "its sessions are issued, and the plan has room for none";
	if (number == PG_PROFILE_PLAIN && plan->listener_world[listener] != 0 && !issues_sessions(plan))
		return "its players are in a world, and no listener speaks the session profile, of which worlds are a part";
	if (profile_of(number)->netcode && plan->netcode.capacity == 0)
		return "it speaks netcode, and the plan has no private key and room for no client";
	return NULL;
}

bool profiles_fit(const struct pg_plan *plan)
{
	for (uint32_t i = 0; i < plan->listener_count; i++)
		if (profile_misfit(plan, i))
			return false;
	return true;
}
