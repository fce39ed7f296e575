"""What a person sees of capabilities."""

from __future__ import annotations

from typing import Any

import pytest

from vsm_mcp.cli import capabilities_command as command


def effects(**known: tuple[bool, str]) -> dict[str, dict[str, Any]]:
    found = {
        "read_only": (False, "nothing"),
        "destructive": (True, "nothing"),
        "idempotent": (False, "nothing"),
        "open_world": (True, "nothing"),
    } | known
    return {name: {"value": value, "known": source} for name, (value, source) in found.items()}


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({}, "not said"),
        ({"read_only": (True, "annotation"), "idempotent": (True, "annotation")}, "reads"),
        ({"read_only": (False, "annotation")}, "changes"),
        ({"read_only": (False, "trial"), "open_world": (True, "trial")}, "changes (seen), outside (seen)"),
        ({"destructive": (False, "annotation"), "idempotent": (True, "annotation")}, "adds, repeatable"),
        ({"destructive": (True, "annotation"), "open_world": (False, "annotation")}, "destroys, inside"),
    ],
)
def test_effects_in_words(known: dict[str, tuple[bool, str]], said: str) -> None:
    assert command.effects(effects(**known)) == said


def test_arguments_in_words() -> None:
    stand_in = {"arguments": {"path": "path", "q": "query"}, "absolute": ["path"], "fixed": {"raw": False}}
    assert command.arguments({**stand_in, "unmapped": ["head", "tail"]}) == (
        "path as they are; q → query; raw = false if not given; path only where absolute; no call that uses head, tail"
    )
    assert command.arguments({"arguments": {}, "absolute": [], "fixed": {}, "unmapped": []}) == "none"
