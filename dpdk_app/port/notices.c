// SPDX-License-Identifier: BSD-3-Clause
// port/notices.c: see notices.h.
//
// Either way the supervisor has the worker process end in order: the next one opens the device anew, which is more than a
// reset, and keeps every session. What is being taken away is let go of so, and waited for.

#include "port/notices.h"

#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_version.h>

/// A virtual function whose physical one was reset, ENA and mana after a fault, a driver whose own recovery failed.
static const enum rte_eth_event_type resets[] = {RTE_ETH_EVENT_INTR_RESET, RTE_ETH_EVENT_RECOVERY_FAILED};

static int on_reset(uint16_t id, enum rte_eth_event_type event, void *argument, void *told)
{
	struct notices *notices = argument;

	(void)id;
	(void)event;
	(void)told;
	atomic_store_explicit(&notices->asks_reset, true, memory_order_relaxed);
	return 0;
}

/// The event of drivers that notice a removal themselves, such as mlx5, bnxt, mana.
static int on_removal(uint16_t id, enum rte_eth_event_type event, void *argument, void *told)
{
	struct notices *notices = argument;

	(void)id;
	(void)event;
	(void)told;
	atomic_store_explicit(&notices->is_leaving, true, memory_order_relaxed);
	return 0;
}

// The kernel asks for any card of vfio-pci back, and waits until it is closed. DPDK passes the request on by an API that was
// experimental before 23.11; with an older DPDK the kernel waits until the gateway ends, and the card serves until then.
#if RTE_VERSION >= RTE_VERSION_NUM(23, 11, 0, 0)
static void on_request(const char *device, enum rte_dev_event_type event, void *argument)
{
	struct notices *notices = argument;

	(void)device;
	if (event == RTE_DEV_EVENT_REMOVE)
		atomic_store_explicit(&notices->is_leaving, true, memory_order_relaxed);
}

static const char *device_name(uint16_t port_id)
{
	struct rte_eth_dev_info info;

	return rte_eth_dev_info_get(port_id, &info) == 0 ? rte_dev_name(info.device) : NULL;
}

static void begin_requests(struct notices *notices)
{
	const char *name = device_name(notices->port_id);

	if (name)
		rte_dev_event_callback_register(name, on_request, notices);
}

static void end_requests(struct notices *notices)
{
	const char *name = device_name(notices->port_id);

	if (name)
		rte_dev_event_callback_unregister(name, on_request, notices);
}
#else
static void begin_requests(struct notices *notices)
{
	(void)notices;
}

static void end_requests(struct notices *notices)
{
	(void)notices;
}
#endif

/// Without a callback, for want of memory, a device is not heard; everything else works.
void notices_begin(struct notices *notices, uint16_t port_id)
{
	notices->port_id = port_id;
	for (unsigned i = 0; i < RTE_DIM(resets); i++)
		rte_eth_dev_callback_register(port_id, resets[i], on_reset, notices);
	rte_eth_dev_callback_register(port_id, RTE_ETH_EVENT_INTR_RMV, on_removal, notices);
	begin_requests(notices);
}

void notices_end(struct notices *notices)
{
	for (unsigned i = 0; i < RTE_DIM(resets); i++)
		rte_eth_dev_callback_unregister(notices->port_id, resets[i], on_reset, notices);
	rte_eth_dev_callback_unregister(notices->port_id, RTE_ETH_EVENT_INTR_RMV, on_removal, notices);
	end_requests(notices);
}

enum pg_device_state notices_state(const struct notices *notices)
{
	if (atomic_load_explicit(&notices->is_leaving, memory_order_relaxed))
		return PG_DEVICE_LEAVING;
	return atomic_load_explicit(&notices->asks_reset, memory_order_relaxed) ? PG_DEVICE_RESET : PG_DEVICE_WELL;
}
