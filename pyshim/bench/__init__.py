# SPDX-License-Identifier: BSD-3-Clause
"""`pollgate bench`: figures that a sceptic can reproduce, each a ratio of two things run in turn."""

from pyshim.bench.commands import cli_app

__all__ = ["cli_app"]
