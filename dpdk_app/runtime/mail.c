// SPDX-License-Identifier: BSD-3-Clause
// runtime/mail.c: see mail.h.

#include "runtime/mail.h"

#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "runtime/worker.h"
#include "session/older.h"

/// Bytes of mail that may wait for a worker, in all: with two workers, thirty of the longest messages from the other.
/// Memory that was never written is not there.
#define WAITING_MAX (8U << 20)

enum mail_kind { MAIL_MESSAGE, MAIL_DATAGRAM, MAIL_END };

struct entry {
	uint32_t kind; // enum mail_kind
	uint32_t session;
	union {
		struct outgoing message; // its body follows
		struct mailed_datagram datagram;
	};
};
static_assert(sizeof(struct entry) + SESSION_MESSAGE_MAX <= MAILBOX_ENTRY_MAX, "every message can be posted");

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
static bool make_boxes(struct mailboxes *mailboxes, uint32_t to, uint32_t size)
{
	for (uint32_t from = 0; from <= mailboxes->workers; from++) {
		const uint32_t writer = from == mailboxes->workers ? MAIL_CONTROL : from;
		struct mailbox *box = writer == to ? NULL : pages_reserve(mailboxes->mailbox);

		if (writer == to)
			continue;
		if (!box)
			return false;
		mailbox_init(box, size);
		mailboxes->box[to].from[writer] = box;
	}
	return true;
}

bool mailboxes_make(struct mailboxes *mailboxes, uint32_t workers, bool bells)
{
	const uint32_t size = ring_size(workers);

	mailboxes->workers = workers;
	mailboxes->mailbox = mailbox_bytes(size);
	for (uint32_t to = 0; to < workers; to++)
		mailboxes->box[to].bell = -1;
	for (uint32_t to = 0; to < workers; to++) {
		if (!make_boxes(mailboxes, to, size))
			return false;
		mailboxes->box[to].bell = bells ? eventfd(0, EFD_CLOEXEC) : -1;
		if (bells && mailboxes->box[to].bell < 0)
			return false;
	}
	return true;
}

void mailboxes_free(struct mailboxes *mailboxes)
{
	for (uint32_t to = 0; to < mailboxes->workers; to++) {
		for (uint32_t from = 0; from <= PG_WORKERS_MAX; from++)
			pages_free(mailboxes->box[to].from[from], mailboxes->mailbox);
		if (mailboxes->box[to].bell >= 0)
			close(mailboxes->box[to].bell);
	}
}

static bool pass(struct relay *relay, uint8_t owner, uint32_t session, const struct outgoing *message)
{
	return mail_message((struct mail *)relay, owner, session, message);
}

static bool end(struct relay *relay, uint8_t owner, uint32_t session)
{
	return mail_end((struct mail *)relay, owner, session);
}

void mail_init(struct mail *mail, struct mailboxes *mailboxes, uint32_t number, uint64_t *messages)
{
	*mail = (struct mail){
		.relay = {.pass = pass, .end = end}, .mailboxes = mailboxes, .number = number, .messages = messages};
}

// ---------------------------------------------------------------- who writes

static struct mailbox *mailbox_to(const struct mail *mail, uint32_t owner)
{
	return owner < mail->mailboxes->workers ? mail->mailboxes->box[owner].from[mail->number] : NULL;
}

/// The entry that was begun is the owner's to read.
static void send(const struct mail *mail, uint32_t owner)
{
	struct mail_inbox *box = &mail->mailboxes->box[owner];
	const uint64_t one = 1;

	mailbox_commit(box->from[mail->number]);
	// Released with the entry; and in one order with mail_sleep(), so that either it sees our bit or we see that it
	// sleeps.
	if (unlikely(atomic_fetch_or(&box->waiting, 1ULL << mail->number) & MAIL_ASLEEP) && box->bell >= 0)
		(void)!write(box->bell, &one, sizeof(one));
}

bool mail_message(struct mail *mail, uint32_t owner, uint32_t session, const struct outgoing *message)
{
	struct mailbox *box = mailbox_to(mail, owner);
	struct entry *entry = box ? mailbox_begin(box, sizeof(*entry) + message->length) : NULL;

	if (!entry)
		return false;
	entry->kind = MAIL_MESSAGE;
	entry->session = session;
	entry->message = *message;
	memcpy(entry + 1, message->body, message->length);
	counter_add(mail->messages, 1); // before it can be counted in
	send(mail, owner);
	return true;
}

bool mail_end(struct mail *mail, uint32_t owner, uint32_t session)
{
	struct mailbox *box = mailbox_to(mail, owner);
	struct entry *entry = box ? mailbox_begin(box, sizeof(*entry)) : NULL;

	if (!entry)
		return false;
	entry->kind = MAIL_END;
	entry->session = session;
	send(mail, owner);
	return true;
}

#define DATAGRAM_ENTRY (offsetof(struct entry, datagram) + sizeof(struct mailed_datagram) + PG_DATAGRAM_MAX)

bool mail_has_room(struct mail *mail, uint32_t owner)
{
	struct mailbox *box = mailbox_to(mail, owner);

	return box && mailbox_begin(box, DATAGRAM_ENTRY);
}

void mail_datagram(struct mail *mail, uint32_t owner, const struct peer *peer, uint8_t socket_index,
		   const uint8_t *payload, uint16_t length)
{
	struct entry *entry = mailbox_begin(mailbox_to(mail, owner), DATAGRAM_ENTRY);

	entry->kind = MAIL_DATAGRAM;
	entry->datagram.peer = *peer;
	entry->datagram.socket_index = socket_index;
	entry->datagram.length = length;
	memcpy(entry->datagram.payload, payload, length);
	send(mail, owner);
}

// ---------------------------------------------------------------- who reads

/// Which boxes have mail: taken over into in_hand, before they are looked into.
static void collect(struct mail *mail)
{
	struct mail_inbox *box = &mail->mailboxes->box[mail->number];

	if (atomic_load_explicit(&box->waiting, memory_order_relaxed) != 0)
		mail->in_hand |= atomic_exchange_explicit(&box->waiting, 0, memory_order_acquire) & ~MAIL_ASLEEP;
}

static struct mailbox *box_in_hand(const struct mail *mail)
{
	return mail->mailboxes->box[mail->number].from[mail->at];
}

/// The next writer with mail, from this one on.
static unsigned writer_from(uint64_t in_hand, unsigned from)
{
	const uint64_t later = in_hand & -(1ULL << from);

	return (unsigned)__builtin_ctzll(later ? later : in_hand);
}

/// @return the oldest entry of the next writer who has one
static const struct entry *next_entry(struct mail *mail)
{
	size_t length;

	while (mail->in_hand != 0) {
		mail->at = writer_from(mail->in_hand, mail->at);

		const void *entry = mailbox_oldest(box_in_hand(mail), &length);

		if (entry)
			return entry;
		mail->in_hand &= ~(1ULL << mail->at); // who writes to it again sets the bit again
	}
	return NULL;
}

/// Counted in behind what became of it: of what we die with in hand nothing is uncounted, though between the two counts it would
/// be counted twice.
static void deliver(struct session_shard *shard, const struct mail *mail, const struct entry *entry, uint64_t now)
{
	struct pg_message_stats *stats = &shard->stats->messages;
	struct outgoing message = entry->message;

	message.body = (const uint8_t *)(entry + 1);
	session_deliver(shard, entry->session, &message, now);
	counter_add(mail->at == MAIL_CONTROL ? &stats->letters_in : &stats->mailed_in, 1);
}

const struct mailed_datagram *mail_oldest_datagram(struct mail *mail, struct session_shard *shard, uint32_t *left,
						   uint64_t now)
{
	collect(mail);
	while (*left > 0) {
		const struct entry *entry = next_entry(mail);

		if (!entry)
			return NULL;
		--*left;
		if (entry->kind == MAIL_DATAGRAM)
			return &entry->datagram;
		if (entry->kind == MAIL_END)
			older_ended(shard, entry->session, now);
		else
			deliver(shard, mail, entry, now);
		mail_remove(mail);
	}
	return NULL;
}

void mail_remove(struct mail *mail)
{
	mailbox_remove(box_in_hand(mail));
	mail->at = (mail->at + 1) % (MAIL_CONTROL + 1);
}

bool mail_sleep(struct mail *mail)
{
	uint64_t nothing = 0;

	return mail->in_hand == 0 &&
	       atomic_compare_exchange_strong(&mail->mailboxes->box[mail->number].waiting, &nothing, MAIL_ASLEEP);
}

void mail_wake(struct mail *mail)
{
	atomic_fetch_and_explicit(&mail->mailboxes->box[mail->number].waiting, ~MAIL_ASLEEP, memory_order_relaxed);
}
