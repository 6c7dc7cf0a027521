# SPDX-License-Identifier: BSD-3-Clause
"""The running appliance on DPDK's devices, judged by what comes out and by its own books."""
