# SPDX-License-Identifier: BSD-3-Clause
"""The `netcode` profile: a model of its clients, the reference's vectors, and the whole appliance."""
