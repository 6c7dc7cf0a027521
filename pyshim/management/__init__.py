# SPDX-License-Identifier: BSD-3-Clause
"""The management server of a running gateway: metrics, health, figures and sessions in one ASGI application.

It may have two addresses, `metrics.listen` with what everybody may see and `control.listen` with everything,
for whoever has its token. Both are served by one thread of the supervisor, within one set of bounds.
"""
