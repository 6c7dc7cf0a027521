# SPDX-License-Identifier: BSD-3-Clause
"""The compiled border to C: the extension, and what fills its structures and reads them.

`rooms.toml` says which rooms may use it: those that turn its calls into Python values.
"""
