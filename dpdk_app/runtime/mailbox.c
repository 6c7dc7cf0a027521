// SPDX-License-Identifier: BSD-3-Clause
// runtime/mailbox.c: see mailbox.h.

#include "runtime/mailbox.h"

/// Before each entry.
struct slip {
	uint32_t length; // of the entry; GAP: nothing from here to the ring's end
	uint32_t pad;
};
#define GAP UINT32_MAX
static_assert(sizeof(struct slip) == 8 && MAILBOX_MIN % 8 == 0, "there is always room for a slip at the end");

size_t mailbox_bytes(uint32_t size)
{
	return sizeof(struct mailbox) + size;
}

void mailbox_init(struct mailbox *box, uint32_t size)
{
	box->size = size;
}

/// Where in the ring a position is.
static uint64_t offset(const struct mailbox *box, uint64_t position)
{
	return position & (box->size - 1);
}

static struct slip *slip_at(struct mailbox *box, uint64_t position)
{
	return (struct slip *)&box->ring[offset(box, position)];
}

/// Bytes of an entry with its slip.
static uint64_t extent(size_t length)
{
	return sizeof(struct slip) + ((length + 7) & ~(uint64_t)7);
}

static bool has_room(struct mailbox *box, uint64_t end)
{
	if (likely(end - box->read_known <= box->size))
		return true;
	// Acquired: the reader is done with what is written over.
	box->read_known = atomic_load_explicit(&box->read, memory_order_acquire);
	return end - box->read_known <= box->size;
}

void *mailbox_begin(struct mailbox *box, size_t length)
{
	const uint64_t from = atomic_load_explicit(&box->written, memory_order_relaxed);
	const uint64_t to_end = box->size - offset(box, from);
	const uint64_t gap = length <= MAILBOX_ENTRY_MAX && extent(length) > to_end ? to_end : 0;

	if (unlikely(length > MAILBOX_ENTRY_MAX) || !has_room(box, from + gap + extent(length)))
		return NULL;
	if (gap != 0)
		slip_at(box, from)->length = GAP;
	slip_at(box, from + gap)->length = (uint32_t)length;
	box->next = from + gap + extent(length);
	return slip_at(box, from + gap) + 1;
}

void mailbox_commit(struct mailbox *box)
{
	atomic_store_explicit(&box->written, box->next, memory_order_release);
}

/// The slip of the oldest entry, with gaps behind us; NULL: there is none.
static struct slip *oldest_slip(struct mailbox *box)
{
	const uint64_t written = atomic_load_explicit(&box->written, memory_order_acquire);
	const uint64_t read = atomic_load_explicit(&box->read, memory_order_relaxed);

	if (read == written)
		return NULL;
	if (likely(slip_at(box, read)->length != GAP))
		return slip_at(box, read);
	// A gap is committed together with the entry behind it.
	atomic_store_explicit(&box->read, read + box->size - offset(box, read), memory_order_release);
	return slip_at(box, 0);
}

const void *mailbox_oldest(struct mailbox *box, size_t *length)
{
	const struct slip *slip = oldest_slip(box);

	if (!slip)
		return NULL;
	*length = slip->length;
	return slip + 1;
}

void mailbox_remove(struct mailbox *box)
{
	const uint64_t read = atomic_load_explicit(&box->read, memory_order_relaxed);

	atomic_store_explicit(&box->read, read + extent(slip_at(box, read)->length), memory_order_release);
}
