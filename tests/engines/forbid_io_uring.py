# SPDX-License-Identifier: BSD-3-Clause
"""Runs a command that may not use io_uring, as in a container: forbid_io_uring.py ERRNO COMMAND..."""

from __future__ import annotations

import ctypes
import os
import struct
import sys

PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO = 0x7FFF0000, 0x00050000
LOAD_NUMBER, IS_AT_LEAST, RETURN = 0x20, 0x35, 0x06  # of classic BPF
IO_URING_SETUP, IO_URING_REGISTER = 425, 427  # and io_uring_enter between them


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def forbid(number: int) -> None:
    """From now on io_uring's system calls fail with this errno, here and in every child."""
    # sock_filter: code, jump if true, jump if false, constant.
    instructions = b"".join(
        struct.pack("HBBI", *instruction)
        for instruction in (
            (LOAD_NUMBER, 0, 0, 0),
            (IS_AT_LEAST, 0, 2, IO_URING_SETUP),
            (IS_AT_LEAST, 1, 0, IO_URING_REGISTER + 1),
            (RETURN, 0, 0, SECCOMP_RET_ERRNO | number),
            (RETURN, 0, 0, SECCOMP_RET_ALLOW),
        )
    )
    program = _Program(len(instructions) // 8, instructions)
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in (
        (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0),
    ):
        if libc.prctl(*arguments) != 0:
            raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    forbid(int(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])
