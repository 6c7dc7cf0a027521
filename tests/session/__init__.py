# SPDX-License-Identifier: BSD-3-Clause
"""The `session` profile: codecs, vectors, the Python client, and the client against the C core."""
