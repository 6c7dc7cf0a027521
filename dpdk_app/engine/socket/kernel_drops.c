// SPDX-License-Identifier: BSD-3-Clause
// engine/socket/kernel_drops.c: see kernel_drops.h.

#include "engine/socket/kernel_drops.h"

#include <linux/sock_diag.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define LINE 1024

/// The value below a name: line after line of /proc/net/snmp has as many of the one as of the other.
static uint64_t below(const char *names, const char *values, const char *wanted)
{
	char name_line[LINE], value_line[LINE], *name_rest, *value_rest;
	const char *name, *value;

	snprintf(name_line, sizeof(name_line), "%s", names);
	snprintf(value_line, sizeof(value_line), "%s", values);
	name = strtok_r(name_line, " \n", &name_rest);
	value = strtok_r(value_line, " \n", &value_rest);
	while (name && value && strcmp(name, wanted) != 0) {
		name = strtok_r(NULL, " \n", &name_rest);
		value = strtok_r(NULL, " \n", &value_rest);
	}
	return name && value ? strtoull(value, NULL, 10) : 0;
}

uint64_t snmp_overflows(FILE *file)
{
	char names[LINE] = "", values[LINE];

	while (fgets(values, sizeof(values), file)) {
		if (strncmp(names, "Udp: ", 5) == 0 && strncmp(values, "Udp: ", 5) == 0)
			return below(names, values, "RcvbufErrors") + below(names, values, "MemErrors");
		memcpy(names, values, sizeof(names));
	}
	return 0;
}

uint64_t snmp6_overflows(FILE *file)
{
	char line[LINE], name[64], value[32];
	uint64_t overflows = 0;

	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%63s %31s", name, value) == 2 &&
		    (strcmp(name, "Udp6RcvbufErrors") == 0 || strcmp(name, "Udp6MemErrors") == 0))
			overflows += strtoull(value, NULL, 10);
	return overflows;
}

static uint64_t read_overflows(const char *path, uint64_t (*parse)(FILE *file), uint64_t otherwise)
{
	FILE *file = fopen(path, "re");
	uint64_t overflows;

	if (!file)
		return otherwise;
	overflows = parse(file);
	fclose(file);
	return overflows;
}

static void begin(struct overflow *overflow, uint64_t now)
{
	*overflow = (struct overflow){.seen = now};
}

void overflow_advance(struct overflow *overflow, uint64_t now)
{
	const uint64_t fresh = now > overflow->seen ? now - overflow->seen : 0;
	const uint64_t kept = overflow->unclaimed < overflow->fresh ? overflow->unclaimed : overflow->fresh;

	*overflow = (struct overflow){.seen = now, .fresh = fresh, .unclaimed = kept + fresh};
}

void kernel_drops_begin(struct kernel_drops *drops)
{
	begin(&drops->v4, read_overflows("/proc/net/snmp", snmp_overflows, 0));
	begin(&drops->v6, read_overflows("/proc/net/snmp6", snmp6_overflows, 0));
}

void kernel_drops_refresh(struct kernel_drops *drops)
{
	overflow_advance(&drops->v4, read_overflows("/proc/net/snmp", snmp_overflows, drops->v4.seen));
	overflow_advance(&drops->v6, read_overflows("/proc/net/snmp6", snmp6_overflows, drops->v6.seen));
}

uint32_t kernel_drops_claim(struct overflow *overflow, uint32_t n)
{
	const uint32_t claimed = n < overflow->unclaimed ? n : (uint32_t)overflow->unclaimed;

	overflow->unclaimed -= claimed;
	return claimed;
}

uint32_t socket_drops(int fd, uint32_t otherwise)
{
	uint32_t info[SK_MEMINFO_VARS] = {0};
	socklen_t size = sizeof(info);

	return getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &size) == 0 ? info[SK_MEMINFO_DROPS] : otherwise;
}
