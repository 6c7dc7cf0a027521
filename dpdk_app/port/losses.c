// SPDX-License-Identifier: BSD-3-Clause
// port/losses.c: see losses.h.

#include "port/losses.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/if_packet.h>
#include <linux/if_xdp.h>

#ifndef SOL_XDP
#define SOL_XDP 283
#endif

typedef bool wanted_socket(int fd, const void *context);

static int domain_of(int fd)
{
	int domain = 0;
	socklen_t size = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 ? domain : -1;
}

static bool is_packet_socket_of(int fd, const void *index)
{
	struct sockaddr_ll address = {0};
	socklen_t size = sizeof(address);

	return domain_of(fd) == AF_PACKET && getsockname(fd, (struct sockaddr *)&address, &size) == 0 &&
	       (uint32_t)address.sll_ifindex == *(const uint32_t *)index;
}

static bool is_other_xdp_socket(int fd, const void *context)
{
	const struct sockets_found *known = context;

	for (unsigned i = 0; i < known->count; i++)
		if (known->fd[i] == fd)
			return false;
	return domain_of(fd) == AF_XDP;
}

static struct sockets_found find_sockets(wanted_socket *wanted, const void *context)
{
	struct sockets_found found = {0};
	DIR *directory = opendir("/proc/self/fd");
	const struct dirent *entry;

	if (!directory)
		return found;
	while ((entry = readdir(directory)) && found.count < LOSSES_SOCKETS_MAX) {
		const int fd = (int)strtol(entry->d_name, NULL, 10);

		if (entry->d_name[0] != '.' && wanted(fd, context))
			found.fd[found.count++] = fd;
	}
	closedir(directory);
	return found;
}

void losses_prepare(struct losses *losses)
{
	const struct sockets_found none = {0};

	*losses = (struct losses){.xdp = find_sockets(is_other_xdp_socket, &none)};
}

void losses_begin(struct losses *losses, uint32_t index)
{
	const struct sockets_found others = losses->xdp;

	losses->xdp = find_sockets(is_other_xdp_socket, &others);
	if (index != 0)
		losses->packet = find_sockets(is_packet_socket_of, &index);
}

/// A driver that reads them, too, has counted what is missing here.
static uint64_t newly_lost_packets(int fd)
{
	struct tpacket_stats counts = {0};
	socklen_t size = sizeof(counts);

	return getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &counts, &size) == 0 ? counts.tp_drops : 0;
}

static uint64_t lost_xdp(int fd)
{
	struct xdp_statistics counts = {0};
	socklen_t size = sizeof(counts);

	if (getsockopt(fd, SOL_XDP, XDP_STATISTICS, &counts, &size) != 0)
		return 0;
	return counts.rx_dropped + counts.rx_ring_full;
}

uint64_t losses_total(struct losses *losses, uint64_t counted_by_driver)
{
	uint64_t of_xdp = 0;

	for (unsigned i = 0; i < losses->packet.count; i++)
		losses->of_packet += newly_lost_packets(losses->packet.fd[i]);
	for (unsigned i = 0; i < losses->xdp.count; i++)
		of_xdp += lost_xdp(losses->xdp.fd[i]);
	if (of_xdp > losses->of_xdp)
		losses->of_xdp = of_xdp;
	// What the kernel counts of AF_XDP includes what the driver does.
	if (losses->xdp.count > 0)
		return losses->of_xdp > counted_by_driver ? losses->of_xdp : counted_by_driver;
	return counted_by_driver + losses->of_packet;
}
