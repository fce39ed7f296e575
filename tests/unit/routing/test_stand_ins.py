"""What the rules say of real tools, held against what a person read off their definitions."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from vsm_mcp.model.capability import System
from vsm_mcp.routing.compatibility import LEAST_LIKENESS

_FILE = Path(__file__).parents[3] / "benchmarks" / "stand_ins.py"


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("stand_ins_benchmark", _FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BENCH = _load()
RECORDS, RIGHT = BENCH.servers(), BENCH.labelled()


@pytest.mark.parametrize(("bare", "recall"), [(True, 0.28), (False, 0.12)])
def test_hardly_any_is_wrong(bare: bool, recall: float) -> None:
    found = BENCH.measured(BENCH.said(BENCH.shapes(RECORDS, bare=bare)), RIGHT, LEAST_LIKENESS)
    assert found.precision >= 0.95
    assert found.recall >= recall


def test_the_labels_are_of_tools_that_are_there() -> None:
    tools = {(record["server"], tool["name"]) for record in RECORDS for tool in record["tools"]}
    assert {pair[:2] for pair in RIGHT} | {pair[2:] for pair in RIGHT} <= tools
    assert not {pair for pair in RIGHT if pair[0] == pair[2]}


def test_places_in_the_model_of_real_tools() -> None:
    classifier = BENCH.reader().classifier
    places = {
        (one.server, one.name): one.system
        for record in RECORDS
        for one in classifier.capabilities(
            record["server"], BENCH.offer(record), BENCH.Known(tags=tuple(record["tags"]))
        )
        if one.confidence >= 0.5 or not one.tag
    }
    assert places["filesystem", "write_file"] is System.OPERATIONS
    assert places["filesystem", "list_allowed_directories"] is System.POLICY
    assert places["memory", "create_entities"] is System.CROSS_SYSTEM
    assert places["fetch", "fetch"] is System.INTELLIGENCE
    assert places["duckduckgo", "search"] is System.EXTERNAL  # nobody says that it only reads
    assert places["git", "git_commit"] is System.OPERATIONS
