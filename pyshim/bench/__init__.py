# SPDX-License-Identifier: BSD-3-Clause
"""`pollgate bench`: figures that a sceptic can reproduce, each a ratio of two things run in turn.

A module per benchmark, listed in `catalogue`; `description` says what a benchmark is, `pairs` how two things
are measured in turn, `commands` makes the command line. What they run is in `rig/`, what comes of it in
`reports/`.
"""

from pyshim.bench.commands import cli_app

__all__ = ["cli_app"]
