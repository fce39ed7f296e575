from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.matching.porter import lasting_stem, stem

# The examples of the paper, step by step, as they leave the whole algorithm.
PAPER = {
    "caresses": "caress", "ponies": "poni", "ties": "ti", "cats": "cat", "feed": "feed", "agreed": "agre",
    "plastered": "plaster", "bled": "bled", "motoring": "motor", "sing": "sing", "conflated": "conflat",
    "troubled": "troubl", "sized": "size", "hopping": "hop", "tanned": "tan", "falling": "fall", "hissing": "hiss",
    "fizzed": "fizz", "failing": "fail", "filing": "file", "happy": "happi", "sky": "sky", "relational": "relat",
    "conditional": "condit", "rational": "ration", "valenci": "valenc", "digitizer": "digit",
    "vietnamization": "vietnam",
    "operator": "oper", "feudalism": "feudal",
    "decisiveness": "decis", "hopefulness": "hope", "formaliti": "formal",

    "sensibiliti": "sensibl", "triplicate": "triplic", "formative": "form", "formalize": "formal",
    "electrical": "electr",
    "hopeful": "hope", "goodness": "good", "revival": "reviv", "allowance": "allow", "airliner": "airlin",
    "adjustable": "adjust", "defensible": "defens", "irritant": "irrit", "replacement": "replac", "adoption": "adopt",
    "communism": "commun", "effective": "effect", "probate": "probat", "rate": "rate",
    "cease": "ceas", "controll": "control",
    "roll": "roll",
}  # fmt: skip


@pytest.mark.parametrize(("word", "cut"), PAPER.items())
def test_the_examples_of_the_paper(word: str, cut: str) -> None:
    assert stem(word) == cut


@pytest.mark.parametrize(
    "family",
    [
        ("calculate", "calculator", "calculating", "calculation", "calculates"),
        ("convert", "converts", "converting", "conversion", "converter"),
        ("hash", "hashes", "hashing", "hashed"),
        ("analysis", "analyse", "analyze", "analyses"),
        ("spreadsheet", "spreadsheets"),
    ],
)
def test_a_family_of_words_has_one_stem(family: tuple[str, ...]) -> None:
    assert len({lasting_stem(word) for word in family}) == 1


def test_words_that_only_look_like_plurals_keep_apart() -> None:
    assert stem("news") != stem("new")
    assert stem("aws") == "aws"


@given(st.text("abcdeilnorstuyz", min_size=1, max_size=14))
def test_a_lasting_stem_is_its_own_stem(word: str) -> None:
    assert lasting_stem(lasting_stem(word)) == lasting_stem(word)


@given(st.text(max_size=20))
def test_any_text_has_a_stem_no_longer_than_one_letter_more(word: str) -> None:
    assert len(stem(word)) <= max(len(word) + 1, 10)
