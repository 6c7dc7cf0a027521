# SPDX-License-Identifier: BSD-3-Clause
"""The kit's own derivation of keys is that of the document's vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pyshim.conformance.layout import directions, first_secret, next_secret

VECTORS = json.loads((Path(__file__).parents[2] / "dpdk_app" / "wire" / "session_vectors.json").read_text())


@pytest.mark.parametrize("vector", VECTORS["derive"], ids=lambda vector: str(vector["session"]))
def test_keys_are_derived_as_in_the_vectors(vector: dict[str, Any]) -> None:
    of = {name: bytes.fromhex(value) for name, value in vector.items() if isinstance(value, str)}
    nonces = of["client_nonce"], of["server_nonce"]
    secret = first_secret(
        of["key"], of["agreed"], vector["session"], nonces, (of["client_share"], of["server_share"])
    )
    assert secret == of["secret"]
    to_gateway, to_client = directions(secret)
    assert (to_gateway.key, to_gateway.salt) == (of["client_key"], of["client_salt"])
    assert (to_client.key, to_client.salt) == (of["gateway_key"], of["gateway_salt"])
    if "next_secret" in of:
        assert next_secret(secret) == of["next_secret"]
