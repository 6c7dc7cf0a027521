# SPDX-License-Identifier: BSD-3-Clause
"""Issuing sessions: the control API of a running gateway, and the commands that ask it. See README.md.

The supervisor imports `server` only when a listener has profile session; the commands never load the data
plane.
"""
