# SPDX-License-Identifier: BSD-3-Clause
"""The libraries with which a game process attaches, in C and in Python."""
