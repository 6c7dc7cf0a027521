// SPDX-License-Identifier: BSD-3-Clause
// runtime/game_links.c: see game_links.h.

#include "runtime/game_links.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "bus/wait.h"
#include "game/entities.h"
#include "game/events.h"
#include "game/turn.h"
#include "runtime/engine.h"
#include "stats/error.h"

#define LET_GO_MS 1000
#define POLL_NS 200000
#define SLOTS_PER_TURN 1024 // of a listing

// ---------------------------------------------------------------- a worker's own

static int make(const struct pg_gateway *g, struct worker *w, struct pg_error *error)
{
	w->game = pages_alloc(sizeof(*w->game));
	if (w->game)
		w->game->scratch = pages_alloc(SESSION_MESSAGE_MAX);
	if (!w->game || !w->game->scratch)
		return error_set(error, PG_ERROR_MEMORY, "worker %u: no memory for its part of the game bus",
				 w->number);
	w->game->bells = -1;
	w->game->stats = w->stats;
	w->game->counts = w->stats->process;
	w->game->tsc_hz = pg_tsc_hz();
	for (uint32_t i = 0; i < g->plan.listener_count; i++)
		w->game->port[i] = g->plan.listener_port[i];
	game_use_routes(w->game, &w->current->game);
	if (!g->engine->frames)
		w->game->bells = epoll_create1(EPOLL_CLOEXEC);
	if (!g->engine->frames && w->game->bells < 0)
		return error_set(error, PG_ERROR_SYSTEM, "worker %u: epoll: %s", w->number, strerror(errno));
	return PG_OK;
}

int game_make(const struct pg_gateway *g, struct worker *w, struct pg_error *error)
{
	if (!w->game && make(g, w, error) != PG_OK)
		return error->code;
	w->game->shard = w->shard;
	w->game->netcode = w->netcode;
	game_init(w->game);
	return PG_OK;
}

static void free_link(struct game_link *link)
{
	if (!link)
		return;
	link_close(link);
	if (link->groups_memory)
		pages_free(link->groups_memory, groups_size(link->groups.slots));
	pages_free(link, sizeof(*link));
}

void game_free(struct worker *w)
{
	if (!w->game)
		return;
	for (unsigned i = 0; i < PG_GAME_PROCESSES_MAX; i++) {
		free_link(atomic_load(&w->game->arriving[i]));
		free_link(w->game->link[i]);
	}
	if (w->game->bells >= 0)
		close(w->game->bells);
	if (w->game->scratch)
		pages_free(w->game->scratch, SESSION_MESSAGE_MAX);
	pages_free(w->game, sizeof(*w->game));
	w->game = NULL;
}

// ---------------------------------------------------------------- its task

static bool has_work(const struct task *task, uint64_t now)
{
	const struct game *game = ((const struct worker *)task->worker)->game;

	(void)now;
	return game->filled != 0 || game->moved_count != 0 || game->listing != 0 || game->ending != 0 ||
	       game->disowned != 0 || game_is_asked(game) || turn_is_wanted_by_any(game);
}

static unsigned serve_games(struct task *task, uint64_t now)
{
	struct game *game = ((struct worker *)task->worker)->game;
	unsigned orders;

	if (unlikely(game_is_asked(game)))
		game_heed(game);
	orders = turn_obey(game, now);
	if (unlikely(game->ending != 0))
		game_end(game);
	if (unlikely(game->disowned != 0))
		entities_end_some(game);
	for (uint32_t left = game->listing; unlikely(left != 0); left &= left - 1)
		game_list(game, (unsigned)__builtin_ctz(left), task->budget);
	game_publish(game);
	return orders;
}

static void stay_awake(struct task *task)
{
	const struct game *game = ((const struct worker *)task->worker)->game;

	for (uint32_t left = game->heard; left != 0; left &= left - 1)
		ring_stay_awake(&game->link[__builtin_ctz(left)]->in);
}

/// A process that has something to say looks whether we sleep, and then rings its bell.
static bool fall_asleep(struct task *task)
{
	const struct game *game = ((const struct worker *)task->worker)->game;
	uint32_t wakes; // a futex that we do not wait for

	if (has_work(task, 0))
		return false;
	for (uint32_t left = game->heard; left != 0; left &= left - 1)
		if (!ring_fall_asleep(&game->link[__builtin_ctz(left)]->in, &wakes))
			return false;
	return true;
}

void game_add_task(struct worker *w)
{
	tasks_add(&w->tasks, &(struct task){
				     .worker = w,
				     .run = serve_games,
				     .ready = has_work,
				     .sleep = fall_asleep,
				     .wake = stay_awake,
				     .budget = SLOTS_PER_TURN,
				     .due = TASK_NEVER,
			     });
}

int game_bells(const struct worker *w)
{
	return w->game ? w->game->bells : -1;
}

/// Each ring is told once. The eventfds are never read: what their processes do to them blocks nobody here.
void game_silence(const struct worker *w)
{
	struct epoll_event rung[PG_GAME_PROCESSES_MAX];

	(void)epoll_wait(w->game->bells, rung, PG_GAME_PROCESSES_MAX, 0);
}

// ---------------------------------------------------------------- the control thread

static void say_changed(struct game *game, uint32_t process)
{
	atomic_fetch_or_explicit(&game->changed, 1U << process, memory_order_release);
}

/// What the control thread itself knows of a link, which only it makes and frees.
static struct game_link **link_of(struct pg_gateway *g, uint32_t worker, uint32_t process)
{
	return &g->game_link[worker][process];
}

/// Of players of all profiles.
static uint32_t slots_of(const struct pg_gateway *g)
{
	return g->shards.store.capacity + g->netcode.clients.capacity;
}

static int check_rings(const struct pg_gateway *g, const struct pg_game_rings *rings, struct pg_error *error)
{
	if (slots_of(g) == 0)
		return error_set(error, PG_ERROR_USAGE, "no listener has a profile with players: session, netcode");
	if (rings->process >= PG_GAME_PROCESSES_MAX || rings->worker >= g->plan.worker_count)
		return error_set(error, PG_ERROR_USAGE, "game process %u of worker %u: out of range", rings->process,
				 rings->worker);
	if (g->game_link[rings->worker][rings->process])
		return error_set(error, PG_ERROR_USAGE, "game process %u has rings of worker %u already",
				 rings->process, rings->worker);
	return PG_OK;
}

/// @return false: errno says why
static bool watch_bell(const struct game *game, int bell)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};

	return game->bells < 0 || bell < 0 || epoll_ctl(game->bells, EPOLL_CTL_ADD, bell, &event) == 0;
}

static void forget_bell(const struct game *game, int bell)
{
	if (game->bells >= 0 && bell >= 0)
		epoll_ctl(game->bells, EPOLL_CTL_DEL, bell, NULL);
}

static struct game_link *make_link(uint32_t capacity)
{
	struct game_link *link = pages_alloc(sizeof(*link));
	uint64_t secret[2];

	if (!link)
		return NULL;
	link->groups_memory = pages_reserve(groups_size(capacity));
	if (!link->groups_memory) {
		pages_free(link, sizeof(*link));
		return NULL;
	}
	if (getrandom(secret, sizeof(secret), 0) != sizeof(secret)) {
		pages_free(link->groups_memory, groups_size(capacity));
		pages_free(link, sizeof(*link));
		return NULL;
	}
	groups_init(&link->groups, link->groups_memory, capacity, secret);
	return link;
}

/// A slot without a name is nobody's: whoever has it next counts from here. Nobody else counts there: there was no link, no route
/// has the slot, and what the last link left is settled.
static void begin_counting(const struct pg_gateway *g, const struct pg_game_rings *rings)
{
	struct pg_worker_stats *stats = &g->page->worker[rings->worker];

	if (__atomic_load_n(&g->page->names.process[rings->process][0], __ATOMIC_ACQUIRE) == 0)
		stats->process_before[rings->process] = stats->process[rings->process];
}

int pg_game_attach(struct pg_gateway *g, const struct pg_game_rings *rings, struct pg_error *error)
{
	struct game_link *link;
	struct game *game;
	char why[256];

	if (check_rings(g, rings, error) != PG_OK)
		return error->code;
	game = g->worker[rings->worker]->game;
	link = make_link(slots_of(g));
	if (!link)
		return error_set(error, PG_ERROR_MEMORY, "no memory, or no random number, for game process %u",
				 rings->process);
	if (!link_open(link, rings, &game->counts[rings->process], why, sizeof(why))) {
		free_link(link);
		return error_set(error, PG_ERROR_SYSTEM, "the rings of game process %u: %s", rings->process, why);
	}
	if (!watch_bell(game, link->bell)) {
		free_link(link);
		return error_set(error, PG_ERROR_SYSTEM, "the eventfd of game process %u: %s", rings->process,
				 strerror(errno));
	}
	begin_counting(g, rings);
	link->wish = link_wish_pack(
		(struct game_wish){.times = rings->present, .present = rings->present, .moves = rings->wants_moves});
	*link_of(g, rings->worker, rings->process) = link;
	atomic_store_explicit(&game->arriving[rings->process], link, memory_order_release);
	say_changed(game, rings->process);
	return PG_OK;
}

int pg_game_presence(struct pg_gateway *g, uint32_t process, bool present, bool wants_moves, struct pg_error *error)
{
	if (process >= PG_GAME_PROCESSES_MAX)
		return error_set(error, PG_ERROR_USAGE, "game process %u: out of range", process);
	for (uint32_t i = 0; i < g->plan.worker_count; i++) {
		struct game_link *link = *link_of(g, i, process);
		struct game_wish wish;

		if (!link)
			return error_set(error, PG_ERROR_USAGE, "game process %u has no rings of worker %u", process,
					 i);
		wish = link_wish(link);
		wish.times += present;
		wish.present = present;
		wish.moves = wants_moves;
		atomic_store_explicit(&link->wish, link_wish_pack(wish), memory_order_release);
		say_changed(g->worker[i]->game, process);
	}
	return PG_OK;
}

/// What the control thread knows of a process's rings of one worker; else an error.
static struct game_link *find_link(struct pg_gateway *g, uint32_t worker, uint32_t process, struct pg_error *error)
{
	struct game_link *link = NULL;

	if (process >= PG_GAME_PROCESSES_MAX || worker >= g->plan.worker_count)
		error_set(error, PG_ERROR_USAGE, "game process %u of worker %u: out of range", process, worker);
	else if (!(link = *link_of(g, worker, process)))
		error_set(error, PG_ERROR_USAGE, "game process %u has no rings of worker %u", process, worker);
	return link;
}

int pg_game_hear(struct pg_gateway *g, uint32_t process, uint32_t worker, int fd, struct pg_error *error)
{
	struct game_link *link = find_link(g, worker, process, error);
	char why[256];

	if (!link)
		return error->code;
	if (link->other.at)
		return error_set(error, PG_ERROR_USAGE, "game process %u is heard by worker %u already", process,
				 worker);
	if (!memory_file_map_sealed(&link->other, fd, bus_file_bytes(link->ring_bytes), why, sizeof(why)))
		return error_set(error, PG_ERROR_SYSTEM, "the rings of game process %u: %s", process, why);
	atomic_store_explicit(&link->ended, false, memory_order_relaxed);
	atomic_store_explicit(&link->file, link->other.at, memory_order_release);
	say_changed(g->worker[worker]->game, process);
	return PG_OK;
}

int pg_game_end(struct pg_gateway *g, uint32_t process, uint32_t worker, int worker_fd, int bell_fd,
		struct pg_error *error)
{
	struct game_link *link = find_link(g, worker, process, error);
	char why[256];

	if (!link)
		return error->code;
	if (link->next.at)
		return error_set(error, PG_ERROR_USAGE, "game process %u is about to end already", process);
	if (!memory_file_map_for_writing(&link->next, worker_fd, bus_file_bytes(link->ring_bytes), why, sizeof(why)))
		return error_set(error, PG_ERROR_SYSTEM, "the rings of game process %u: %s", process, why);
	if (bell_fd >= 0)
		link->next_bell = fcntl(bell_fd, F_DUPFD_CLOEXEC, 0);
	if (bell_fd >= 0 && (link->next_bell < 0 || !watch_bell(g->worker[worker]->game, link->next_bell)))
		return error_set(error, PG_ERROR_SYSTEM, "the eventfd of game process %u: %s", process,
				 strerror(errno));
	atomic_store_explicit(&link->ended, false, memory_order_relaxed);
	atomic_store_explicit(&link->end, true, memory_order_release);
	say_changed(g->worker[worker]->game, process);
	return PG_OK;
}

/// Its worker does not look any more at what the process that is gone has mapped.
static void settle_end(const struct game *game, struct game_link *link)
{
	memory_file_close(&link->other);
	if (!link->next.at)
		return;
	memory_file_close(&link->own);
	link->own = link->next;
	link->next = (struct memory_file){.fd = -1};
	forget_bell(game, link->bell);
	if (link->bell >= 0)
		close(link->bell);
	link->bell = link->next_bell;
	link->next_bell = -1;
}

bool pg_game_ended(struct pg_gateway *g, uint32_t process, uint64_t *read)
{
	for (uint32_t i = 0; i < g->plan.worker_count; i++) {
		struct game_link *link = process < PG_GAME_PROCESSES_MAX ? *link_of(g, i, process) : NULL;

		if (!link)
			return false;
		if (!atomic_load_explicit(&link->ended, memory_order_acquire))
			return false;
		settle_end(g->worker[i]->game, link);
		read[i] = link->read;
	}
	return true;
}

/// @return false: the worker still has it
static bool await_left(const struct pg_gateway *g, const struct game_link *link)
{
	const struct timespec pause = {.tv_nsec = POLL_NS};
	const uint64_t deadline = pg_tsc() + LET_GO_MS * pg_tsc_hz() / 1000;

	while (g->running && !atomic_load_explicit(&link->left, memory_order_acquire)) {
		if (pg_tsc() > deadline)
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

/// Before the loops run nobody but the control thread has them.
static int let_go(struct pg_gateway *g, uint32_t worker, uint32_t process, struct pg_error *error)
{
	struct game *game = g->worker[worker]->game;
	struct game_link **link = link_of(g, worker, process);

	if (!*link)
		return PG_OK;
	atomic_store_explicit(&(*link)->leave, true, memory_order_release);
	say_changed(game, process);
	if (!g->running)
		game_heed(game);
	if (!await_left(g, *link))
		return error_set(error, PG_ERROR_TIMEOUT, "worker %u did not let go of game process %u within %u ms",
				 worker, process, LET_GO_MS);
	forget_bell(game, (*link)->bell);
	forget_bell(game, (*link)->next_bell);
	free_link(*link);
	*link = NULL;
	return PG_OK;
}

int pg_game_detach(struct pg_gateway *g, uint32_t process, struct pg_error *error)
{
	if (process >= PG_GAME_PROCESSES_MAX)
		return error_set(error, PG_ERROR_USAGE, "game process %u: out of range", process);
	for (uint32_t i = 0; i < g->plan.worker_count; i++)
		if (let_go(g, i, process, error) != PG_OK)
			return error->code;
	return PG_OK;
}

static bool is_news(const struct game_link *link)
{
	return link && !link->told && link_is_broken(link);
}

bool pg_game_broken(struct pg_gateway *g, uint32_t *process, char *text, size_t size)
{
	for (uint32_t i = 0; i < g->plan.worker_count; i++)
		for (uint32_t p = 0; p < PG_GAME_PROCESSES_MAX; p++) {
			struct game_link *link = *link_of(g, i, p);

			if (!is_news(link))
				continue;
			link->told = true;
			*process = p;
			snprintf(text, size, "%s", atomic_load(&link->broken));
			return true;
		}
	return false;
}
