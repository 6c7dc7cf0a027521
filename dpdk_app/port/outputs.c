// SPDX-License-Identifier: BSD-3-Clause
// port/outputs.c: see outputs.h.

#include "port/outputs.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "port/about.h"
#include "port/arguments.h"

#define FILE_HEADER 24 // of a capture
#define RECORD_HEADER 16

void outputs_begin(struct outputs *outputs, const char *arguments)
{
	char path[OUTPUT_PATH_MAX];
	struct stat found;

	*outputs = (struct outputs){.state = PG_DEVICE_WELL};
	for (const char *at = arguments; (at = argument_next(at, "tx_pcap", path, sizeof(path)));) {
		// All or none: what is accepted is known of the whole device.
		if (outputs->count == OUTPUTS_MAX || strlen(path) == sizeof(path) - 1 || stat(path, &found) != 0 ||
		    !S_ISREG(found.st_mode)) {
			outputs->count = 0;
			return;
		}

		struct output *new = &outputs->file[outputs->count++];

		memcpy(new->path, path, sizeof(path));
		new->device = found.st_dev;
		new->inode = found.st_ino;
	}
}

/// @return the bytes in all files; `away`: one of them that is not at its place any more
static uint64_t written(const struct outputs *outputs, const struct output **away)
{
	uint64_t bytes = 0;
	struct stat found;

	for (unsigned i = 0; i < outputs->count; i++) {
		const struct output *file = &outputs->file[i];

		if (stat(file->path, &found) != 0 || found.st_dev != file->device || found.st_ino != file->inode)
			*away = file;
		else
			bytes += (uint64_t)found.st_size;
	}
	return bytes;
}

enum pg_device_state outputs_look(struct outputs *outputs, uint64_t packets, uint64_t bytes, char about[PG_ABOUT_MAX])
{
	const struct output *away = NULL;
	uint64_t given;

	if (outputs->count == 0)
		return PG_DEVICE_WELL;
	if (!outputs->known) {
		outputs->known = true;
		outputs->packets_before = packets;
		outputs->bytes_before = bytes;
	}
	packets -= outputs->packets_before;
	given = packets == 0 ? 0 : // the header may wait for the first packet
			       outputs->count * FILE_HEADER + packets * RECORD_HEADER + bytes - outputs->bytes_before;
	if (written(outputs, &away) < given && !away)
		outputs->state = PG_DEVICE_FULL; // and stays: a packet that was cut short is in the middle of it
	about_path(about, away ? away->path : outputs->file[0].path);
	return away ? PG_DEVICE_FILE_AWAY : outputs->state;
}
