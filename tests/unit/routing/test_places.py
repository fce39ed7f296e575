"""Every capability has exactly one place in the model, and a reason."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.app.capabilities import compatibility, reader
from vsm_mcp.discovery.wiring import taxonomy
from vsm_mcp.errors import ConfigError
from vsm_mcp.model.capability import Effect, Effects, Known, System
from vsm_mcp.routing.places import parse
from vsm_mcp.routing.shapes import parse_worlds

READS = Effects(read_only=Effect(value=True, known=Known.ANNOTATION))
UNKNOWN = Effects()


@pytest.mark.parametrize(
    ("tag", "name", "effects", "system"),
    [
        ("time.clock", "get_current_time", READS, System.OPERATIONS),
        ("files.local", "write_file", UNKNOWN, System.OPERATIONS),
        ("files.local", "list_allowed_directories", READS, System.POLICY),
        ("", "spawnSubagent", UNKNOWN, System.COORDINATION),
        ("", "delegate_to_agent", UNKNOWN, System.COORDINATION),
        ("calendar", "create_event", UNKNOWN, System.COORDINATION),
        ("knowledge.memory", "search_nodes", READS, System.CROSS_SYSTEM),
        ("docs.convert", "convert_to_markdown", READS, System.CROSS_SYSTEM),
        ("ops.containers", "restart_container", UNKNOWN, System.CONTROL),
        ("web.search", "search", READS, System.INTELLIGENCE),
        ("web.fetch", "fetch", UNKNOWN, System.EXTERNAL),
        ("science.papers", "search_papers", UNKNOWN, System.INTELLIGENCE),
        ("comms.email", "send_mail", UNKNOWN, System.EXTERNAL),
    ],
)
def test_places(tag: str, name: str, effects: Effects, system: System) -> None:
    found, reason = reader().classifier.places.of(tag, name, effects)
    assert found is system
    assert reason


@given(st.sampled_from(["", "no.such.tag", *taxonomy().tags]), st.text(max_size=20), st.booleans(), st.booleans())
def test_everything_has_a_place(tag: str, name: str, reads: bool, outside: bool) -> None:
    effects = Effects(read_only=Effect(reads), open_world=Effect(outside))
    system, reason = reader().classifier.places.of(tag, name, effects)
    assert system in System
    assert reason


def test_every_tag_in_the_rules_is_in_the_taxonomy() -> None:
    patterns = {pattern for rule in reader().classifier.places.rules for pattern in rule.tags}
    unknown = {pattern for pattern in patterns if not any(fnmatchcase(tag, pattern) for tag in taxonomy().tags)}
    assert not unknown


def test_every_place_is_given_by_some_rule() -> None:
    assert {rule.system for rule in reader().classifier.places.rules} == set(System)


def test_the_documentation_says_what_each_place_is_for() -> None:
    page = (Path(__file__).parents[3] / "docs/reference/capabilities.md").read_text("utf-8")
    for system, meaning in reader().classifier.places.meaning.items():
        assert f"| {system} | {meaning} |" in page


def test_what_is_shared_by_all_is_in_the_taxonomy() -> None:
    worlds = compatibility().worlds
    assert worlds.asked_nothing <= worlds.shared <= taxonomy().tags.keys()
    for text in ("", "shared = 3", "no toml"):
        with pytest.raises(ConfigError):
            parse_worlds(text)


MEANINGS = "[system]\n" + "\n".join(f'"{system}" = "x"' for system in System)


@pytest.mark.parametrize(
    "text",
    [
        MEANINGS,
        f'{MEANINGS}\n[[rule]]\nsystem = "control"\nwhy = "x"\ntags = ["time.*"]',
        f'{MEANINGS}\n[[rule]]\nsystem = "nowhere"\nwhy = "x"',
        f'{MEANINGS}\n[[rule]]\nsystem = "control"\nwhy = "x"\nword = ["x"]',
        '[system]\n"operations" = "x"\n[[rule]]\nsystem = "operations"\nwhy = "x"',
        "no toml",
    ],
)
def test_broken_tables_are_told(text: str) -> None:
    with pytest.raises(ConfigError):
        parse(text)
