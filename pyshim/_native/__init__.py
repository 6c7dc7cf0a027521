# SPDX-License-Identifier: BSD-3-Clause
"""The compiled border to C; only `pyshim.dataplane` and `pyshim.load.native` import anything from here."""
