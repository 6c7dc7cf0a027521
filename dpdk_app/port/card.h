// SPDX-License-Identifier: BSD-3-Clause
// port/card.h: is the card that was opened still in its slot, and with the driver that gave it away?
//
// When a card is pulled out, the kernel first takes it from its driver. vfio-pci then waits for the process that uses the
// card, and not every DPDK release tells that process. uio_pci_generic lets the card go at once: its registers then read as
// anything, and the driver in this process goes on with them and reports nothing. For the control thread only.

#ifndef POLLGATE_PORT_CARD_H
#define POLLGATE_PORT_CARD_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

struct card {
	char path[PATH_MAX]; // empty: nothing of the kernel's to look at
	ino_t device;        // a card that comes back is another one
	ino_t driver;
};

/// Remember the card and driver that are there now.
/// @param path  the kernel's directory for the card, /sys/bus/pci/devices/ADDRESS
void card_begin(struct card *card, const char *path);

/// @return false: the card was taken out (and perhaps put back since), or has another driver or none
bool card_stands(const struct card *card);

#endif
