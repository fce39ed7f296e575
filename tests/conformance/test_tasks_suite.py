"""The scenarios of the tasks extension (SEP-2663), which no set requires, against a server that has it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conformance.suite import GATEWAY, judge_one, serving

from vsm_mcp.testing import tasked

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

SCENARIOS = [
    "lifecycle",
    "capability-negotiation",
    "wire-fields",
    "request-state-removal",
    "mrtr-input",
    "request-headers",
    "dispatch-and-envelope",
    "mrtr-composition",
]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving([*GATEWAY, sys.executable, tasked.__file__, "--mode", "modern"]) as url:
        yield url


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_gateway(url: str, scenario: str, tmp_path: Path) -> None:
    assert judge_one(f"tasks-{scenario}", url, tmp_path) == []


def test_a_task_for_a_client_that_knows_none(url: str, tmp_path: Path) -> None:
    """Where a server would have to refuse a client that knows no tasks, the gateway drives the task instead."""
    problems = judge_one("tasks-required-task-error", url, tmp_path)
    assert ["returned a successful response" in problem for problem in problems] == [True]
