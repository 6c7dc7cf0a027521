// SPDX-License-Identifier: BSD-3-Clause
// delivery/admission.c: see admission.h.

#include "delivery/admission.h"

#include "message/session_check.h"

bool admission_understood(const struct delivery_context *ctx, const struct piece *piece)
{
	if (!session_type_known(piece->type, ctx->gateway))
		return false;
	if (piece->flags & SESSION_MESSAGE_COMPRESSED)
		return session_compressible(piece->type) != PG_COMPRESSIBLE;
	return is_fragment(piece) || session_body_check(piece->type, piece->body, piece->length) == PG_DROP_NONE;
}

uint64_t admission_charge(const struct delivery_context *ctx, uint64_t conforms_at[PG_REQUESTS],
			  const struct piece *piece, uint64_t now)
{
	const enum pg_request request = session_request(piece->type);
	struct rate rate;

	if (request == PG_REQUESTS)
		return now;
	rate = ctx->rules->message_rate[request];
	if (rate.interval == 0)
		return now;
	return rate_charge(&conforms_at[request], rate, piece_cost(piece, rate_burst(rate)), now);
}
