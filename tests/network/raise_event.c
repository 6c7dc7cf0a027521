// SPDX-License-Identifier: BSD-3-Clause
// raise_event.c: preloaded into a worker process, it says in a driver's place that a device asks to be reset: as soon as
// the file of RAISE_WHEN is there, which it takes away. No virtual device of DPDK ever says that.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_ethdev.h>

#define PAUSE_US 10000

typedef struct rte_eth_dev *find_device(const char *name);
typedef int tell(struct rte_eth_dev *device, enum rte_eth_event_type event, void *told);

static int find_ethdev(struct dl_phdr_info *info, size_t size, void *name)
{
	(void)size;
	if (!strstr(info->dlpi_name, "librte_ethdev.so"))
		return 0;
	snprintf(name, 4096, "%s", info->dlpi_name);
	return 1;
}

static void raise_event(void)
{
	char name[4096] = "";
	void *ethdev;
	find_device *find;
	tell *process;

	dl_iterate_phdr(find_ethdev, name);
	ethdev = dlopen(name, RTLD_NOW | RTLD_NOLOAD);
	find = ethdev ? (find_device *)dlsym(ethdev, "rte_eth_dev_allocated") : NULL;
	process = ethdev ? (tell *)dlsym(ethdev, "rte_eth_dev_callback_process") : NULL;
	if (find && process)
		process(find(getenv("RAISE_FOR")), (enum rte_eth_event_type)atoi(getenv("RAISE_EVENT")), NULL);
}

static void *wait_for_file(void *path)
{
	while (unlink(path) != 0)
		usleep(PAUSE_US);
	raise_event();
	return NULL;
}

static int is_worker(void)
{
	char command[4096] = "";
	FILE *file = fopen("/proc/self/cmdline", "r");
	const size_t length = file ? fread(command, 1, sizeof(command) - 1, file) : 0;

	if (file)
		fclose(file);
	return memmem(command, length, "pyshim.run.worker", strlen("pyshim.run.worker")) != NULL;
}

__attribute__((constructor)) static void begin(void)
{
	sigset_t all, before;
	pthread_t thread;

	if (!is_worker() || !getenv("RAISE_WHEN"))
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&thread, NULL, wait_for_file, getenv("RAISE_WHEN")) == 0)
		pthread_detach(thread);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}
