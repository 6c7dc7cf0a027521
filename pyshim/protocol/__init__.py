# SPDX-License-Identifier: BSD-3-Clause
"""The wire formats as scapy layers, and the generator of the demo capture; needs the `protocol` extra."""
