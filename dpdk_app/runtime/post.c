// SPDX-License-Identifier: BSD-3-Clause
// runtime/post.c: see post.h.

#include "runtime/post.h"

#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "runtime/worker.h"

/// Bytes of mail that may wait for a worker, in all: with two workers, thirty of the longest messages from the other.
/// Memory that was never written is not there.
#define WAITING_MAX (8U << 20)

/// Messages that a worker delivers before it looks at its packets again.
#define LETTERS_PER_TURN 64

enum letter_kind { LETTER_MESSAGE, LETTER_DATAGRAM };

struct letter {
	uint32_t kind; // enum letter_kind
	uint32_t session;
	union {
		struct outgoing message; // its body follows
		struct mailed_datagram datagram;
	};
};
static_assert(sizeof(struct letter) + SESSION_MESSAGE_MAX <= MAILBOX_LETTER_MAX, "every message can be posted");

// ---------------------------------------------------------------- life

/// @return bytes of each ring
static uint32_t ring_size(uint32_t workers)
{
	uint32_t size = MAILBOX_MIN;

	while (size * 2 * (workers + 1) <= WAITING_MAX)
		size *= 2;
	return size;
}

size_t pg_mail_size(uint32_t workers)
{
	// to each from the others, and from the control thread
	return (size_t)workers * workers * mailbox_bytes(ring_size(workers));
}

/// A box from every writer but `to` itself.
static bool make_boxes(struct post_office *office, uint32_t to, uint32_t size)
{
	for (uint32_t from = 0; from <= office->workers; from++) {
		const uint32_t writer = from == office->workers ? POST_CONTROL : from;
		struct mailbox *box = writer == to ? NULL : pages_reserve(office->mailbox);

		if (writer == to)
			continue;
		if (!box)
			return false;
		mailbox_init(box, size);
		office->box[to].from[writer] = box;
	}
	return true;
}

bool post_office_make(struct post_office *office, uint32_t workers, bool bells)
{
	const uint32_t size = ring_size(workers);

	office->workers = workers;
	office->mailbox = mailbox_bytes(size);
	for (uint32_t to = 0; to < workers; to++)
		office->box[to].bell = -1;
	for (uint32_t to = 0; to < workers; to++) {
		if (!make_boxes(office, to, size))
			return false;
		office->box[to].bell = bells ? eventfd(0, EFD_CLOEXEC) : -1;
		if (bells && office->box[to].bell < 0)
			return false;
	}
	return true;
}

void post_office_free(struct post_office *office)
{
	for (uint32_t to = 0; to < office->workers; to++) {
		for (uint32_t from = 0; from <= PG_WORKERS_MAX; from++)
			pages_free(office->box[to].from[from], office->mailbox);
		if (office->box[to].bell >= 0)
			close(office->box[to].bell);
	}
}

static bool pass(struct relay *relay, uint8_t owner, uint32_t session, const struct outgoing *message)
{
	return post_message((struct post *)relay, owner, session, message);
}

void post_init(struct post *post, struct post_office *office, uint32_t number)
{
	*post = (struct post){.relay.pass = pass, .office = office, .number = number};
}

// ---------------------------------------------------------------- who writes

static struct mailbox *mailbox_to(const struct post *post, uint32_t owner)
{
	return owner < post->office->workers ? post->office->box[owner].from[post->number] : NULL;
}

/// The letter that was begun is the owner's to read.
static void send(const struct post *post, uint32_t owner)
{
	struct letterbox *box = &post->office->box[owner];
	const uint64_t one = 1;

	mailbox_post(box->from[post->number]);
	// Released with the letter; and in one order with post_sleep(), so that either it sees our bit or we see that it sleeps.
	if (unlikely(atomic_fetch_or(&box->waiting, 1ULL << post->number) & POST_ASLEEP) && box->bell >= 0)
		(void)!write(box->bell, &one, sizeof(one));
}

bool post_message(struct post *post, uint32_t owner, uint32_t session, const struct outgoing *message)
{
	struct mailbox *box = mailbox_to(post, owner);
	struct letter *letter = box ? mailbox_begin(box, sizeof(*letter) + message->length) : NULL;

	if (!letter)
		return false;
	letter->kind = LETTER_MESSAGE;
	letter->session = session;
	letter->message = *message;
	memcpy(letter + 1, message->body, message->length);
	send(post, owner);
	return true;
}

#define DATAGRAM_LETTER (offsetof(struct letter, datagram) + sizeof(struct mailed_datagram) + PG_DATAGRAM_MAX)

bool post_has_room(struct post *post, uint32_t owner)
{
	struct mailbox *box = mailbox_to(post, owner);

	return box && mailbox_begin(box, DATAGRAM_LETTER);
}

void post_datagram(struct post *post, uint32_t owner, const struct peer *peer, uint8_t way, const uint8_t *payload,
		   uint16_t length)
{
	struct letter *letter = mailbox_begin(mailbox_to(post, owner), DATAGRAM_LETTER);

	letter->kind = LETTER_DATAGRAM;
	letter->datagram.peer = *peer;
	letter->datagram.way = way;
	letter->datagram.length = length;
	memcpy(letter->datagram.payload, payload, length);
	send(post, owner);
}

// ---------------------------------------------------------------- who reads

/// Which boxes have mail: taken over into in_hand, before they are looked into.
static void collect(struct post *post)
{
	struct letterbox *box = &post->office->box[post->number];

	if (atomic_load_explicit(&box->waiting, memory_order_relaxed) != 0)
		post->in_hand |= atomic_exchange_explicit(&box->waiting, 0, memory_order_acquire) & ~POST_ASLEEP;
}

static struct mailbox *box_in_hand(const struct post *post)
{
	return post->office->box[post->number].from[post->at];
}

/// The next writer with mail, from this one on.
static unsigned writer_from(uint64_t in_hand, unsigned from)
{
	const uint64_t later = in_hand & -(1ULL << from);

	return (unsigned)__builtin_ctzll(later ? later : in_hand);
}

/// @return the oldest letter of the next writer who has one
static const struct letter *next_letter(struct post *post)
{
	size_t length;

	while (post->in_hand != 0) {
		post->at = writer_from(post->in_hand, post->at);

		const void *letter = mailbox_oldest(box_in_hand(post), &length);

		if (letter)
			return letter;
		post->in_hand &= ~(1ULL << post->at); // who writes to it again sets the bit again
	}
	return NULL;
}

static void deliver(struct session_shard *shard, const struct letter *letter, uint64_t now)
{
	struct outgoing message = letter->message;

	message.body = (const uint8_t *)(letter + 1);
	session_deliver(shard, letter->session, &message, now);
}

const struct mailed_datagram *post_oldest_datagram(struct post *post, struct session_shard *shard, uint64_t now)
{
	collect(post);
	for (unsigned i = 0; i < LETTERS_PER_TURN; i++) {
		const struct letter *letter = next_letter(post);

		if (!letter)
			return NULL;
		if (letter->kind == LETTER_DATAGRAM)
			return &letter->datagram;
		deliver(shard, letter, now);
		post_remove(post);
	}
	return NULL;
}

void post_remove(struct post *post)
{
	mailbox_remove(box_in_hand(post));
	post->at = (post->at + 1) % (POST_CONTROL + 1);
}

bool post_sleep(struct post *post)
{
	uint64_t nothing = 0;

	return post->in_hand == 0 &&
	       atomic_compare_exchange_strong(&post->office->box[post->number].waiting, &nothing, POST_ASLEEP);
}

void post_wake(struct post *post)
{
	atomic_fetch_and_explicit(&post->office->box[post->number].waiting, ~POST_ASLEEP, memory_order_relaxed);
}
