"""Recall and false positives on texts that were written before the rules, and what disguises cost."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

_FILE = Path(__file__).parents[3] / "benchmarks" / "vetting.py"


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("vetting_benchmark", _FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BENCH = _load()


def part(kind: str, name: str) -> list[dict[str, Any]]:
    return [row for row in BENCH.own(kind) if row["part"] == name]


@pytest.mark.parametrize(
    ("name", "block", "either"),
    [("seen", 0.75, 0.92), ("kept", 0.60, 0.86), ("third", 0.58, 0.92), ("fourth", 0.40, 0.86)],
)
def test_poisoned_texts_are_found(name: str, block: float, either: float) -> None:
    rows = part("poisoned", name)
    assert len(rows) >= 30
    blocked, found = BENCH.rates(BENCH.verdicts(rows))
    assert blocked >= block
    assert found >= either


@pytest.mark.parametrize(
    ("name", "block", "either"),
    [("seen", 0.0, 0.06), ("kept", 0.03, 0.20), ("third", 0.02, 0.09), ("fourth", 0.0, 0.10)],
)
def test_honest_texts_that_sound_like_orders_mostly_pass(name: str, block: float, either: float) -> None:
    rows = part("benign", name)
    assert len(rows) >= 30
    blocked, found = BENCH.rates(BENCH.verdicts(rows))
    assert blocked <= block
    assert found <= either


@pytest.mark.parametrize("disguise", list(BENCH.DISGUISES))
def test_no_disguise_costs_more_than_a_tenth_of_the_recall(disguise: str) -> None:
    rows = BENCH.own("poisoned")
    plain = BENCH.rates(BENCH.verdicts(rows))
    disguised = BENCH.rates(BENCH.verdicts(rows, BENCH.DISGUISES[disguise]))
    assert disguised[0] >= 0.9 * plain[0]
    assert disguised[1] >= 0.9 * plain[1]


def test_honest_texts_do_not_become_suspicious_by_their_letters() -> None:
    rows = part("benign", "seen")
    assert BENCH.verdicts(rows, BENCH.DISGUISES["upper case"]).count("block") == 0
    assert BENCH.verdicts(rows, BENCH.DISGUISES["wrapped lines"]).count("block") == 0
