# SPDX-License-Identifier: BSD-3-Clause
"""What DPDK says of itself when it fails, and what that means to an operator."""
