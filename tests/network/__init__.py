# SPDX-License-Identifier: BSD-3-Clause
"""pollgate on real network interfaces: the kernel's own sockets and tools are the players."""
