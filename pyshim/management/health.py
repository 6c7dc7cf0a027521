# SPDX-License-Identifier: BSD-3-Clause
"""Whether the gateway lives, and whether it serves: what `/healthz` and `/readyz` say."""

from __future__ import annotations

from pyshim.stats import Snapshot

HEALTHY_AGE_S = 10.0  # of the supervisor's loop: above all that it may have to wait for
READY_AGE_S = 2.0  # of what is known of the workers


def unhealthy(age_s: float) -> str | None:
    """Why this process should be started again; None while it lives."""
    return None if age_s <= HEALTHY_AGE_S else _stands_still(age_s)


def unready(snapshot: Snapshot) -> str | None:
    """Why nothing should be sent to this gateway now; None when it serves."""
    if snapshot.obstacles:
        return "\n".join(snapshot.obstacles)
    if not snapshot.workers_running:
        return "the workers are not running yet, or not any more"
    if snapshot.supervisor_age_s > READY_AGE_S:
        return f"{_stands_still(snapshot.supervisor_age_s)}: whether the workers poll is not known"
    ages_s = {worker.index: worker.heartbeat_age_s for worker in snapshot.workers}
    if late := [index for index, age_s in ages_s.items() if age_s is None or age_s > READY_AGE_S]:
        return f"no heartbeat of worker {', '.join(map(str, late))} for more than {READY_AGE_S:g} s"
    return None


def _stands_still(age_s: float) -> str:
    return f"the supervisor's loop has stood still for {age_s:.1f} s"
