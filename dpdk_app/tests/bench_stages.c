// SPDX-License-Identifier: BSD-3-Clause
// tests/bench_stages.c: what each stage of the pipeline costs, in TSC cycles per packet. A benchmark, not a test.
//
//   bench_stages CAPTURE.pcap [ROUNDS [SOURCE_PPS]]
//
// With SOURCE_PPS each source is limited to so many a second, in bursts of 64: more than the capture brings, or it shows.
// The pipeline's own source is included, so that its stages can be timed apart, with the flags of the build. Frames
// are copied into 64 buffers first, as net_pcap does; the copy is timed apart too. Medians over the rounds.

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ISA bench
#include "pipeline/burst.c"
#include "pipeline/datagram.c"
#include "rig.h"

#define FRAMES_MAX 16384
#define FRAME_BYTES 128
#define BUFFER_BYTES 2304
#define HEADROOM 128
#define CAPACITY 65536
#define BURSTS_PER_ROUND 2000
#define SOURCE_BURST 64

/// Of `pollgate bench` captures; rig_open has the rest: 10.0.0.1, UDP port 8080.
static const uint8_t ingress_mac[MAC_LEN] = {2, 0, 0, 0, 0, 2};

enum stage { STAGE_COPY, STAGE_SORT, STAGE_PROBE, STAGE_ANSWER, STAGE_DATAGRAMS, STAGES };
static const char *const stage_names[STAGES] = {
	[STAGE_COPY] = "copy in (stands for the device)",
	[STAGE_SORT] = "sort: parse, checksums, message, hash",
	[STAGE_PROBE] = "probe: index bucket, and source's bucket",
	[STAGE_ANSWER] = "answer: session, state, acknowledgement",
	[STAGE_DATAGRAMS] = "datagrams: all of this without frames",
};

struct capture {
	uint8_t frame[FRAMES_MAX][FRAME_BYTES] CACHE_ALIGNED;
	uint16_t length[FRAMES_MAX];
	unsigned count;
};

/// As net_pcap's buffers lie: one behind the other, data behind the headroom.
struct buffers {
	uint8_t bytes[BURST_MAX][BUFFER_BYTES] CACHE_ALIGNED;
};

static void fail(const char *what)
{
	fprintf(stderr, "bench_stages: %s\n", what);
	exit(1);
}

static void read_capture(struct capture *capture, const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t header[24];
	uint32_t record[4];

	if (!file || fread(header, sizeof(header), 1, file) != 1)
		fail("the capture cannot be read");
	while (capture->count < FRAMES_MAX && fread(record, sizeof(record), 1, file) == 1) {
		if (record[2] > FRAME_BYTES || fread(capture->frame[capture->count], record[2], 1, file) != 1)
			fail("the capture has a frame of more than 128 bytes, or is cut");
		capture->length[capture->count++] = (uint16_t)record[2];
	}
	fclose(file);
	if (capture->count == 0)
		fail("the capture is empty");
}

static unsigned copy_in(struct buffers *buffers, const struct capture *capture, struct burst *burst, unsigned next)
{
	for (unsigned i = 0; i < BURST_MAX; i++) {
		burst->frame[i] = buffers->bytes[i] + HEADROOM;
		burst->length[i] = capture->length[next];
		memcpy(burst->frame[i], capture->frame[next], FRAME_BYTES);
		next = next + 1 == capture->count ? 0 : next + 1;
	}
	return next;
}

/// The same order as run() in burst.c, with the clock read in between.
static unsigned timed_burst(struct ingress *ingress, struct buffers *buffers, const struct capture *capture,
			    unsigned next, uint64_t *cycles)
{
	struct burst burst;
	struct lanes lanes;
	uint64_t now = pg_tsc(), then = now;

	next = copy_in(buffers, capture, &burst, next);
	now = pg_tsc(), cycles[STAGE_COPY] += now - then, then = now;
	begin(ingress, &burst, &lanes, BURST_MAX);
	sort_burst(ingress, &burst, &lanes, BURST_MAX, false);
	now = pg_tsc(), cycles[STAGE_SORT] += now - then, then = now;
	probe_burst(ingress, &lanes.plain, now);
	now = pg_tsc(), cycles[STAGE_PROBE] += now - then, then = now;
	answer_all_plain(ingress, &burst, &lanes.plain, now, TX_CHECKSUM_NONE);
	now = pg_tsc(), cycles[STAGE_ANSWER] += now - then;
	return next;
}

/// The same frames as a socket would give them: the copy is the kernel's.
static unsigned timed_datagrams(struct ingress *ingress, struct buffers *buffers, const struct capture *capture,
				unsigned next, uint64_t *cycles)
{
	struct burst burst;
	struct datagram_burst datagrams;

	next = copy_in(buffers, capture, &burst, next);
	for (unsigned i = 0; i < BURST_MAX; i++) {
		const struct packet p = common_packet(burst.frame[i]);

		datagrams.peer[i] = p.peer;
		datagrams.payload[i] = payload_of(burst.frame[i], &p);
		datagrams.length[i] = payload_len(&p);
	}

	const uint64_t then = pg_tsc();

	hot_path_bench.run_datagrams(ingress, &datagrams, BURST_MAX, then);
	cycles[STAGE_DATAGRAMS] += pg_tsc() - then;
	return next;
}

static int by_value(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	const unsigned rounds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 21;
	const uint32_t source_pps = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 0;
	struct capture *capture = zeroed_lines(sizeof(*capture));
	struct buffers *buffers = zeroed_lines(sizeof(*buffers));
	struct rig *rig = rig_open("auto", CAPACITY);
	double *samples[STAGES];
	unsigned next = 0;

	if (argc < 2 || rounds == 0)
		fail("usage: bench_stages CAPTURE.pcap [ROUNDS [SOURCE_PPS]]");
	read_capture(capture, argv[1]);
	identity_set_mac(&rig->identity, ingress_mac);
	if (source_pps != 0)
		rig_limit_sources(rig, 0, rate_make(source_pps, SOURCE_BURST, pg_tsc_hz()));
	for (unsigned s = 0; s < STAGES; s++)
		samples[s] = zeroed_lines(rounds * sizeof(double));
	for (unsigned round = 0; round < rounds; round++) {
		uint64_t cycles[STAGES] = {0};

		for (unsigned i = 0; i < BURSTS_PER_ROUND; i++)
			next = timed_burst(&rig->ingress, buffers, capture, next, cycles);
		for (unsigned i = 0; i < BURSTS_PER_ROUND; i++)
			next = timed_datagrams(&rig->ingress, buffers, capture, next, cycles);
		for (unsigned s = 0; s < STAGES; s++)
			samples[s][round] = (double)cycles[s] / (BURSTS_PER_ROUND * BURST_MAX);
	}
	for (unsigned s = 0; s < STAGES; s++) {
		qsort(samples[s], rounds, sizeof(double), by_value);
		printf("%-42s %6.1f cycles/packet (%.1f to %.1f)\n", stage_names[s], samples[s][rounds / 2],
		       samples[s][0], samples[s][rounds - 1]);
	}
	printf("acknowledged %" PRIu64 " of %" PRIu64 "\n", rig->stats.handled[PG_MESSAGE_MOVE], rig->stats.received);
	return 0;
}
