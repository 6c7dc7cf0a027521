// SPDX-License-Identifier: BSD-3-Clause
// game/link.c: see link.h.

#include "game/link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/// Bytes of the ring.
#define WRITES_AHEAD 1024

static bool attach(struct game_link *link, uint32_t ring_bytes, char *why, size_t why_bytes)
{
	struct bus_file *own = link->own.at;
	const struct bus_file *other = link->other.at;
	const struct ring_read *reader = other ? &other->reader : &link->nobody;

	if (ring_writer_attach(&link->out, &own->writer, reader, ring_bytes) != RING_OK) {
		snprintf(why, why_bytes, "%s", ring_fault_text(link->out.fault));
		return false;
	}
	if (other && !link_hear(link, other)) {
		snprintf(why, why_bytes, "%s", ring_fault_text(link->in.fault));
		return false;
	}
	return true;
}

bool link_hear(struct game_link *link, const struct bus_file *file)
{
	struct bus_file *own = link->own.at;
	const uint32_t ring_bytes = (uint32_t)(link->out.mask + 1);

	if (ring_reader_attach(&link->in, &file->writer, &own->reader, ring_bytes) != RING_OK)
		return false;
	if (link->out.reader != &file->reader)
		link->out.woken = 0; // its sleeps are counted anew
	link->out.reader = &file->reader;
	link->ends_at = 0;
	link->hears = true;
	return true;
}

void link_move(struct game_link *link)
{
	const struct bus_file *from = link->own.at;
	struct bus_file *to = link->next.at;

	if (!to)
		return;
	shared_store(&to->reader.released, shared_acquire(&from->reader.released));
	link->in.own = &to->reader;
	ring_writer_move(&link->out, &to->writer);
}

bool link_is_at_end(struct game_link *link)
{
	if (!link->hears)
		return true;
	if (link->ends_at == 0)
		link->ends_at = link->in.released + link->in.mask + 1; // more than it holds: who is gone still writes
	if (link->many.unfinished || link->searching.unfinished)
		return false;
	return !ring_is_ready(&link->in) || link->in.released >= link->ends_at;
}

bool link_end(struct game_link *link)
{
	if (ring_find_room(&link->out, link->out.next) == RING_BROKEN)
		return false;
	link->nobody.released = link->out.limit - link->out.mask - 1;
	link->out.reader = &link->nobody;
	link->hears = false;
	link->read = link->nobody.released;
	atomic_store_explicit(&link->ended, true, memory_order_release);
	return true;
}

/// A worker that died counted what it had delivered with what it committed. All else that it was given for this process is lost.
static void settle(struct game_link *link)
{
	struct pg_process_counts *counts = link->counts;
	const struct ring_tally tally = ring_tally(&link->out);
	uint64_t lost = 0;

	if (tally.position != 0)
		counter_set(&counts->delivered, tally.count);
	link->delivered = counter_get(&counts->delivered);
	for (unsigned i = 0; i < PG_PROCESS_LOSSES; i++)
		lost += counter_get(&counts->lost[i]);
	counter_add(&counts->lost[PG_PROCESS_LOSS_WORKER_LOST], counter_get(&counts->offered) - link->delivered - lost);
}

bool link_open(struct game_link *link, const struct pg_game_rings *rings, struct pg_process_counts *counts, char *why,
	       size_t why_bytes)
{
	const size_t bytes = bus_file_bytes(rings->ring_bytes);

	link->counts = counts;
	link->ring_bytes = rings->ring_bytes;
	link->own = link->other = link->next = (struct memory_file){.fd = -1}; // 0 is a descriptor
	link->bell = link->next_bell = -1;
	link->cursor = LINK_LISTED;
	link->nobody.released = link->read = rings->read;
	if (!ring_size_fits(rings->ring_bytes, why, why_bytes) ||
	    !memory_file_map_for_writing(&link->own, rings->worker_fd, bytes, why, why_bytes) ||
	    (rings->process_fd >= 0 &&
	     !memory_file_map_sealed(&link->other, rings->process_fd, bytes, why, why_bytes)) ||
	    !attach(link, rings->ring_bytes, why, why_bytes))
		return false;
	if (rings->bell_fd >= 0)
		link->bell = fcntl(rings->bell_fd, F_DUPFD_CLOEXEC, 0);
	if (rings->bell_fd >= 0 && link->bell < 0) {
		snprintf(why, why_bytes, "no descriptor for it: %s", strerror(errno));
		return false;
	}
	settle(link);
	return true;
}

void link_close(struct game_link *link)
{
	memory_file_close(&link->own);
	memory_file_close(&link->other);
	memory_file_close(&link->next);
	if (link->bell >= 0)
		close(link->bell);
	if (link->next_bell >= 0)
		close(link->next_bell);
	link->bell = link->next_bell = -1;
}

void link_give_up(struct game_link *link, const char *why)
{
	const uint64_t committed = counter_get(&link->counts->delivered);

	ring_abandon(&link->out);
	counter_add(&link->counts->lost[PG_PROCESS_LOSS_BROKEN], link->delivered - committed);
	link->delivered = committed;
	link->cursor = LINK_LISTED;
	atomic_store_explicit(&link->broken, why, memory_order_release);
}

/// Lines that will be written soon, and that the process's CPU has had since it read them: they come while the messages in
/// between are opened. Without -mprfchw __builtin_prefetch() asks for them to read only, and the write would wait as before.
static void bring_ahead(const struct ring_writer *out, uint32_t length)
{
	const uint64_t from = out->next + WRITES_AHEAD;

	for (uint32_t at = 0; at <= length && at < WRITES_AHEAD; at += CACHE_LINE)
		__asm__ volatile("prefetchw %0" : : "m"(out->data[(from + at) & out->mask]));
}

void *link_reserve(struct game_link *link, uint32_t length, enum game_event_type type)
{
	void *body = NULL;

	if (unlikely(link->out.missed != 0) && ring_tell_missed(&link->out) != RING_OK)
		return NULL;
	if (ring_reserve(&link->out, length, (uint16_t)type, &body) != RING_OK)
		return NULL;
	bring_ahead(&link->out, length);
	return body;
}
