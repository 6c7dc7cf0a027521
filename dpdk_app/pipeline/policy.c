// SPDX-License-Identifier: BSD-3-Clause
// pipeline/policy.c: a policy as configured, in the units of the fast path.

#include "pipeline/pipeline.h"

#define NS_PER_S 1000000000ULL
#define US_PER_S 1000000ULL

/// A setting that is obeyed in the unit in which it is configured.
#define AS_CONFIGURED(field, ...) .field = from->field,

static uint64_t cycles_of_us(uint64_t us, uint64_t tsc_hz)
{
	return (uint64_t)((unsigned __int128)us * tsc_hz / US_PER_S);
}

static struct delivery_rules delivery_rules(const struct pg_delivery_policy *from, uint64_t tsc_hz)
{
	struct delivery_rules rules = {
		.flush_after = cycles_of_us(from->flush_us, tsc_hz),
		.acknowledge_after = cycles_of_us(from->acknowledge_us, tsc_hz),
		.resend_after_min = cycles_of_us(from->resend_min_us, tsc_hz),
		.tsc_hz = tsc_hz,
#define DELIVERY AS_CONFIGURED
#include "settings.def"
	};

	for (unsigned i = 0; i < PG_COMPRESSIBLE; i++)
		rules.compress_min[i] = from->compress_min[i];
	for (unsigned i = 0; i < PG_REQUESTS; i++)
		rules.message_rate[i] = rate_make(from->message_pps[i], from->message_burst[i], tsc_hz);
	return rules;
}

static struct session_rules session_rules(const struct pg_policy *from, uint64_t idle_timeout, uint64_t tsc_hz)
{
	struct session_rules rules = {
#define SESSIONS AS_CONFIGURED
#include "settings.def"
		.idle_timeout = idle_timeout,
		.handshake = handshake_budget_make(from->delivery.handshake_permille, tsc_hz),
		.delivery = delivery_rules(&from->delivery, tsc_hz),
	};

	for (unsigned i = 0; i < PG_LISTENERS_MAX; i++) {
		const struct pg_listener_policy *listener = &from->listener[i];

		rules.connection[i] = rate_make(listener->connections_pps, listener->connections_burst, tsc_hz);
		rules.session[i] = rate_make(listener->session_pps, listener->session_burst, tsc_hz);
	}
	return rules;
}

void policy_init(struct policy *policy, const struct pg_policy *from, uint64_t generation, uint64_t tsc_hz)
{
	const uint64_t idle_timeout = (uint64_t)((unsigned __int128)from->idle_timeout_ns * tsc_hz / NS_PER_S);

	*policy = (struct policy){
		.generation = generation,
		.idle_timeout = idle_timeout,
#define HOST AS_CONFIGURED
#include "settings.def"
		.host = rate_make(from->host_reply_pps, from->host_reply_burst, tsc_hz),
		.sessions = session_rules(from, idle_timeout, tsc_hz),
	};
	for (unsigned i = 0; i < PG_LISTENERS_MAX; i++) {
		policy->source[i] = rate_make(from->listener[i].source_pps, from->listener[i].source_burst, tsc_hz);
		policy->source_limited |= policy->source[i].interval != 0;
	}
}
