# SPDX-License-Identifier: BSD-3-Clause
"""The session state: how large it is, and the process that makes it."""

from __future__ import annotations

from typing import Any

from pyshim.dataplane.library import check, encode, ffi, lib, new_error
from pyshim.plan import Plan
from pyshim.system.memory_file import SessionState


def state_bytes(capacity: int, workers: int, issued_capacity: int, netcode_capacity: int = 0) -> int:
    """Bytes of session state that this many sessions need."""
    return lib.pg_state_size_for(_shape(capacity, workers, issued_capacity, netcode_capacity))


def _shape(capacity: int, workers: int, issued_capacity: int, netcode_capacity: int) -> Any:
    shape: Any = ffi.new("struct pg_state_plan *")
    shape.capacity, shape.workers = capacity, workers
    shape.issued_capacity, shape.netcode_capacity = issued_capacity, netcode_capacity
    return shape


def worlds_bytes(plan: Plan) -> int:
    """Bytes that each worker reserves for worlds."""
    return lib.pg_worlds_size(encode.plan_struct(plan))


def mail_bytes(workers: int) -> int:
    """Bytes of mail that may wait for so many workers."""
    return lib.pg_mail_size(workers)


class OwnState(SessionState):
    """A session state that this process made, and in which it alone issues sessions.

    It is mapped once, at the address by which the data plane knows what it keeps of it in this process's own
    memory: worker processes can write to the state.
    """

    def __init__(self, fd: int, *, huge_pages: bool) -> None:
        """Map the memory behind `fd`, which becomes this object's to close.

        Raises:
            UnavailableError: there is not enough of it.
        """
        super().__init__(fd, huge_pages=huge_pages)
        self._memory = self.map()
        self.native: Any = ffi.from_buffer(self._memory, require_writable=True)

    def told(self) -> None:
        """The operator has been told what a worker process did not keep: none says it again."""
        lib.pg_state_told(self.native)

    def close(self) -> None:
        """Unmap and close; the memory lives on in worker processes that have it."""
        lib.pg_state_release(self.native)
        ffi.release(self.native)
        self._memory.close()
        super().close()


def new_state(plan: Plan) -> OwnState:
    """The session state that worker processes with this plan share; the caller closes it.

    Raises:
        UnavailableError: there is not enough memory.
    """
    shape = _shape(plan.session_capacity, len(plan.workers), plan.issued_capacity, plan.netcode.capacity)
    state = OwnState.create(lib.pg_state_size_for(shape), huge_pages=plan.state_huge_pages)
    error = new_error()
    try:
        check(lib.pg_state_init_for(state.native, state.size_bytes, shape, error), error)
        check(lib.pg_state_gateway(state.native, plan.gateway_bits, plan.gateway_id, error), error)
    except BaseException:
        state.close()
        raise
    return state
