// SPDX-License-Identifier: BSD-3-Clause
// port/outputs.h: the files to which a device writes what it transmits (tx_pcap= of net_pcap): are the packets in them?
//
// The driver reports a packet as sent even if the write to its file failed. A file that is shorter than what was written to
// it takes no more: its disk is full, or a limit is reached. For the control thread only.

#ifndef POLLGATE_PORT_OUTPUTS_H
#define POLLGATE_PORT_OUTPUTS_H

#include <stdbool.h>
#include <stdint.h>

#include <sys/types.h>

#include "pollgate.h"

#define OUTPUTS_MAX 16
#define OUTPUT_PATH_MAX 512

struct output {
	char path[OUTPUT_PATH_MAX];
	dev_t device; // of the file that was opened
	ino_t inode;
};

struct outputs {
	unsigned count; // 0: nothing is known of files
	struct output file[OUTPUTS_MAX];
	bool known;              // the next two are
	uint64_t packets_before; // accepted when the files were empty
	uint64_t bytes_before;
	enum pg_device_state state;
};

/// Find the files of a device that was just opened.
/// @param arguments  of the device; NULL: none
void outputs_begin(struct outputs *outputs, const char *arguments);

/// @param packets, bytes  totals that the driver accepted; read after the packets were written
/// @param about  out: the file, where the state is not well
/// @return PG_DEVICE_WELL, PG_DEVICE_FULL, or PG_DEVICE_FILE_AWAY
enum pg_device_state outputs_look(struct outputs *outputs, uint64_t packets, uint64_t bytes, char about[PG_ABOUT_MAX]);

#endif
