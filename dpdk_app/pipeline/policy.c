// SPDX-License-Identifier: BSD-3-Clause
// pipeline/policy.c: a policy as configured, in the units of the fast path.

#include "pipeline/pipeline.h"
#include "session/limits.h"

#define NS_PER_S 1000000000ULL
#define US_PER_S 1000000ULL

static uint64_t cycles_of_us(uint64_t us, uint64_t tsc_hz)
{
	return (uint64_t)((unsigned __int128)us * tsc_hz / US_PER_S);
}

static struct delivery_rules delivery_rules(const struct pg_delivery_policy *from, uint64_t tsc_hz)
{
	struct delivery_rules rules = {
		.millisecond = tsc_hz / 1000,
		.flush_after = cycles_of_us(from->flush_us, tsc_hz),
		.acknowledge_after = cycles_of_us(from->acknowledge_us, tsc_hz),
		.resend_after_min = cycles_of_us(from->resend_min_us, tsc_hz),
		.ack_delay_unit = tsc_hz / SESSION_ACK_DELAY_HZ,
#define DELIVERY RULE_COPY
#include "settings.def"
	};

	for (unsigned i = 0; i < PG_COMPRESSIBLE; i++)
		rules.compress_min[i] = from->compress_min[i];
	for (unsigned i = 0; i < PG_REQUESTS; i++)
		rules.message_rate[i] = rate_make(from->message_pps[i], from->message_burst[i], tsc_hz);
	return rules;
}

static uint64_t cycles_of_ns(uint64_t ns, uint64_t tsc_hz)
{
	return (uint64_t)((unsigned __int128)ns * tsc_hz / NS_PER_S);
}

static struct session_rules session_rules(const struct pg_policy *from, uint64_t tsc_hz)
{
	struct session_rules rules = {
#define SESSIONS RULE_COPY
#include "settings.def"
		.idle_timeout = cycles_of_ns(from->idle_timeout_ns, tsc_hz),
		.phases = {PHASE_DATAGRAMS, PHASE_SECONDS},
		.handshake = handshake_budget_make(from->delivery.handshake_permille, tsc_hz),
		.delivery = delivery_rules(&from->delivery, tsc_hz),
	};

	rules.message_limits =
		limits_of_messages(from->delivery.message_pps, from->delivery.message_burst, rules.message_limit);
	for (unsigned i = 0; i < PG_LISTENERS_MAX; i++) {
		const struct pg_listener_policy *listener = &from->listener[i];

		rules.connection[i] = rate_make(listener->connections_pps, listener->connections_burst, tsc_hz);
		rules.session[i] = rate_make(listener->session_pps, listener->session_burst, tsc_hz);
		if (listener->session_pps != 0)
			rules.datagram_limit[i] = session_limit_make(0, listener->session_pps, listener->session_burst);
	}
	rules.limits_digest = limits_digest(&rules);
	return rules;
}

void policy_init(struct policy *policy, const struct pg_policy *from, uint64_t generation, uint64_t tsc_hz)
{
	*policy = (struct policy){
		.generation = generation,
#define HOST RULE_COPY
#include "settings.def"
		.host = rate_make(from->host_reply_pps, from->host_reply_burst, tsc_hz),
		.sessions = session_rules(from, tsc_hz),
	};
	for (unsigned i = 0; i < PG_LISTENERS_MAX; i++) {
		policy->source[i] = rate_make(from->listener[i].source_pps, from->listener[i].source_burst, tsc_hz);
		policy->source_limited |= policy->source[i].interval != 0;
	}
	game_routes_init(&policy->game, &from->game, tsc_hz);
}
