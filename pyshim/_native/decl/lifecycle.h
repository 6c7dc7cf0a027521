// SPDX-License-Identifier: BSD-3-Clause
/* The life of a gateway; called in the worker process only, except the first. */

struct pg_gateway;

size_t pg_mail_size(uint32_t workers);

int pg_eal_init(int argc, char *argv[], struct pg_error *error);
size_t pg_dropped(const struct pg_gateway *gateway, char *text, size_t size);
int pg_start(struct pg_gateway *gateway, struct pg_error *error);
int pg_apply(struct pg_gateway *gateway, const struct pg_policy *policy, uint32_t timeout_ms, struct pg_error *error);
void pg_housekeep(struct pg_gateway *gateway);
bool pg_dismiss(struct pg_gateway *gateway, uint32_t timeout_ms);
int pg_stop(struct pg_gateway *gateway, uint32_t timeout_ms, struct pg_error *error);
void pg_close(struct pg_gateway *gateway);
void pg_log_to(int fd, int debug);

int pg_limit_capabilities(uint64_t kept, struct pg_error *error);
int pg_gain_nothing(struct pg_error *error);
void pg_watchdog(uint32_t seconds);
int pg_wake_when_orphaned(struct pg_error *error);
struct pg_confinement {
	uint64_t capabilities;
	uint32_t uid;
	uint32_t gid;
	uint32_t allow_bpf;
};
int pg_confine(const struct pg_confinement *confinement, struct pg_error *error);

void pg_stats_settle(struct pg_stats_page *page, uint32_t workers);

int pg_game_file(const char *name, uint32_t ring_bytes, bool huge, int before, struct pg_error *error);
int pg_game_blank_file(const char *name, uint32_t ring_bytes, bool huge, struct pg_error *error);
int pg_game_gap_file(const char *name, uint32_t ring_bytes, bool huge, int before, uint64_t end, uint32_t messages,
		     struct pg_error *error);
struct pg_game_left {
	uint64_t records;
	uint64_t messages;
};
int pg_game_left(int fd, uint32_t ring_bytes, uint64_t from, struct pg_game_left *left, struct pg_error *error);
int pg_game_next_file(const char *name, uint32_t ring_bytes, bool huge, int before, uint64_t written, uint64_t read,
		      struct pg_error *error);
int pg_game_seal(int fd, struct pg_error *error);
struct pg_game_rings {
	uint32_t process;
	uint32_t worker;
	uint32_t ring_bytes;
	int32_t worker_fd;
	int32_t process_fd;
	int32_t bell_fd;
	uint8_t wants_moves;
	uint8_t present;
	uint64_t read;
};
int pg_game_attach(struct pg_gateway *gateway, const struct pg_game_rings *rings, struct pg_error *error);
int pg_game_presence(struct pg_gateway *gateway, uint32_t process, bool present, bool wants_moves,
		     struct pg_error *error);
int pg_game_hear(struct pg_gateway *gateway, uint32_t process, uint32_t worker, int fd, struct pg_error *error);
int pg_game_end(struct pg_gateway *gateway, uint32_t process, uint32_t worker, int worker_fd, int bell_fd,
		struct pg_error *error);
bool pg_game_ended(struct pg_gateway *gateway, uint32_t process, uint64_t *read);
int pg_game_detach(struct pg_gateway *gateway, uint32_t process, struct pg_error *error);
bool pg_game_broken(struct pg_gateway *gateway, uint32_t *process, char *text, size_t size);

int pg_send(struct pg_gateway *gateway, const struct pg_letter *letter, struct pg_error *error);
