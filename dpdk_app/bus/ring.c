// SPDX-License-Identifier: BSD-3-Clause
// bus/ring.c: see ring.h. Here: beginning, what a dead writer left, and all that is not the next message.

#include "bus/ring.h"

#include <inttypes.h>
#include <stdio.h>

#include "bus/wait.h"

static_assert(sizeof(struct ring_written) == 3 * RING_APART, "what two processes agree on");
static_assert(sizeof(struct ring_read) == 2 * RING_APART, "what two processes agree on");

bool ring_size_fits(uint64_t size, char *why, size_t why_bytes)
{
	if (size >= RING_BYTES_MIN && size <= RING_BYTES_MAX && (size & (size - 1)) == 0)
		return true;
	snprintf(why, why_bytes, "a ring of %" PRIu64 " bytes: it must be a power of two from %u to %u", size,
		 RING_BYTES_MIN, RING_BYTES_MAX);
	return false;
}

const char *ring_fault_text(enum ring_fault fault)
{
	static const char *const text[RING_FAULTS] = {
		[RING_SOUND] = "nothing",
		[RING_FAULT_MAGIC] = "no ring, or one of another version",
		[RING_FAULT_SIZE] = "a ring of another size",
		[RING_FAULT_MARK] = "a mark that is at no entry",
		[RING_FAULT_BEGUN] = "fewer messages begun than committed",
		[RING_FAULT_KIND] = "an entry of no kind that there is",
		[RING_FAULT_LENGTH] = "an entry longer than any may be, or than the data from there on",
		[RING_FAULT_SKIP] = "a skip of more than any message needs",
		[RING_FAULT_OVERRUN] = "entries over others that were not released",
		[RING_FAULT_RELEASED] = "a release of what was not written, or that was taken back",
	};

	return fault < RING_FAULTS ? text[fault] : "?";
}

void ring_format(struct ring_written *written, uint32_t size)
{
	written->size = size;
	shared_release(&written->magic, RING_MAGIC);
}

static enum ring_fault look_at_head(const struct ring_written *written, uint32_t size)
{
	if (shared_acquire(&written->magic) != RING_MAGIC)
		return RING_FAULT_MAGIC;
	return shared_acquire(&written->size) == size ? RING_SOUND : RING_FAULT_SIZE;
}

// ---------------------------------------------------------------- a walk over what was committed

struct walk {
	const uint8_t *data;
	uint64_t mask;
	uint64_t position;
	uint64_t messages; // before this position, gaps included
	uint64_t mark_at;  // the mark it began at
	uint64_t tally_at; // the tally that holds where it ended
};

/// What may follow in a ring of this size; how far it is to the entry behind it.
static enum ring_fault check_entry(struct ring_entry entry, uint64_t mask, uint64_t position, uint64_t *extent)
{
	const uint32_t longest = (uint32_t)((mask + 1) / 4);
	const uint64_t to_end = ring_to_end(mask, position);

	switch (entry.kind) {
	case RING_MESSAGE:
		*extent = ring_extent(entry.length);
		return entry.length <= longest && *extent <= to_end ? RING_SOUND : RING_FAULT_LENGTH;
	case RING_SKIP:
		*extent = to_end;
		return to_end < ring_extent(longest) ? RING_SOUND : RING_FAULT_SKIP;
	case RING_GAP:
		*extent = RING_WORD;
		return RING_SOUND;
	default:
		return RING_FAULT_KIND;
	}
}

/// Goes to where the next entry would be committed.
static enum ring_fault walk_to_end(struct walk *walk)
{
	const uint64_t from = walk->position;
	uint64_t word;

	while ((word = shared_acquire((const uint64_t *)(walk->data + (walk->position & walk->mask)))) != 0) {
		const struct ring_entry entry = ring_entry(word);
		uint64_t extent = 0;
		const enum ring_fault fault = check_entry(entry, walk->mask, walk->position, &extent);

		if (fault != RING_SOUND)
			return fault;
		walk->position += extent;
		walk->messages += entry.kind == RING_GAP ? entry.length : entry.kind == RING_MESSAGE;
		if (walk->position - from > walk->mask)
			return RING_FAULT_OVERRUN;
	}
	return RING_SOUND;
}

/// The later of the two, unless its position was never committed.
static uint64_t tally_at(const struct ring_written *written, uint64_t end)
{
	const uint64_t first = shared_acquire(&written->tally[0].position);
	const uint64_t second = shared_acquire(&written->tally[1].position);

	return second <= end && (second > first || first > end);
}

/// From the mark, which a writer moves whenever it learns of more room: nothing behind it has been written over.
static enum ring_fault survey(const struct ring_written *written, uint32_t size, struct walk *walk, uint64_t *begun)
{
	const uint64_t at = shared_acquire(&written->mark_at) & 1;
	const struct ring_mark *mark = &written->mark[at];
	enum ring_fault fault = look_at_head(written, size);

	*walk = (struct walk){.data = written->data, .mask = size - 1, .mark_at = at};
	if (fault != RING_SOUND)
		return fault;
	walk->position = shared_acquire(&mark->position);
	walk->messages = shared_acquire(&mark->messages);
	if (walk->position % RING_WORD != 0)
		return RING_FAULT_MARK;
	fault = walk_to_end(walk);
	if (fault != RING_SOUND)
		return fault;
	walk->tally_at = tally_at(written, walk->position);
	*begun = shared_acquire(&written->begun);
	return *begun - walk->messages <= UINT32_MAX ? RING_SOUND : RING_FAULT_BEGUN;
}

enum ring_result ring_format_after(struct ring_written *written, uint32_t size, const struct ring_written *before)
{
	struct walk walk;
	uint64_t begun;

	if (survey(before, size, &walk, &begun) != RING_SOUND)
		return RING_BROKEN;
	shared_store(&written->begun, begun);
	shared_store(&written->mark[0].position, walk.position);
	shared_store(&written->mark[0].messages, walk.messages);
	shared_store(&written->tally[0].count, shared_acquire(&before->tally[walk.tally_at].count));
	shared_store(&written->tally[0].position, walk.position);
	shared_store(&written->first, walk.position);
	ring_format(written, size);
	return RING_OK;
}

void ring_format_at(struct ring_written *written, uint32_t size, uint64_t position, uint32_t begun)
{
	shared_store(&written->begun, begun);
	shared_store(&written->mark[0].position, position);
	shared_store(&written->tally[0].position, position);
	shared_store(&written->first, position);
	ring_format(written, size);
}

enum ring_result ring_uncommitted(const struct ring_written *written, uint32_t size, uint64_t *messages)
{
	struct walk walk;
	uint64_t begun;

	if (survey(written, size, &walk, &begun) != RING_SOUND)
		return RING_BROKEN;
	*messages = begun - walk.messages;
	return RING_OK;
}

enum ring_result ring_count_left(const struct ring_written *written, uint32_t size, uint64_t from, uint16_t type,
				 struct ring_left *left)
{
	const uint64_t mask = size - 1;
	uint64_t position = from, extent = 0, word;

	*left = (struct ring_left){0};
	if (look_at_head(written, size) != RING_SOUND || from % RING_WORD != 0)
		return RING_BROKEN;
	while (position - from <= mask &&
	       (word = shared_acquire((const uint64_t *)(written->data + (position & mask)))) != 0) {
		const struct ring_entry entry = ring_entry(word);

		if (check_entry(entry, mask, position, &extent) != RING_SOUND)
			return RING_BROKEN;
		position += extent;
		left->messages += entry.kind == RING_GAP ? entry.length : entry.kind == RING_MESSAGE;
		left->of_type += entry.kind == RING_MESSAGE && entry.type == type;
	}
	return RING_OK;
}

void ring_format_gap(struct ring_written *written, uint32_t size, uint64_t end, uint32_t messages)
{
	const uint64_t at = end - RING_WORD;

	shared_store((uint64_t *)(written->data + (at & (size - 1))), ring_word(RING_GAP, 0, messages));
	shared_store(&written->mark[0].position, at);
	shared_store(&written->first, at);
	shared_store(&written->begun, messages);
	ring_format(written, size);
}

// ---------------------------------------------------------------- the writer

/// Of two marks, one holds while the other is written.
static void move_mark(struct ring_writer *writer)
{
	struct ring_written *own = writer->own;
	const uint64_t other = writer->mark_at ^ 1;

	shared_store(&own->mark[other].position, writer->first_word ? writer->first : writer->next);
	shared_store(&own->mark[other].messages, writer->committed);
	shared_release(&own->mark_at, other);
	writer->mark_at = other;
	shared_keep_order(); // before what the old mark leads to is written over
}

enum ring_result ring_find_room(struct ring_writer *writer, uint64_t end)
{
	const uint64_t size = writer->mask + 1;
	const uint64_t released = shared_acquire(&writer->reader->released);
	const uint64_t visible = writer->first_word ? writer->first : writer->next;
	const uint64_t limit = released + size;

	if (writer->fault != RING_SOUND)
		return RING_BROKEN;
	if (unlikely(released > visible || visible - released > size || limit < writer->limit)) {
		writer->fault = RING_FAULT_RELEASED;
		return RING_BROKEN;
	}
	if (limit != writer->limit) {
		move_mark(writer);
		writer->limit = limit;
	}
	return end + RING_WORD <= limit ? RING_OK : RING_FULL;
}

enum ring_result ring_tell_missed(struct ring_writer *writer)
{
	const uint64_t end = writer->next + RING_WORD;

	if (writer->missed == 0)
		return RING_OK;
	if (end + RING_WORD > writer->limit) {
		const enum ring_result result = ring_find_room(writer, end);

		if (result != RING_OK)
			return result;
	}
	ring_add_entry(writer, ring_word(RING_GAP, 0, (uint32_t)writer->missed), RING_WORD);
	writer->missed = 0;
	return RING_OK;
}

/// In place of what was begun: now, or when there is room.
static enum ring_result commit_gap(struct ring_writer *writer)
{
	writer->missed = writer->begun - writer->committed;
	if (ring_find_room(writer, writer->next) == RING_BROKEN || ring_tell_missed(writer) == RING_BROKEN)
		return RING_BROKEN;
	ring_commit(writer);
	return RING_OK;
}

enum ring_result ring_writer_attach(struct ring_writer *writer, struct ring_written *written,
				    const struct ring_read *read, uint32_t size)
{
	enum ring_result result;
	struct walk walk;

	*writer = (struct ring_writer){
		.data = written->data, .mask = size - 1, .longest = size / 4, .own = written, .reader = read};
	writer->fault = survey(written, size, &walk, &writer->begun);
	if (writer->fault != RING_SOUND)
		return RING_BROKEN;
	writer->next = walk.position;
	writer->committed = walk.messages;
	writer->mark_at = walk.mark_at;
	writer->tally_at = walk.tally_at;
	result = writer->begun != writer->committed ? commit_gap(writer) : ring_find_room(writer, writer->next);
	if (result == RING_BROKEN)
		return result;
	ring_wake(writer); // who died may have been about to
	return RING_OK;
}

void ring_writer_move(struct ring_writer *writer, struct ring_written *to)
{
	shared_store(&to->begun, writer->begun); // those that the reader has not been told of are told there
	shared_store(&to->mark[0].position, writer->next);
	shared_store(&to->mark[0].messages, writer->committed);
	shared_store(&to->tally[0].count, ring_tally(writer).count);
	shared_store(&to->tally[0].position, writer->next);
	shared_store(&to->first, writer->next);
	ring_format(to, (uint32_t)(writer->mask + 1));
	writer->own = to;
	writer->data = to->data;
	writer->mark_at = writer->tally_at = 0;
}

// ---------------------------------------------------------------- the reader

enum ring_result ring_reader_attach(struct ring_reader *reader, const struct ring_written *written,
				    struct ring_read *read, uint32_t size)
{
	uint64_t released;

	*reader = (struct ring_reader){
		.data = written->data, .mask = size - 1, .longest = size / 4, .writer = written, .own = read};
	reader->fault = look_at_head(written, size);
	released = shared_acquire(&read->released);
	if (reader->fault == RING_SOUND && released % RING_WORD != 0)
		reader->fault = RING_FAULT_RELEASED;
	if (reader->fault != RING_SOUND)
		return RING_BROKEN;
	reader->next = reader->released = released;
	ring_stay_awake(reader); // who died may have been asleep
	return RING_OK;
}

bool ring_peek_other(struct ring_reader *reader, struct ring_entry entry, struct ring_message *message)
{
	uint64_t extent = 0;
	enum ring_fault fault = check_entry(entry, reader->mask, reader->next, &extent);

	// There is a word behind each entry, and it is the writer's, too.
	if (fault == RING_SOUND && reader->next + extent - reader->released > reader->mask)
		fault = RING_FAULT_OVERRUN;
	if (fault != RING_SOUND) {
		reader->fault = fault;
		return false;
	}
	reader->next += extent;
	if (entry.kind == RING_GAP)
		*message = (struct ring_message){.length = entry.length, .kind = RING_GAP, .end = reader->next};
	return true;
}
