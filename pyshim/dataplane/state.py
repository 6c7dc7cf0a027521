# SPDX-License-Identifier: BSD-3-Clause
"""The session state: how large it is, and its making."""

from __future__ import annotations

from pyshim.dataplane.library import check, ffi, lib, new_error
from pyshim.plan import Plan
from pyshim.system.memory_file import SessionState


def state_bytes(capacity: int, workers: int, issued_capacity: int) -> int:
    """Bytes of session state that this many sessions need."""
    return lib.pg_state_size(capacity, workers, issued_capacity)


def mail_bytes(workers: int) -> int:
    """Bytes of mail that may wait for so many workers."""
    return lib.pg_mail_size(workers)


def new_state(plan: Plan) -> SessionState:
    """The session state that worker processes with this plan share; the caller closes it.

    Raises:
        UnavailableError: there is not enough memory.
    """
    shape = plan.session_capacity, len(plan.workers), plan.issued_capacity
    state = SessionState.create(state_bytes(*shape), huge_pages=plan.state_huge_pages)
    with state.map() as memory, ffi.from_buffer(memory, require_writable=True) as native:
        error = new_error()
        check(lib.pg_state_init(native, len(memory), *shape, error), error)
        check(lib.pg_state_gateway(native, plan.gateway_bits, plan.gateway_id, error), error)
    return state
