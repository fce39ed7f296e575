from __future__ import annotations

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.model.key import ENTROPY, Key, digest_of, id_of, mint

ENTROPIES = st.binary(min_size=ENTROPY, max_size=ENTROPY)
CHARACTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"


@given(ENTROPIES)
def test_every_key_is_whole_and_named_by_its_id(entropy: bytes) -> None:
    text = mint(entropy)
    assert len(text) == len("vsm_") + 8 + 1 + 43 + 6
    assert text.split("_")[1] == id_of(text)


@given(ENTROPIES, ENTROPIES)
def test_different_bytes_make_different_keys(one: bytes, other: bytes) -> None:
    assert (mint(one) == mint(other)) == (one == other)


@given(ENTROPIES, st.integers(0, 61), st.sampled_from(CHARACTERS))
def test_one_wrong_character_is_noticed(entropy: bytes, place: int, character: str) -> None:
    text = mint(entropy)
    wrong = text[:place] + character + text[place + 1 :]
    assert id_of(wrong) == ("" if wrong != text else id_of(text))


@given(ENTROPIES, st.integers(0, 60))
def test_two_characters_the_wrong_way_round_are_noticed(entropy: bytes, place: int) -> None:
    text = mint(entropy)
    wrong = text[:place] + text[place + 1] + text[place] + text[place + 2 :]
    assert bool(id_of(wrong)) is (wrong == text)


@pytest.mark.parametrize("text", ["", "vsm_", "vsm__", "sk-123", "vsm_aaaaaaaa_" + "0" * 49, "vsm_\u00e9" * 20])
def test_what_is_no_key_has_no_id(text: str) -> None:
    assert id_of(text) == ""
    assert id_of(mint(bytes(ENTROPY))[:-1]) == ""
    assert id_of(mint(bytes(ENTROPY)) + "\n") == ""


def test_a_key_is_made_of_the_right_number_of_bytes() -> None:
    with pytest.raises(ValueError, match="random bytes"):
        mint(b"too few")
    assert ENTROPY - 5 == 256 // 8


def test_what_is_kept_holds_no_part_of_the_secret() -> None:
    text = mint(secrets.token_bytes(ENTROPY))
    key = Key(id=id_of(text), name="ci", digest=digest_of(text))
    assert text.split("_")[2][:12] not in repr(key)
    assert key.principal.name == "key:ci"
