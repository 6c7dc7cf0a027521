# SPDX-License-Identifier: BSD-3-Clause
"""What Linux gives a process: files, sockets, memory, signals, limits, each behind a few lines."""
