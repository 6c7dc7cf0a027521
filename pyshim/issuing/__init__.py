# SPDX-License-Identifier: BSD-3-Clause
"""Issuing sessions: who may ask the control API of a running gateway, and the commands that do.

See README.md. The commands never load the data plane.
"""
