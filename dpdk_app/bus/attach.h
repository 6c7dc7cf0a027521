// SPDX-License-Identifier: BSD-3-Clause
// bus/attach.h: how a game process and the supervisor talk: one message per packet of a unix socket (SOCK_SEQPACKET),
// little-endian. The end of the stream is the end of the attachment, from either side.
//
// A process says HELLO and hears WELCOME or REFUSED. Then it gets its rings (RINGS), two files for each worker: one that
// the worker writes, one that the process writes. It maps those that it writes and says MAPPED: from then on nobody can map
// them for writing or punch holes in them, and the workers read them, not before. The next process of a name gets others that go
// on where these ended. A worker that died is replaced by another with a new file for what it writes;
// its positions go on where those of the file before it ended, so what is left there is read first.
//
// A file may be in huge pages: whoever maps it maps whole ones (bus/memory.h).
//
// In each file lies the state of its writer as a reader of the other one, then the ring that it writes: struct bus_file.

#ifndef POLLGATE_BUS_ATTACH_H
#define POLLGATE_BUS_ATTACH_H

#include <stddef.h>
#include <stdint.h>

#include "bus/file.h"
#include "compiler.h"

#define ATTACH_MAGIC 0x31425047U // GPB1

/// Of this header, bus/records.h and the layout of a ring; both sides have the same.
#define ATTACH_VERSION 3

#define ATTACH_NAME_MAX 32 // bytes, with the zero that ends it
#define ATTACH_TOKEN_MAX 128
#define ATTACH_TEXT_MAX 400

enum attach_kind {
	ATTACH_HELLO = 1,     // the process, first
	ATTACH_WELCOME = 2,   // the supervisor
	ATTACH_REFUSED = 3,   // the supervisor, and then it closes
	ATTACH_RINGS = 4,     // the supervisor; with descriptors
	ATTACH_OPEN = 5,      // the process wants to write to another
	ATTACH_PAIR = 6,      // the supervisor; with descriptors
	ATTACH_NOBODY = 7,    // the supervisor: there is none of that name to open
	ATTACH_TOPIC = 8,     // the process subscribes to a topic, or ends that
	ATTACH_READERS = 9,   // the supervisor: one of the processes that have a topic
	ATTACH_DETACHED = 10, // the supervisor: why it is detached, and then it closes
	ATTACH_MAPPED = 11, // the process has mapped its files of all workers; a head alone, once, soon after the RINGS
};

/// First in each.
struct attach_head {
	uint32_t magic;
	uint16_t version; // ATTACH_VERSION
	uint16_t kind;
} PACKED;

#define ATTACH_WANTS_MOVES 0x01

struct attach_hello {
	struct attach_head head;
	uint32_t wants; // ATTACH_WANTS_…
	uint32_t zero;
	char name[ATTACH_NAME_MAX];   // of letters, digits, `-`, `_` and `.`; ended and filled up with zeros
	char token[ATTACH_TOKEN_MAX]; // likewise, of any bytes
	char version[32];             // of the library, for people
} PACKED;

/// One RINGS for each worker follows, and before it one for each file of a dead worker that was not read to its end.
struct attach_welcome {
	struct attach_head head;
	uint32_t workers;
	uint32_t ring_bytes;
	char version[32]; // of the gateway, for people
} PACKED;

enum attach_refusal {
	ATTACH_REFUSED_VERSION = 1,
	ATTACH_REFUSED_NAME = 2,  // it has no such form
	ATTACH_REFUSED_TAKEN = 3, // by a process that lives
	ATTACH_REFUSED_TOKEN = 4,
	ATTACH_REFUSED_FULL = 5,
	ATTACH_REFUSED_MEMORY = 6,
	ATTACH_REFUSED_MALFORMED = 7,
	ATTACH_REFUSED_USER = 8, // it is none of those who may attach
};

/// REFUSED, DETACHED and NOBODY.
struct attach_text {
	struct attach_head head;
	uint16_t reason; // enum attach_refusal; of others 0
	uint16_t zero;
	char text[ATTACH_TEXT_MAX]; // a sentence, ended by a zero
} PACKED;

/// With three descriptors: the worker's file, to be mapped for reading; the process's file, for writing; an eventfd that
/// wakes the worker if it sleeps. Of a worker that comes after another only the first is new.
struct attach_rings {
	struct attach_head head;
	uint32_t worker;
	uint32_t incarnation; // 1, and one more for each that came after another
} PACKED;

/// OPEN: to write to that process. PAIR: with two descriptors, the writer's file and the reader's; or, without any, that the
/// other's name is given up: nobody reads what is written there any more. The next process of a name gets another file to
/// write; one that reads goes on with the next writer's files when it has read the last one's to its end, or a ring further.
struct attach_pair {
	struct attach_head head;
	uint32_t role; // of a PAIR: enum attach_role of whoever gets it; of others 0
	uint32_t zero;
	char name[ATTACH_NAME_MAX]; // of the other
} PACKED;

enum attach_role {
	ATTACH_WRITES = 1,
	ATTACH_READS = 2,
	ATTACH_ENDS = 3,
	ATTACH_RENEWS =
		4, // whoever reads what it writes is another: the reader's file alone, which goes on where the last ended
};

/// TOPIC, READERS.
struct attach_topic {
	struct attach_head head;
	uint32_t topic;             // a hash of its name, which the library makes
	uint32_t on;                // 0: no longer
	char name[ATTACH_NAME_MAX]; // READERS: of the process; TOPIC: 0
} PACKED;

static_assert(sizeof(struct attach_hello) == 208 && sizeof(struct attach_welcome) == 48 &&
		      sizeof(struct attach_text) == 412 && sizeof(struct attach_rings) == 16 &&
		      sizeof(struct attach_pair) == 48 && sizeof(struct attach_topic) == 48,
	      "what two processes agree on");

#endif
