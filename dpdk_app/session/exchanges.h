// SPDX-License-Identifier: BSD-3-Clause
// session/exchanges.h: a worker's X25519 secret: one for all handshakes within a second, then forgotten.
//
// Shares are public, and are kept for as long as a CONFIRM may be repeated: the same one is in each of its WELCOMEs.

#ifndef POLLGATE_SESSION_EXCHANGES_H
#define POLLGATE_SESSION_EXCHANGES_H

#include "crypto/exchange.h"
#include "crypto/secrets.h"

/// Secrets are drawn at most once a second, and a cookie is good for four.
#define EXCHANGES_KEPT 8

struct exchanges {
	struct exchange_key key; // the present one; all zero when there is none
	uint64_t until;          // TSC; 0: there is none
	uint8_t present;
	uint8_t share[EXCHANGES_KEPT][EXCHANGE_LEN];
};

/// The present secret, drawn when there is none.
static inline const struct exchange_key *exchanges_present(struct exchanges *exchanges, struct random_source *random,
							   uint64_t now, uint64_t tsc_hz)
{
	uint8_t secret[EXCHANGE_LEN];

	if (exchanges->until != 0 && now < exchanges->until)
		return &exchanges->key;
	random_draw(random, secret, sizeof(secret));
	exchange_begin(&exchanges->key, secret);
	secrets_forget(secret, sizeof(secret));
	exchanges->until = now + tsc_hz;
	exchanges->present = (exchanges->present + 1) % EXCHANGES_KEPT;
	memcpy(exchanges->share[exchanges->present], exchanges->key.share, EXCHANGE_LEN);
	return &exchanges->key;
}

/// In every turn: a secret whose second is over is nobody's any more.
static inline void exchanges_expire(struct exchanges *exchanges, uint64_t now)
{
	if (exchanges->until == 0 || now < exchanges->until)
		return;
	exchange_forget(&exchanges->key);
	exchanges->until = 0;
}

#endif
