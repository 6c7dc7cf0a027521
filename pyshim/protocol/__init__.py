# SPDX-License-Identifier: BSD-3-Clause
"""The wire formats as scapy layers and as bytes, the Python client, and the generator of the demo capture.

Needs the `protocol` extra.
"""
