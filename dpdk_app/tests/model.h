// SPDX-License-Identifier: BSD-3-Clause
// model.h: every order in which two sides of a ring can do what they do, on a memory as weak as C allows.
//
// The ring's own code runs, with bus/shared.h replaced by what is declared here. A side's program is run from its beginning up
// to its next access, with the results of those before it; what the access does is a step of the explorer, which tries all that
// there are and goes on from each. States that were seen before are not entered twice.
//
// Memory: each word is written by one side, and has all values that it ever had. A load finds any value that is not older than
// what the side knows of; acquiring one that was released brings all that its writer knew. Stores lie in a buffer first and
// leave it in any order but those that a release, a fence or shared_keep_order() forbids: so who is killed has made any of them
// that a compiler or processor may have made. A plain access that another side's access can meet is an error.
//
// Not modelled: loads that are made before earlier loads of other words but for the values they find; stores before earlier loads.

#ifndef POLLGATE_TESTS_MODEL_H
#define POLLGATE_TESTS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum model_side { MODEL_WRITER, MODEL_READER, MODEL_SIDES };

/// What is taken out of the code, to see that it is missed.
enum model_lack {
	MODEL_WHOLE,
	MODEL_NO_RELEASE, // releasing stores are plain ones
	MODEL_NO_ACQUIRE,
	MODEL_NO_ORDER, // shared_keep_order() does nothing
	MODEL_NO_FENCE, // shared_fence() does nothing
	MODEL_NO_ZERO,  // words of data are not made 0
	MODEL_NO_WAKE,  // shared_wake() does nothing
};

struct model_scene {
	void (*program[MODEL_SIDES])(void); // run again from the beginning when the side was killed
	unsigned kills[MODEL_SIDES];        // at most, each before any access or store
	const uint64_t *const *word;        // what both share, with the values that it has at first
	unsigned words_n;
	unsigned constants_n; // so many of them nobody stores to
	unsigned writers_n;   // so many of them are the writer's, those behind them the reader's
	void (*before)(bool); // NULL; or called around a first run in one order, after which all begins
	enum model_lack lack;
};

struct model_result {
	const char *wrong; // NULL: nothing, in any order
	unsigned long states;
	unsigned long ends; // states in which both had come to their end
};

struct model_result model_explore(const struct model_scene *scene);

// What programs call.

/// What was wrong ends the exploration.
void model_require(bool right, const char *what);
void model_plain_store(uint64_t *word, uint64_t value);
uint64_t model_plain_load(const uint64_t *word);
/// Waits until the word has a value that this side has not seen. Stands for looking again and again.
void model_await(const uint64_t *word);
/// futex(2): FUTEX_WAIT.
void model_futex_wait(const uint32_t *word, uint32_t value);
/// Goes with the stores of this side from now on. Of a word of its own, who succeeds it is told that of the last one made.
void model_note(uint64_t note);
uint64_t model_noted(const uint64_t *word);

// What bus/shared.h has.

uint64_t shared_acquire(const uint64_t *word);
uint32_t shared_acquire32(const uint32_t *word);
void shared_release(uint64_t *word, uint64_t value);
void shared_store(uint64_t *word, uint64_t value);
void shared_store32(uint32_t *word, uint32_t value);
void shared_fence(void);
void shared_keep_order(void);
void shared_wake(const uint32_t *word);

#endif
