// SPDX-License-Identifier: BSD-3-Clause
// runtime/confine.c: see confine.h.
//
// Capabilities are a thread's own, so each thread gives up its own. User and group are changed for all of them by the C
// library, and the filter of system calls by the kernel (SECCOMP_FILTER_FLAG_TSYNC).

#include "runtime/confine.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pollgate.h"
#include "stats/error.h"

#define NOBODY_ELSE UINT32_MAX

// ---------------------------------------------------------------- capabilities

bool thread_keep_capabilities(uint64_t kept)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct half[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, half) != 0)
		return false;
	for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		half[i].permitted &= (uint32_t)(kept >> 32 * i);
		half[i].effective = half[i].permitted;
		half[i].inheritable &= (uint32_t)(kept >> 32 * i);
	}
	return syscall(SYS_capset, &header, half) == 0;
}

/// What a program that is started later may have at most. Without CAP_SETPCAP there is nothing to take away: whoever
/// started us without it has decided.
static void limit_bounding_set(uint64_t kept)
{
	for (unsigned capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
		if (!(kept >> capability & 1))
			prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
}

int pg_limit_capabilities(uint64_t kept, struct pg_error *error)
{
	limit_bounding_set(kept);
	if (!thread_keep_capabilities(kept))
		return error_set(error, PG_ERROR_SYSTEM, "capabilities cannot be given up: %s", strerror(errno));
	return PG_OK;
}

int pg_gain_nothing(struct pg_error *error)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return error_set(error, PG_ERROR_SYSTEM, "no_new_privs cannot be set: %s", strerror(errno));
	return PG_OK;
}

int pg_wake_when_orphaned(struct pg_error *error)
{
	if (prctl(PR_SET_PDEATHSIG, SIGCONT, 0, 0, 0) != 0)
		return error_set(error, PG_ERROR_SYSTEM, "the end of the supervisor cannot be heard of: %s",
				 strerror(errno));
	return PG_OK;
}

// ---------------------------------------------------------------- user

static int become(const struct pg_confinement *c, struct pg_error *error)
{
	if (c->uid == NOBODY_ELSE)
		return PG_OK;
	// The thread that closes the devices keeps what that takes; every other one loses all with its user.
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 || setgroups(0, NULL) != 0 ||
	    setresgid(c->gid, c->gid, c->gid) != 0 || setresuid(c->uid, c->uid, c->uid) != 0)
		return error_set(error, PG_ERROR_SYSTEM,
				 "workers.user: this process cannot become user %u, group %u: %s", c->uid, c->gid,
				 strerror(errno));
	return PG_OK;
}

// ---------------------------------------------------------------- system calls

/// What no driver does once its device is open, and what makes a break-in worth its while: start a program, look into
/// another process, change the system. Drivers are many, and some will be other people's, so this is a list of what is
/// refused (EPERM) and not of what is allowed.
static const int refused_calls[] = {
	SCMP_SYS(execve),
	SCMP_SYS(execveat),
	SCMP_SYS(fork),
	SCMP_SYS(vfork),
	SCMP_SYS(ptrace),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(process_madvise),
	SCMP_SYS(pidfd_getfd),
	SCMP_SYS(kcmp),
	SCMP_SYS(mount),
	SCMP_SYS(umount2),
	SCMP_SYS(move_mount),
	SCMP_SYS(open_tree),
	SCMP_SYS(mount_setattr),
	SCMP_SYS(fsopen),
	SCMP_SYS(fsconfig),
	SCMP_SYS(fsmount),
	SCMP_SYS(fspick),
	SCMP_SYS(pivot_root),
	SCMP_SYS(chroot),
	SCMP_SYS(setns),
	SCMP_SYS(unshare),
	SCMP_SYS(init_module),
	SCMP_SYS(finit_module),
	SCMP_SYS(delete_module),
	SCMP_SYS(kexec_load),
	SCMP_SYS(kexec_file_load),
	SCMP_SYS(reboot),
	SCMP_SYS(swapon),
	SCMP_SYS(swapoff),
	SCMP_SYS(acct),
	SCMP_SYS(quotactl),
	SCMP_SYS(syslog),
	SCMP_SYS(perf_event_open),
	SCMP_SYS(userfaultfd),
	SCMP_SYS(io_uring_setup),
	SCMP_SYS(keyctl),
	SCMP_SYS(add_key),
	SCMP_SYS(request_key),
	SCMP_SYS(open_by_handle_at),
	SCMP_SYS(iopl),
	SCMP_SYS(ioperm),
	SCMP_SYS(modify_ldt),
	SCMP_SYS(personality),
	SCMP_SYS(settimeofday),
	SCMP_SYS(clock_settime),
	SCMP_SYS(clock_adjtime),
	SCMP_SYS(adjtimex),
	SCMP_SYS(sethostname),
	SCMP_SYS(setdomainname),
};

/// @return 0 or -errno
static int add_rules(scmp_filter_ctx filter, const struct pg_confinement *c)
{
	const uint32_t refuse = SCMP_ACT_ERRNO(EPERM);
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < sizeof(refused_calls) / sizeof(refused_calls[0]); i++)
		rc = seccomp_rule_add(filter, refuse, refused_calls[i], 0);
	if (rc == 0 && !c->allow_bpf)
		rc = seccomp_rule_add(filter, refuse, SCMP_SYS(bpf), 0);
	// Threads are made, processes are not. The flags of clone3 lie in memory, where a filter cannot look: told that
	// the kernel has none, the C library takes clone.
	if (rc == 0)
		rc = seccomp_rule_add(filter, refuse, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
	if (rc == 0)
		rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	if (rc == 0)
		rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	return rc == 0 ? seccomp_load(filter) : rc;
}

static int filter_calls(const struct pg_confinement *c, struct pg_error *error)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	const int rc = filter ? add_rules(filter, c) : -ENOMEM;

	seccomp_release(filter);
	if (rc != 0)
		return error_set(error, PG_ERROR_SYSTEM, "system calls cannot be filtered (seccomp): %s",
				 strerror(-rc));
	return PG_OK;
}

int pg_confine(const struct pg_confinement *c, struct pg_error *error)
{
	int rc = become(c, error);

	if (rc == PG_OK)
		rc = pg_limit_capabilities(c->capabilities, error);
	if (rc == PG_OK)
		rc = pg_wake_when_orphaned(error);
	return rc == PG_OK ? filter_calls(c, error) : rc;
}
