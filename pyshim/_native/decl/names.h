// SPDX-License-Identifier: BSD-3-Clause
/* Limits and the labels of everything that is counted. Numbers are checked against pollgate.h by the compiler. */

#define PG_ABI_VERSION ...

#define PG_WORKERS_MAX 32
#define PG_PORTS_MAX 8
#define PG_POOLS_MAX 8
#define PG_LISTENERS_MAX 16
#define PG_GAME_PROCESSES_MAX 32
#define PG_WORLDS_MAX 32
#define PG_ADDRESSES_MAX 8
#define PG_QUEUES_PER_WORKER_MAX 16
#define PG_HELD_PER_QUEUE 128
#define PG_DATAGRAM_MAX 1472
#define PG_BURST_BUCKETS 9
#define PG_ABOUT_MAX 112
#define PG_HANDLING_BUCKETS 26
#define PG_TICK_BUCKETS 19
#define PG_UNSEEN_BUCKETS 16

/* The enumerators come from pollgate.h; only how many there are matters here, and their names are asked for. */
#define PG_MESSAGES ...
#define PG_DROPS ...
#define PG_TX_DROPS ...
#define PG_REQUESTS ...
#define PG_EVENTS ...
#define PG_COMPRESSIBLE ...
#define PG_LOSSES ...
#define PG_CLOSE_REASONS ...
#define PG_DENIALS ...
#define PG_REFUSALS ...
#define PG_PROCESS_LOSSES ...
#define PG_ORDER_REFUSALS ...
#define PG_DESTINATIONS ...
#define PG_WORLD_MOVES ...
#define PG_WORLD_JUDGEMENTS ...
#define PG_WORLD_SEARCHES ...
#define PG_ENGINES ...
#define PG_PROFILES ...

const char *pg_message_name(unsigned message);
const char *pg_drop_name(unsigned drop);
const char *pg_tx_drop_name(unsigned drop);
const char *pg_request_name(unsigned request);
const char *pg_event_name(unsigned event);
const char *pg_compressible_name(unsigned type);
const char *pg_loss_name(unsigned loss);
const char *pg_denial_name(unsigned reason);
const char *pg_refusal_name(unsigned reason);
const char *pg_process_loss_name(unsigned loss);
const char *pg_order_refusal_name(unsigned reason);
const char *pg_destination_name(unsigned destination);
const char *pg_world_move_name(unsigned move);
const char *pg_world_judged_name(unsigned judged);
const char *pg_world_search_name(unsigned became);
const char *pg_close_name(unsigned reason);
const char *pg_engine_name(unsigned engine);
const char *pg_profile_name(unsigned profile);

uint32_t pg_burst_bound(unsigned bucket);
uint64_t pg_handling_bound_ns(unsigned bucket);
uint64_t pg_tick_bound_ns(unsigned bucket);
uint64_t pg_unseen_bound_ns(unsigned bucket);
