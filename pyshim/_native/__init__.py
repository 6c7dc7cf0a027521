# SPDX-License-Identifier: BSD-3-Clause
"""The compiled border to the C data plane; only `pyshim.dataplane` imports anything from here."""
