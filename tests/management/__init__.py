# SPDX-License-Identifier: BSD-3-Clause
"""The management server: what it serves where, and within which bounds."""
