// SPDX-License-Identifier: BSD-3-Clause
// stats/directory.h: what the statistics page says of itself.

#ifndef STATS_DIRECTORY_H
#define STATS_DIRECTORY_H

#include "pollgate.h"

/// Every byte of the directory is written: two builds have the same page if and only if their directories are equal.
void stats_directory_write(struct pg_stats_directory *directory);

#endif
