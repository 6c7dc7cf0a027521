// SPDX-License-Identifier: BSD-3-Clause
// decl/game_process.h: what pyshim.game uses of pollgate_game.h. An extension of its own: no data plane is linked with it.

typedef struct pgg pgg;

#define PGG_NAME_MAX ...
#define PGG_BODY_MAX ...
#define PGG_STATE_MAX ...
#define PGG_FOUND_MAX ...
#define PGG_OWN_FIRST ...
#define PGG_OWN_LAST ...

enum pgg_result {
	PGG_OK, PGG_FULL, PGG_NOT_HERE, PGG_TOO_LONG, PGG_EMPTY, PGG_WRONG_LENGTH, PGG_WRONG_TYPE, PGG_TOO_MANY, PGG_ARGUMENT,
	PGG_FORKED, PGG_ENDED, PGG_LATE, PGG_REFUSED, PGG_SYSTEM, PGG_MEMORY, PGG_PROFILE, ...
};
const char *pgg_result_text(int result);
const char *pgg_why(pgg *game, int result);
const char *pgg_left_text(unsigned why);

struct pgg_options {
	const char *path;
	const char *name;
	const char *token;
	bool wants_moves;
	bool stay_mapped;
	uint32_t timeout_ms;
	uint64_t spin_ns;
	...;
};
void pgg_options_init(struct pgg_options *options);

struct pgg_error {
	int result;
	char text[...];
	...;
};

pgg *pgg_open(const struct pgg_options *options, struct pgg_error *error);
void pgg_close_after(pgg *game, int finished);

enum pgg_event_type {
	PGG_JOINED, PGG_LEFT, PGG_MESSAGE, PGG_MOVED, PGG_QUALITY, PGG_LISTED, PGG_GAP, PGG_POST, PGG_PUBLISHED, PGG_END, PGG_DETACHED,
	PGG_SPOILT, PGG_ENTITY_REFUSED, PGG_FOUND,
	...
};

enum pgg_search_kind { PGG_SPHERE, PGG_RAY, ... };

struct pgg_message {
	uint8_t type;
	bool reliable;
	uint8_t channel;
	uint8_t priority;
	uint32_t sender;
	const void *body;
	uint32_t length;
	...;
};

struct pgg_event {
	uint32_t type;
	uint32_t player;
	...;
};

// What differs by type, in a form that is the same for all.
struct game_detail {
	uint32_t number[4];
	const char *text;
	const char *topic;
	const void *at;
	uint32_t count;
	uint64_t client;
};
void game_detail(const struct pgg_event *event, struct game_detail *out);

// Bodies become places in `memory`.
int game_poll(pgg *game, struct pgg_event *events, int n, const void **memory, size_t *bytes);

int pgg_wait(pgg *game, int timeout_ms);
bool pgg_is_here(const pgg *game, uint32_t player);
uint32_t pgg_players(const pgg *game);

int pgg_send(pgg *game, uint32_t player, const struct pgg_message *message);
int pgg_send_list(pgg *game, const uint32_t *players, uint32_t n, const struct pgg_message *message);
int pgg_send_group(pgg *game, uint32_t group, uint32_t except, const struct pgg_message *message);
int pgg_group_join(pgg *game, uint32_t group, uint32_t player);
int pgg_group_leave(pgg *game, uint32_t group, uint32_t player);
int pgg_group_end(pgg *game, uint32_t group);
int pgg_kick(pgg *game, uint32_t player, uint8_t reason);
struct pgg_entity {
	uint32_t entity;
	float position[3];
	float velocity[3];
	uint8_t state_bytes;
	uint8_t state[...];
};
struct pgg_position {
	uint32_t player;
	float position[3];
	float velocity[3];
};
int pgg_spawn(pgg *game, const char *world, const struct pgg_entity *entities, uint32_t n);
int pgg_move_entities(pgg *game, const char *world, const struct pgg_position *places, uint32_t n);
struct pgg_state {
	uint32_t entity;
	uint8_t bytes;
	uint8_t data[...];
};
int pgg_set_states(pgg *game, const char *world, const struct pgg_state *states, uint32_t n);
int pgg_set_player_states(pgg *game, const struct pgg_state *states, uint32_t n);
int pgg_despawn(pgg *game, const char *world, const uint32_t *entities, uint32_t n);
uint32_t pgg_entity_worker(const pgg *game, uint32_t entity);
int pgg_place(pgg *game, uint32_t player, const float *position, const float *velocity);
int pgg_enter_world(pgg *game, uint32_t player, const char *world, const float *position, const float *velocity);
int pgg_ask(pgg *game, uint32_t player, uint32_t cookie);
struct pgg_search {
	uint32_t cookie;
	uint32_t kind;
	bool now;
	bool players;
	bool entities;
	uint8_t parts;
	uint32_t tick;
	uint32_t most;
	uint32_t but_player;
	float position[3];
	float direction[3];
	float reach;
};
int pgg_search(pgg *game, const char *world, const struct pgg_search *search);
int pgg_flush(pgg *game);

int pgg_post(pgg *game, const char *process, const void *body, uint32_t length);
int pgg_publish(pgg *game, const char *topic, const void *body, uint32_t length);
int pgg_subscribe(pgg *game, const char *topic);
int pgg_unsubscribe(pgg *game, const char *topic);

struct pgg_statistics {
	uint64_t events;
	uint64_t sent;
	uint64_t full;
	uint64_t missing;
	uint64_t sleeps;
	...;
};
void pgg_read_statistics(const pgg *game, struct pgg_statistics *out);

int pgg_fd(const pgg *game);
int pgg_sleep_begin(pgg *game);
void pgg_sleep(pgg *game, int timeout_ms);
void pgg_sleep_end(pgg *game);
void pgg_interrupt(pgg *game);
