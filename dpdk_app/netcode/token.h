// SPDX-License-Identifier: BSD-3-Clause
// netcode/token.h: connect tokens: made by the supervisor, opened by a worker; and challenge tokens.
//
// Pure functions of their arguments, by libsodium. Off the fast path.

#ifndef POLLGATE_NETCODE_TOKEN_H
#define POLLGATE_NETCODE_TOKEN_H

#include <stdbool.h>

#include "pollgate.h"
#include "wire/netcode.h"

/// The private part of a connect token, opened and read.
struct netcode_private {
	uint64_t client_id;
	int32_t timeout_s; // negative: never
	uint32_t servers;
	struct pg_netcode_server server[NETCODE_SERVERS_MAX];
	uint8_t to_server[NETCODE_KEY_LEN];
	uint8_t to_client[NETCODE_KEY_LEN];
	uint8_t user_data[NETCODE_USER_DATA_LEN];
};

/// Open and read the private part that a request has.
/// @return false: it is not sealed with this key for what the request says, or cannot be read. `out` has no secret then
bool netcode_private_open(struct netcode_private *out, const struct netcode_request *request,
			  const uint8_t private_key[NETCODE_KEY_LEN]);

void netcode_private_forget(struct netcode_private *secret);

/// Is one of these servers among those of the token?
bool netcode_private_names(const struct netcode_private *token, const struct pg_netcode_server *server, uint32_t count);

/// Seal a challenge token.
/// @param sequence  never used before with this key
void netcode_challenge_seal(struct netcode_challenge *out, const struct netcode_challenge_token *token,
			    uint64_t sequence, const uint8_t key[NETCODE_KEY_LEN]);

/// @return false: nobody sealed it with this key
bool netcode_challenge_open(struct netcode_challenge_token *out, const struct netcode_challenge *challenge,
			    const uint8_t key[NETCODE_KEY_LEN]);

#endif
