"""What the small model is taught by: the texts, and the layer that turns the sums of words."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tools import model_texts, turning

from vsm_mcp.matching.meaning import unit
from vsm_mcp.matching.static_model import turned


@pytest.mark.parametrize(
    ("text", "need"),
    [
        ("A fast Python library for reading spreadsheets, with tests", "reading spreadsheets"),
        ("create stack. Creates a stack of servers, and waits CloudFormation", "create a stack of servers"),
        ("Convert units using a table", "convert units"),
    ],
)
def test_a_need_is_the_first_clause_of_what_a_thing_does(text: str, need: str) -> None:
    assert [each for each in model_texts.needs([text, "x"], 5) if need in each]


def test_functions_say_what_they_do_in_their_first_sentence(tmp_path: Path) -> None:
    source = '''
def get_forecast(place):
    """Return the weather of a place. It may be wrong.

    Args: place
    """
async def sendMail(to):
    """Sends a letter to somebody :param to: whom"""
def _hidden():
    """Does a thing that nobody sees"""
def test_it():
    """Tests whether this is so"""
def short():
    """Too short"""
'''
    for name, modules in {"weather_kit-1.0.whl": [source, "def broken(:"], "other-2.whl": [source]}.items():
        with zipfile.ZipFile(tmp_path / name, "w") as wheel:
            for number, text in enumerate(modules):
                wheel.writestr(f"weather/part{number}.py", text)
    found = model_texts.functions(tmp_path.glob("*.whl"), 100)
    assert sorted(found) == [
        "get forecast. Return the weather of a place. other",
        "get forecast. Return the weather of a place. weather kit",
        "send mail. Sends a letter to somebody other",
        "send mail. Sends a letter to somebody weather kit",
    ]
    assert len(model_texts.functions(tmp_path.glob("*.whl"), 3)) == 3


def test_needs_are_few_words_and_every_second_one_is_a_request() -> None:
    texts = [f"Reads files of kind {number}" for number in range(50)]
    needs = model_texts.needs([*texts, "word", " ".join(["long"] * 30)], 100)
    assert len(needs) == 50
    assert sum(need.startswith("read files of kind") for need in needs) >= 25
    assert needs == model_texts.needs([*reversed(texts)], 100), "the order of the texts does not count"


def test_the_layer_learns_to_turn_sums() -> None:
    chance = np.random.default_rng(1)
    sums = unit(chance.normal(size=(6000, 12)).astype(np.float32))
    bent = unit((sums + 0.3 * np.abs(sums) @ chance.normal(size=(12, 12))).astype(np.float32))
    layer = turning.taught(sums[:5000], bent[:5000])
    before = float((sums[5000:] * bent[5000:]).sum(axis=1).mean())
    after = float((turned(sums[5000:], *layer) * bent[5000:]).sum(axis=1).mean())
    assert 1.0 - after < 0.5 * (1.0 - before)


def test_the_slopes_are_those_of_the_distance() -> None:
    chance = np.random.default_rng(2)
    layer: list[Any] = [chance.normal(size=shape) for shape in ((4, 6), (6,), (6, 4))]
    sums: Any = chance.normal(size=(5, 4)) / 2
    wanted: Any = chance.normal(size=(5, 4))
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    _, slopes = turning.slopes(layer, sums, wanted)
    for part, slope in zip(layer, slopes, strict=True):
        place = tuple(size // 2 for size in part.shape)
        ahead = []
        for step in (1e-6, -1e-6):
            part[place] += step
            ahead.append(1.0 - turning.slopes(layer, sums, wanted)[0])
            part[place] -= step
        assert slope[place] == pytest.approx((ahead[0] - ahead[1]) / 2e-6, abs=1e-5)
