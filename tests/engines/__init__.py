# SPDX-License-Identifier: BSD-3-Clause
"""Every engine is held to the same: with real sockets, through the whole appliance."""
