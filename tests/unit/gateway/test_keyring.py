from __future__ import annotations

import secrets

import pytest

from vsm_mcp.gateway.challenge import Rejected
from vsm_mcp.gateway.keyring import Keyring
from vsm_mcp.model.key import ENTROPY, Key, digest_of, id_of, mint
from vsm_mcp.model.principal import Grant

ID = b"idid!"


def made(entropy: bytes = b"", **grant: float) -> tuple[str, Key]:
    text = mint(ID + (entropy or secrets.token_bytes(ENTROPY - len(ID))))
    return text, Key(id=id_of(text), name="ci", digest=digest_of(text), grant=Grant(**grant))  # type: ignore[arg-type]


def test_the_right_id_is_not_enough() -> None:
    text, key = made()
    other, _ = made()
    assert id_of(other) == id_of(text)
    ring = Keyring([key])
    assert ring.principal(text, 0.0).name == "key:ci"
    with pytest.raises(Rejected, match="not known"):
        ring.principal(other, 0.0)


def test_an_expired_key_is_told_apart_from_an_unknown_one() -> None:
    text, key = made(expires=100.0)
    ring = Keyring([key])
    assert ring.usable(99.9)
    assert ring.principal(text, 99.9)
    assert not ring.usable(100.0)
    with pytest.raises(Rejected, match="expired") as caught:
        ring.principal(text, 100.0)
    assert caught.value.genuine
    with pytest.raises(Rejected, match="not known") as caught:
        ring.principal(made()[0], 100.0)
    assert not caught.value.genuine


def test_exactly_the_keys_that_were_given_last_are_known() -> None:
    text, key = made()
    ring = Keyring()
    before = ring.keys
    assert not ring.usable(0.0)
    ring.replace([key])
    assert ring.keys is not before
    assert ring.principal(text, 0.0)
    ring.replace([])
    with pytest.raises(Rejected):
        ring.principal(text, 0.0)
