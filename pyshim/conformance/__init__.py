# SPDX-License-Identifier: BSD-3-Clause
"""`pollgate conformance`: drives another's client or gateway through PROTOCOL.md, and says what is wrong.

A *scenario* is one function that plays one part of the protocol's state machine, well or badly; a *check* is
one sentence of the document that a scenario, or the watch over all datagrams, decides. See README.md.
"""
