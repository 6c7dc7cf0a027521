# SPDX-License-Identifier: BSD-3-Clause
"""`pollgate load` and the generator behind it."""
