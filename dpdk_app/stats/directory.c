// SPDX-License-Identifier: BSD-3-Clause
// stats/directory.c: the directory of the statistics page, from stats/counters.def.

#include "stats/directory.h"

#include <stdio.h>
#include <string.h>

/// Writes what an element of an array is called, as snprintf() does.
typedef int write_name(char *to, size_t room, unsigned element);

static int write_label(char *to, size_t room, const char *label)
{
	return snprintf(to, room, "%s", label != NULL ? label : "");
}

#define LABELS(values)                                                     \
	static int write_##values(char *to, size_t room, unsigned element) \
	{                                                                  \
		return write_label(to, room, pg_##values##_name(element)); \
	}
LABELS(message)
LABELS(drop)
LABELS(tx_drop)
LABELS(request)
LABELS(event)
LABELS(compressible)
LABELS(loss)
LABELS(process_loss)
LABELS(order_refusal)
LABELS(destination)
LABELS(world_move)
LABELS(world_judged)
LABELS(world_search)
LABELS(close)
LABELS(denial)
LABELS(refusal)
#undef LABELS

static int write_one(char *to, size_t room, unsigned element)
{
	(void)element;
	return write_label(to, room, NULL);
}

static int write_burst(char *to, size_t room, unsigned element)
{
	return snprintf(to, room, "%u", pg_burst_bound(element));
}

static int write_seconds(char *to, size_t room, uint64_t ns)
{
	return ns == UINT64_MAX ? write_label(to, room, "+Inf") : snprintf(to, room, "%.9g", (double)ns * 1e-9);
}

static int write_handling(char *to, size_t room, unsigned element)
{
	return write_seconds(to, room, pg_handling_bound_ns(element));
}

static int write_tick(char *to, size_t room, unsigned element)
{
	return write_seconds(to, room, pg_tick_bound_ns(element));
}

static int write_unseen(char *to, size_t room, unsigned element)
{
	return write_seconds(to, room, pg_unseen_bound_ns(element));
}

#define IN_PAGE(member) offsetof(struct pg_stats_page, member)
#define WORKER_BYTES sizeof(struct pg_worker_stats)
#define OF(set) (1U + PG_STATS_##set)

// `in` is the group's structure, `at` where its first one is in the page, `of_set` what it is of that is named. Strings that
// make arrays stand bare in C.
// NOLINTBEGIN(bugprone-macro-parentheses)
#define ENTRY(in, at, of_worker, of_index, of_set, bytes, name, length, values, of_kind, is, labelled, counted_in, \
	      says)                                                                                                \
	{                                                                                                          \
		.text = write_##values,                                                                            \
		.entry =                                                                                           \
			{                                                                                          \
				.field = #name,                                                                    \
				.metric = is,                                                                      \
				.labels = labelled,                                                                \
				.unit = counted_in,                                                                \
				.meaning = says,                                                                   \
				.kind = PG_STATS_##of_kind,                                                        \
				.offset = (at) + offsetof(struct in, name),                                        \
				.worker_stride = (of_worker),                                                      \
				.index_stride = (of_index),                                                        \
				.set = (of_set),                                                                   \
				.width = (bytes),                                                                  \
				.count = sizeof(((struct in *)0)->name) / (bytes),                                 \
			},                                                                                         \
	},
// NOLINTEND(bugprone-macro-parentheses)

static const struct described {
	write_name *text;
	struct pg_stats_entry entry;
} described[PG_STATS_ENTRIES] = {
#define PORT_COUNT(...)                                                                                          \
	ENTRY(pg_port_counts, IN_PAGE(worker[0].port), WORKER_BYTES, sizeof(struct pg_port_counts), OF(PORT), 8, \
	      __VA_ARGS__)
#define DEVICE(...) ENTRY(pg_port_stats, IN_PAGE(port), 0, sizeof(struct pg_port_stats), OF(PORT), 8, __VA_ARGS__)
#define DEVICE_STATE(...) ENTRY(pg_port_stats, IN_PAGE(port), 0, sizeof(struct pg_port_stats), OF(PORT), 4, __VA_ARGS__)
#define POOL(...) ENTRY(pg_pool_stats, IN_PAGE(pool), 0, sizeof(struct pg_pool_stats), OF(POOL), 4, __VA_ARGS__)
#define LISTENER_COUNT(...)                                                                                     \
	ENTRY(pg_listener_counts, IN_PAGE(worker[0].listener), WORKER_BYTES, sizeof(struct pg_listener_counts), \
	      OF(LISTENER), 8, __VA_ARGS__)
#define PROCESS_COUNT(...)                                                                                   \
	ENTRY(pg_process_counts, IN_PAGE(worker[0].process), WORKER_BYTES, sizeof(struct pg_process_counts), \
	      OF(PROCESS), 8, __VA_ARGS__)
#define WORLD_COUNT(...)                                                                                             \
	ENTRY(pg_world_counts, IN_PAGE(worker[0].world), WORKER_BYTES, sizeof(struct pg_world_counts), OF(WORLD), 8, \
	      __VA_ARGS__)
#define OF_WORKER(...) ENTRY(pg_worker_stats, IN_PAGE(worker), WORKER_BYTES, 0, 0, 8, __VA_ARGS__)
#define RECEIVE OF_WORKER
#define TRANSMIT OF_WORKER
#define TIME OF_WORKER
#define SESSION OF_WORKER
#define MESSAGE(...) ENTRY(pg_message_stats, IN_PAGE(worker[0].messages), WORKER_BYTES, 0, 0, 8, __VA_ARGS__)
#define DISTRIBUTION OF_WORKER
#include "stats/counters.def"
};

static const struct pg_stats_set_entry sets[PG_STATS_SETS] = {
#define NAMED(SET, name, slots)               \
	[PG_STATS_##SET] = {                  \
		.label = #name,               \
		.most = (slots),              \
		.names = IN_PAGE(names.name), \
		.name_bytes = PG_STATS_NAME,  \
	},
#include "stats/counters.def"
};

/// Behind a name that was written, or would have been: what does not fit is missing, and a test says so.
static char *after(char *to, char *end, int length)
{
	return (size_t)length < (size_t)(end - to) ? to + length + 1 : end;
}

void stats_directory_write(struct pg_stats_directory *directory)
{
	char *to = directory->names, *const end = to + sizeof(directory->names);

	memset(directory, 0, sizeof(*directory));
	memcpy(directory->set, sets, sizeof(sets));
	directory->set[PG_STATS_PROCESS].before =
		offsetof(struct pg_worker_stats, process_before) - offsetof(struct pg_worker_stats, process);
	for (unsigned i = 0; i < PG_STATS_ENTRIES; i++) {
		struct pg_stats_entry *entry = &directory->entry[i];

		*entry = described[i].entry;
		entry->names = (uint32_t)(IN_PAGE(directory.names) + (size_t)(to - directory->names));
		for (unsigned element = 0; element < entry->count; element++)
			to = after(to, end, described[i].text(to, (size_t)(end - to), element));
	}
}

static char *name_of(struct pg_stats_page *page, unsigned set, uint32_t slot)
{
	return (char *)page + sets[set].names + (size_t)slot * PG_STATS_NAME;
}

/// Is it a name of another slot? Both would be one series of a metric, and the counts of one of them lost.
static bool is_taken(struct pg_stats_page *page, unsigned set, uint32_t slot, const char *name)
{
	for (uint32_t other = 0; other < sets[set].most; other++)
		if (other != slot && strncmp(name_of(page, set, other), name, PG_STATS_NAME) == 0)
			return true;
	return false;
}

bool pg_stats_name(struct pg_stats_page *page, unsigned set, uint32_t slot, const char *name)
{
	const size_t length = strlen(name);

	if (set >= PG_STATS_SETS || slot >= sets[set].most || length == 0 || length >= PG_STATS_NAME ||
	    is_taken(page, set, slot, name))
		return false;

	char *to = name_of(page, set, slot);

	if (to[0] != '\0')
		return strncmp(to, name, PG_STATS_NAME) == 0;
	// Who sees anything of the name sees that there is another than when it began to copy.
	__atomic_store_n(&page->namings, page->namings + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	memcpy(to + 1, name + 1, length);
	// Who sees its beginning sees all of it.
	__atomic_store_n(to, name[0], __ATOMIC_RELEASE);
	return true;
}

bool pg_stats_unname(struct pg_stats_page *page, unsigned set, uint32_t slot)
{
	if (set != PG_STATS_PROCESS || slot >= sets[set].most)
		return false;
	__atomic_store_n(name_of(page, set, slot), '\0', __ATOMIC_RELEASE);
	return true;
}
