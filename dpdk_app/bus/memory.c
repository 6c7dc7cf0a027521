// SPDX-License-Identifier: BSD-3-Clause
// bus/memory.c: see memory.h.

#include "bus/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/memfd.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010 // Linux 5.1; glibc has it from 2.38 on
#endif

#define HUGE_PAGE_BYTES (2UL << 20)

#define SEALS_NEEDED (F_SEAL_SHRINK | F_SEAL_GROW)

static bool refuse(struct memory_file *file, const char *what, size_t bytes, char *why, size_t why_bytes)
{
	const int error = errno;

	snprintf(why, why_bytes, "a memory file of %zu bytes: %s: %s", bytes, what, strerror(error));
	memory_file_close(file);
	return false;
}

static bool make_of_pages(struct memory_file *file, const char *name, size_t bytes, unsigned pages, char *why,
			  size_t why_bytes)
{
	*file = (struct memory_file){.bytes = bytes, .fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | pages)};
	if (file->fd < 0)
		return refuse(file, "memfd_create", bytes, why, why_bytes);
	if (ftruncate(file->fd, (off_t)bytes) != 0)
		return refuse(file, "ftruncate", bytes, why, why_bytes);
	if (pages != 0 &&
	    fallocate(file->fd, 0, 0, (off_t)bytes) != 0) // who touches a huge page that is not there is killed
		return refuse(file, "fallocate", bytes, why, why_bytes);
	file->at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd, 0);
	if (file->at == MAP_FAILED) {
		file->at = NULL;
		return refuse(file, "mmap", bytes, why, why_bytes);
	}
	if (fcntl(file->fd, F_ADD_SEALS, SEALS_NEEDED) != 0)
		return refuse(file, "seals", bytes, why, why_bytes);
	return true;
}

bool memory_file_make(struct memory_file *file, const char *name, size_t bytes, char *why, size_t why_bytes)
{
	return make_of_pages(file, name, bytes, 0, why, why_bytes);
}

bool memory_file_make_huge(struct memory_file *file, const char *name, size_t bytes, char *why, size_t why_bytes)
{
	const size_t whole = (bytes + HUGE_PAGE_BYTES - 1) & ~(HUGE_PAGE_BYTES - 1);

	return (bytes <= whole && make_of_pages(file, name, whole, MFD_HUGETLB | MFD_HUGE_2MB, why, why_bytes)) ||
	       memory_file_make(file, name, bytes, why, why_bytes);
}

bool memory_file_seal(int fd, char *why, size_t why_bytes)
{
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) == 0)
		return true;
	snprintf(why, why_bytes, "a memory file cannot be sealed against writing: %s", strerror(errno));
	return false;
}

/// What is mapped of a file in huge pages, and unmapped again, is whole pages.
static size_t in_whole_pages(int fd, size_t bytes)
{
	struct statfs system;
	size_t page;

	if (fstatfs(fd, &system) != 0 || system.f_type != HUGETLBFS_MAGIC || system.f_bsize <= 0)
		return bytes;
	page = (size_t)system.f_bsize;
	return (bytes + page - 1) / page * page;
}

/// @param how  MAP_POPULATE: all pages now
static bool map(struct memory_file *file, int fd, size_t bytes, int access, int how, int wanted, char *why,
		size_t why_bytes)
{
	const int seals = fcntl(fd, F_GET_SEALS);
	struct stat status;

	bytes = in_whole_pages(fd, bytes);
	*file = (struct memory_file){.bytes = bytes, .fd = -1};
	if (seals < 0 || fstat(fd, &status) != 0)
		return refuse(file, "it is none", bytes, why, why_bytes);
	errno = EPERM;
	if ((seals & F_SEAL_SHRINK) == 0)
		return refuse(file, "it is not sealed against shrinking", bytes, why, why_bytes);
	if ((seals & wanted) != wanted)
		return refuse(file, "it is not sealed against writing", bytes, why, why_bytes);
	errno = EINVAL;
	if (status.st_size < 0 || (uint64_t)status.st_size < bytes)
		return refuse(file, "it is shorter", bytes, why, why_bytes);
	file->at = mmap(NULL, bytes, access, MAP_SHARED | how, fd, 0);
	if (file->at == MAP_FAILED) {
		file->at = NULL;
		return refuse(file, "mmap", bytes, why, why_bytes);
	}
	return true;
}

bool memory_file_map(struct memory_file *file, int fd, size_t bytes, char *why, size_t why_bytes)
{
	return map(file, fd, bytes, PROT_READ, MAP_POPULATE, 0, why, why_bytes);
}

bool memory_file_glance(struct memory_file *file, int fd, size_t bytes, char *why, size_t why_bytes)
{
	return map(file, fd, bytes, PROT_READ, 0, 0, why, why_bytes);
}

bool memory_file_map_sealed(struct memory_file *file, int fd, size_t bytes, char *why, size_t why_bytes)
{
	return map(file, fd, bytes, PROT_READ, MAP_POPULATE, F_SEAL_FUTURE_WRITE, why, why_bytes);
}

bool memory_file_map_for_writing(struct memory_file *file, int fd, size_t bytes, char *why, size_t why_bytes)
{
	return map(file, fd, bytes, PROT_READ | PROT_WRITE, MAP_POPULATE, 0, why, why_bytes);
}

void memory_file_close(struct memory_file *file)
{
	if (file->at)
		munmap(file->at, file->bytes);
	if (file->fd >= 0)
		close(file->fd);
	*file = (struct memory_file){.fd = -1};
}
