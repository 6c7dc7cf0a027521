// SPDX-License-Identifier: BSD-3-Clause
// bus/ring.h: messages of any length from one process to one other, in shared memory, without a lock.
//
// Each of the two writes memory of its own only, and the other may have mapped it for reading: the writer its part, which
// holds the data, the reader where it has got to. Nobody believes the other: whatever is read of its memory is read once,
// and checked.
//
// Data is a row of entries: a word that says what it is and how long, then the body, in one piece. The word is what tells
// the reader that there is an entry. Before it is stored, the word of the entry after it is made 0, so there always is
// one that says that there is none. No index of the writer's is read: the word comes in the cache line of the body.
//
// A writer that dies leaves nothing half visible. What it had begun, its successor counts and tells the reader
// in its place in the order: a gap of so many messages. A reader that dies has released what it has; its successor sees
// again what was peeked and not released.

#ifndef POLLGATE_BUS_RING_H
#define POLLGATE_BUS_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/shared.h"
#include "compiler.h"

/// Bytes of data: a power of two. A message is a quarter of them at most, so an empty ring takes it wherever it stands.
#define RING_BYTES_MIN 4096U
#define RING_BYTES_MAX (1U << 30)
#define RING_BYTES_DEFAULT (1U << 20)

#define RING_VERSION 1
#define RING_MAGIC (0x676e6972675000ULL << 8 | RING_VERSION)

/// What one side stores and the other loads is so far apart: processors fetch lines by twos.
#define RING_APART (2 * CACHE_LINE)
#define RING_APART_ALIGNED __attribute__((aligned(RING_APART)))

/// Where a walk over the entries may begin, and how many messages come before it.
struct ring_mark {
	uint64_t position;
	uint64_t messages;
};

/// What the writer's user counts, as it was when the ring was committed up to a position.
struct ring_tally {
	uint64_t position;
	uint64_t count;
};

/// The writer's memory. Positions are counts of bytes since the ring was made, and never wrap.
struct ring_written {
	// written once
	uint64_t magic;
	uint64_t size;  // of the data
	uint64_t first; // position at which it begins

	// written when the reader is woken, who waits for it to change
	uint32_t wakes RING_APART_ALIGNED;

	// for the next writer, if this one dies
	uint64_t begun RING_APART_ALIGNED; // messages, whether committed or not
	uint64_t mark_at;                  // the index of the mark that holds
	struct ring_mark mark[2];
	struct ring_tally tally[2]; // of those that were committed, the later one holds

	uint8_t data[] RING_APART_ALIGNED;
};

/// The reader's memory.
struct ring_read {
	uint64_t released RING_APART_ALIGNED; // the writer may write over what is before this position
	uint32_t sleeps RING_APART_ALIGNED;   // odd: asleep; another number each time
};

enum ring_result {
	RING_OK,
	RING_FULL,     // now: the reader has not released enough
	RING_TOO_LONG, // for this ring, ever
	RING_BROKEN,   // the other's memory says what cannot be: detach. The writer's or reader's `fault` says what
};

/// What was wrong with the other's memory.
enum ring_fault {
	RING_SOUND,
	RING_FAULT_MAGIC,
	RING_FAULT_SIZE,
	RING_FAULT_MARK,
	RING_FAULT_BEGUN,
	RING_FAULT_KIND,
	RING_FAULT_LENGTH,
	RING_FAULT_SKIP,
	RING_FAULT_OVERRUN,
	RING_FAULT_RELEASED,
	RING_FAULTS
};

enum ring_kind {
	RING_MESSAGE = 1,
	RING_SKIP, // nothing from here to the end of the data
	RING_GAP, // so many messages are missing here: begun by a writer that died, or there was no room for them; no body
};

/// The word of an entry, taken apart.
struct ring_entry {
	uint32_t length; // of the body in bytes; of a gap: messages
	uint16_t type;   // the user's
	uint16_t kind;
};

#define RING_WORD sizeof(uint64_t)
#define RING_MISSED_MAX ((uint64_t)INT32_MAX)

struct ring_writer {
	uint8_t *data;
	uint64_t mask;
	uint64_t next;       // where the next entry begins
	uint64_t limit;      // no entry ends behind this, and there the word that follows it
	uint64_t first;      // where those begin that are not committed
	uint64_t first_word; // what makes them visible; 0: there are none
	uint64_t begun;
	uint64_t committed; // messages; those that died before they were are in it
	uint64_t missed;    // begun, for which there was no room, and which the reader has not been told of
	uint64_t mark_at;   // the index of the mark that holds
	uint64_t tally_at;  // and of the tally
	uint32_t longest;   // message
	uint32_t woken;     // the sleep out of which the reader was woken last
	struct ring_written *own;
	const struct ring_read *reader;
	enum ring_fault fault;
};

struct ring_reader {
	const uint8_t *data;
	uint64_t mask;
	uint64_t next; // not yet peeked from here on
	uint64_t released;
	uint32_t longest;
	enum ring_fault fault;
	const struct ring_written *writer;
	struct ring_read *own;
};

/// A message where it lies. A writer that means harm can change it while it is read: copy what is to be relied on.
struct ring_message {
	const void *body; // aligned to 8 bytes; NULL for a gap
	uint32_t length;  // of a gap: how many messages are missing here
	uint16_t type;
	uint16_t kind; // RING_MESSAGE or RING_GAP
	uint64_t end;  // for ring_release_to()
};

ALWAYS_INLINE uint64_t ring_word(enum ring_kind kind, uint16_t type, uint32_t length)
{
	return (uint64_t)kind << 48 | (uint64_t)type << 32 | length;
}

ALWAYS_INLINE struct ring_entry ring_entry(uint64_t word)
{
	return (struct ring_entry){(uint32_t)word, (uint16_t)(word >> 32), (uint16_t)(word >> 48)};
}

/// Bytes of a message with its word.
ALWAYS_INLINE uint64_t ring_extent(uint32_t length)
{
	return RING_WORD + (((uint64_t)length + 7) & ~7ULL);
}

ALWAYS_INLINE uint64_t ring_to_end(uint64_t mask, uint64_t position)
{
	return mask + 1 - (position & mask);
}

ALWAYS_INLINE uint64_t *ring_word_at(const struct ring_writer *writer, uint64_t position)
{
	return (uint64_t *)(writer->data + (position & writer->mask));
}

/// Bytes of a writer's memory with `size` bytes of data.
ALWAYS_INLINE size_t ring_written_bytes(uint32_t size)
{
	return sizeof(struct ring_written) + size;
}

/// Is it a size that a ring can have?
/// @param why  out: a sentence, if it is not
bool ring_size_fits(uint64_t size, char *why, size_t why_bytes);

/// What it was, in words.
const char *ring_fault_text(enum ring_fault fault);

/// Makes an empty ring in zeroed memory.
void ring_format(struct ring_written *written, uint32_t size);

/// Makes a ring in zeroed memory that goes on where another ends, whose writer died: with its positions, its tally, and what it
/// had begun, for ring_writer_attach(). A reader reads the other to its end, releases that, and goes on with this one.
/// @param before  of the same size
/// @return RING_OK, RING_BROKEN
enum ring_result ring_format_after(struct ring_written *written, uint32_t size, const struct ring_written *before);

/// Makes an empty ring in zeroed memory whose first entry is at this position.
/// @param begun  messages that the writer before began and did not commit, for ring_writer_attach()
void ring_format_at(struct ring_written *written, uint32_t size, uint64_t position, uint32_t begun);

// ---------------------------------------------------------------- the writer

/// Goes on where the last writer was, whatever it did when it died: what it had begun becomes a gap. Wakes the reader.
/// @param written  by ring_format() or an earlier writer
/// @return RING_OK, RING_BROKEN
enum ring_result ring_writer_attach(struct ring_writer *writer, struct ring_written *written,
				    const struct ring_read *read, uint32_t size);

/// Goes on in another ring at the position where it stands: from then on nothing is written to the one before, which a reader
/// reads to its end. A writer that dies has moved or not: the magic of the other says so.
/// @param writer  has nothing reserved
/// @param to      zeroed memory for a ring of the same size
void ring_writer_move(struct ring_writer *writer, struct ring_written *to);

/// What lies in a ring from a position on.
struct ring_left {
	uint64_t messages; // those that gaps stand for among them
	uint64_t of_type;
};

/// Counts it, for whoever takes the ring away.
/// @param from  where an entry begins, or a ring that goes on with this one ends
/// @return RING_OK, RING_BROKEN: there is none, or what is there cannot be; what was counted until then stands
enum ring_result ring_count_left(const struct ring_written *written, uint32_t size, uint64_t from, uint16_t type,
				 struct ring_left *left);

/// Makes in zeroed memory a ring that nobody writes: one gap, of so many messages, that ends at a position, where another ring
/// goes on.
/// @param end  at least RING_WORD, where an entry may begin
void ring_format_gap(struct ring_written *written, uint32_t size, uint64_t end, uint32_t messages);

/// Messages that a writer had begun and not committed; what another process can find out, too, after its death.
/// @return RING_OK, RING_BROKEN
enum ring_result ring_uncommitted(const struct ring_written *written, uint32_t size, uint64_t *messages);

/// ring_reserve()'s rarer part: looks how far the reader is.
enum ring_result ring_find_room(struct ring_writer *writer, uint64_t end);

ALWAYS_INLINE void ring_add_entry(struct ring_writer *writer, uint64_t word, uint64_t extent)
{
	if (likely(writer->first_word == 0)) {
		writer->first = writer->next;
		writer->first_word = word;
	} else {
		shared_store(ring_word_at(writer, writer->next), word); // behind one that is not visible
	}
	writer->next += extent;
}

/// Room for a message of `length` bytes, behind those reserved before. It is seen when all are committed.
/// @param body  out: where it is to be written; aligned to 8 bytes
/// @return RING_OK, RING_FULL, RING_TOO_LONG, RING_BROKEN
ALWAYS_INLINE enum ring_result ring_reserve(struct ring_writer *writer, uint32_t length, uint16_t type, void **body)
{
	const uint64_t extent = ring_extent(length);
	const uint64_t to_end = ring_to_end(writer->mask, writer->next);
	const uint64_t skip = extent > to_end ? to_end : 0;
	const uint64_t end = writer->next + skip + extent;

	if (unlikely(length > writer->longest))
		return RING_TOO_LONG;
	if (unlikely(end + RING_WORD > writer->limit)) {
		const enum ring_result result = ring_find_room(writer, end);

		if (result != RING_OK)
			return result;
	}
	shared_store(&writer->own->begun, ++writer->begun);
	if (unlikely(skip != 0))
		ring_add_entry(writer, ring_word(RING_SKIP, 0, 0), skip);
	*body = writer->data + (writer->next & writer->mask) + RING_WORD;
	ring_add_entry(writer, ring_word(RING_MESSAGE, type, length), extent);
	return RING_OK;
}

/// Makes visible what was reserved: all of it at once.
ALWAYS_INLINE void ring_commit(struct ring_writer *writer)
{
	if (writer->first_word == 0)
		return;
	shared_store(ring_word_at(writer, writer->next), 0);
	shared_release(ring_word_at(writer, writer->first), writer->first_word);
	writer->first_word = 0;
	writer->committed = writer->begun - writer->missed;
}

/// The same, together with what the writer's user counts: whoever comes after its death finds the count of what was committed.
ALWAYS_INLINE void ring_commit_with(struct ring_writer *writer, uint64_t count)
{
	struct ring_tally *tally = &writer->own->tally[writer->tally_at ^ 1];

	if (writer->first_word == 0)
		return;
	writer->tally_at ^= 1;
	shared_keep_order(); // what it says of the commit before the last holds until the last one is visible
	shared_store(&tally->count, count);
	shared_keep_order(); // until it has its new position, its count is nobody's
	shared_store(&tally->position, writer->next);
	ring_commit(writer);
}

/// The tally with which a writer was attached, or that it committed last.
ALWAYS_INLINE struct ring_tally ring_tally(const struct ring_writer *writer)
{
	return writer->own->tally[writer->tally_at];
}

/// Forgets what was reserved.
ALWAYS_INLINE void ring_abandon(struct ring_writer *writer)
{
	if (writer->first_word == 0)
		return;
	writer->next = writer->first;
	writer->first_word = 0;
	writer->begun = writer->committed + writer->missed;
	shared_store(&writer->own->begun, writer->begun);
}

/// A message that ring_reserve() had no room for is given up: the reader will be told how many.
ALWAYS_INLINE void ring_miss(struct ring_writer *writer)
{
	if (unlikely(writer->missed >= RING_MISSED_MAX)) // of those that are more nobody tells
		return;
	writer->missed++;
	shared_store(&writer->own->begun, ++writer->begun);
}

/// Reserves what tells the reader of those that were missed, behind what is reserved.
/// @return RING_OK, also if there are none; RING_FULL, RING_BROKEN
enum ring_result ring_tell_missed(struct ring_writer *writer);

// ---------------------------------------------------------------- the reader

/// Goes on behind what the last reader released. What it had peeked and not released is seen again.
/// @param read  zeroed, or an earlier reader's
/// @return RING_OK, RING_BROKEN
enum ring_result ring_reader_attach(struct ring_reader *reader, const struct ring_written *written,
				    struct ring_read *read, uint32_t size);

/// ring_peek()'s rarer part: a gap, the end of the data, what cannot be.
/// @return false: the ring is broken
bool ring_peek_other(struct ring_reader *reader, struct ring_entry entry, struct ring_message *message);

ALWAYS_INLINE uint64_t ring_next_word(const struct ring_reader *reader)
{
	return shared_acquire((const uint64_t *)(reader->data + (reader->next & reader->mask)));
}

/// Would ring_peek() find something?
ALWAYS_INLINE bool ring_is_ready(const struct ring_reader *reader)
{
	return ring_next_word(reader) != 0;
}

ALWAYS_INLINE bool ring_is_message(const struct ring_reader *reader, struct ring_entry entry)
{
	const uint64_t extent = ring_extent(entry.length);

	return likely(entry.kind == RING_MESSAGE && entry.length <= reader->longest &&
		      extent <= ring_to_end(reader->mask, reader->next) &&
		      reader->next + extent - reader->released < reader->mask + 1);
}

/// The next messages, in order, which stay where they are until they are released. Looks at 2 × `n` entries at most.
/// @return how many; -1: the ring is broken, from here on and for good; what was peeked before is sound
ALWAYS_INLINE int ring_peek(struct ring_reader *reader, struct ring_message *message, unsigned n)
{
	unsigned found = 0;

	if (unlikely(reader->fault != RING_SOUND))
		return -1;
	while (found < n) {
		const uint64_t word = ring_next_word(reader);
		const struct ring_entry entry = ring_entry(word);

		if (word == 0)
			break;
		if (unlikely(!ring_is_message(reader, entry))) {
			message[found].kind = 0;
			if (!ring_peek_other(reader, entry, &message[found]))
				return found > 0 ? (int)found : -1;
			found += message[found].kind != 0;
			continue;
		}
		message[found].body = reader->data + (reader->next & reader->mask) + RING_WORD;
		message[found].length = entry.length;
		message[found].type = entry.type;
		message[found].kind = RING_MESSAGE;
		reader->next += ring_extent(entry.length);
		message[found].end = reader->next;
		found++;
	}
	return (int)found;
}

/// Gives back all up to and with this message.
ALWAYS_INLINE void ring_release_to(struct ring_reader *reader, const struct ring_message *message)
{
	reader->released = message->end;
	shared_release(&reader->own->released, message->end);
}

/// Gives back all that was peeked.
ALWAYS_INLINE void ring_release(struct ring_reader *reader)
{
	reader->released = reader->next;
	shared_release(&reader->own->released, reader->next);
}

#endif
