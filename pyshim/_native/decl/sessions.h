// SPDX-License-Identifier: BSD-3-Clause
/* The session state, and the sessions issued in it; called in the supervisor's process only, by one thread at a time. */

struct pg_state_plan {
	uint32_t capacity;
	uint32_t workers;
	uint32_t issued_capacity;
	uint32_t netcode_capacity;
};

size_t pg_state_size_for(const struct pg_state_plan *plan);
int pg_state_init_for(void *state, size_t size, const struct pg_state_plan *plan, struct pg_error *error);
void pg_state_release(void *state);
void pg_state_told(void *state);
int pg_state_gateway(void *state, uint32_t bits, uint32_t id, struct pg_error *error);

struct pg_issue_request {
	uint32_t player_id;
	uint32_t ttl_s;
	bool once;
	uint8_t world;
	uint8_t key[32];
};

int pg_session_issue(void *state, const struct pg_issue_request *request, uint32_t *session, struct pg_error *error);
bool pg_session_revoke(void *state, uint32_t session);

struct pg_session_info {
	uint32_t session;
	uint32_t player_id;
	uint64_t expires_in_ms;
	uint64_t silent_ms;
	uint64_t packets_sent;
	uint32_t connections;
	uint8_t connected;
	uint8_t once;
	uint8_t world;
	uint8_t has_motion;
	uint16_t max_datagram;
	struct pg_address peer;
	uint16_t peer_port;
	float position[3];
	float velocity[3];
};

bool pg_session_inspect(const void *state, uint32_t session, struct pg_session_info *out);
uint32_t pg_session_of_player(const void *state, uint32_t player_id);
uint32_t pg_session_list(const void *state, uint32_t *from, struct pg_session_info *out, uint32_t n);
uint32_t pg_session_count(const void *state);

/* A message to a player. */
struct pg_letter {
	uint32_t session;
	uint8_t type;
	uint8_t channel;
	uint8_t reliable;
	uint8_t priority;
	uint32_t length;
	const uint8_t *body;
};

/* Connect tokens of profile netcode: in any process. */
struct pg_netcode_grant {
	uint64_t protocol_id;
	uint64_t client_id;
	uint64_t created_s;
	uint64_t expires_s;
	int32_t timeout_s;
	uint32_t server_count;
	struct pg_netcode_server server[...];
	uint8_t user_data[256];
};

int pg_netcode_token(const struct pg_netcode_grant *grant, const uint8_t *private_key, uint8_t *token,
		     struct pg_error *error);
