from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from vsm_mcp.app.changes import RULES, Change, How, changes, effective, rule
from vsm_mcp.config import NAMED, SECTIONS, Config, Gateway, Log, Runtime, Sandbox
from vsm_mcp.model.profile import Profile


def fields() -> Iterator[tuple[str, str]]:
    """Every field that settings have."""
    for name, kind in {**SECTIONS, **NAMED}.items():
        for field in kind.__struct_fields__:
            yield name, field
    for name in Config.__struct_fields__:
        if name not in SECTIONS and name not in NAMED:
            yield "", name


def ruled() -> list[tuple[str, str]]:
    return [
        (section, field)
        for sections in RULES.values()
        for section, names in sections.items()
        for field in names.split()
    ]


@pytest.mark.parametrize(("section", "field"), list(fields()))
def test_it_is_said_of_every_field_how_it_comes_into_force(section: str, field: str) -> None:
    assert ruled().count((section, field)) == 1, "say in app/changes.py how a new value of it comes into force"


def test_nothing_is_said_of_fields_that_are_no_more() -> None:
    assert set(ruled()) == set(fields())


OLD = Config(home=Path("/h"), profiles={"a": Profile(), "b": Profile(mode="all")})


def test_the_same_settings() -> None:
    assert changes(OLD, msgspec.structs.replace(OLD)) == ()


def test_what_differs() -> None:
    new = Config(
        home=Path("/h"),
        gateway=Gateway(port=1, tool_limit=3),
        runtime=Runtime(max_line_bytes=5),
        profiles={"b": Profile(mode="search"), "c": Profile(tools=("x",))},
    )
    found = {change.item: change for change in changes(OLD, new)}
    assert found.keys() == {
        "gateway.port",
        "gateway.tool_limit",
        "runtime.max_line_bytes",
        "profiles.a",
        "profiles.b.mode",
        "profiles.c",
    }
    assert found["gateway.port"] == Change(item="gateway.port", before=8765, after=1, how=How.DAEMON)
    assert found["gateway.tool_limit"].how is How.APPLIED
    assert found["runtime.max_line_bytes"].how is How.RESTARTS
    assert found["profiles.a"].after is None
    assert found["profiles.c"].before is None
    assert list(found["profiles.c"].after["tools"]) == ["x"]
    assert msgspec.json.encode(found["profiles.c"])


@pytest.mark.parametrize("section", list(SECTIONS))
def test_what_takes_a_restart_of_the_daemon_stays_as_it_was(section: str) -> None:
    """So that the next look at the settings still says that it waits."""
    kind = SECTIONS[section]
    other = {
        field: ["100"] if isinstance(value, tuple) else not value if isinstance(value, bool) else value
        for field, value in msgspec.structs.asdict(getattr(OLD, section)).items()
    }
    new = msgspec.structs.replace(OLD, **{section: msgspec.convert(other, kind, strict=False)})
    now = effective(OLD, new)
    for field in kind.__struct_fields__:
        side = OLD if rule(section, field) is How.DAEMON else new
        assert getattr(getattr(now, section), field) == getattr(getattr(side, section), field)


def test_the_rest_is_the_new_one() -> None:
    new = Config(home=Path("/h"), sandbox=Sandbox(cpus=9), log=Log(level="debug"), environ={"A": "b"})
    now = effective(OLD, new)
    assert (now.sandbox, now.log, now.profiles, now.environ) == (new.sandbox, new.log, new.profiles, OLD.environ)
