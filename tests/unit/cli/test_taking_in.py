from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vsm_mcp.cli import output, taking_in
from vsm_mcp.cli.session import Session
from vsm_mcp.errors import BadArgument, NothingFound
from vsm_mcp.model.kit import OWN

SECRET = "hush-5f4dcc3b5aa765d61d83"


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("GIVEN", "x")
    monkeypatch.delenv("MISSING", raising=False)
    return Session(tmp_path, as_json=True)


def found(session: Session, document: Any, *titles: str) -> taking_in.Asked:
    return taking_in.chosen(taking_in.asked(session, document, Path("f.json"), titles), titles)


def entry(package: str, **more: Any) -> dict[str, Any]:
    return {"command": "npx", "args": ["-y", package], **more}


def test_those_that_are_named_by_title_or_name(session: Session) -> None:
    document = {"mcpServers": {"My One": entry("one"), "two": entry("two"), "bad": {"command": "npx"}}}
    assert [each.ref for each in found(session, document)[0]] == ["npm:one", "npm:two"]
    for title in ("My One", "my-one"):
        assert [each.ref for each in found(session, document, title)[0]] == ["npm:one"]
        assert found(session, document, title)[1] == ()
    assert [each.title for each in found(session, document, "bad")[1]] == ["bad"]
    with pytest.raises(BadArgument, match="'three'"):
        found(session, document, "three")


@pytest.mark.parametrize("document", [{}, {"mcpServers": {}}, {"mcpServers": {"a": entry("a", disabled=True)}}])
def test_a_file_that_asks_for_nothing(session: Session, document: Any) -> None:
    with pytest.raises(NothingFound):
        found(session, document)


def test_what_is_shown_holds_no_value_of_a_variable(session: Session) -> None:
    env = {"MODE": SECRET, "KEY": SECRET, "LATE": "${GIVEN}"}
    document = {
        "mcpServers": {"one": entry("one@1.0", env=env, cwd="/data"), "two": entry("two", env={"A": "${MISSING}"})}
    }
    shown = taking_in.shown(found(session, document))
    assert SECRET not in json.dumps(shown)
    (one,) = shown["servers"]
    assert (one["env"], one["secrets"], one["settings"]) == (["LATE", "MODE"], ["KEY"], {"cwd": "/data"})
    assert one["addable"] is True
    assert "no variable MISSING" in shown["unusable"][0]["reason"]


def test_variables_in_arguments_are_shown_as_they_are_written(session: Session) -> None:
    """A file of a stranger's may ask for any variable of ours: a person sees which, and not what is in it."""
    args = ["-y", "one", "--dir=${GIVEN}/x", "${GIVEN:-y}", "--api-key", SECRET]
    document = {"mcpServers": {"one": {"command": "npx", "args": args}, "two": {"command": "prog", "args": args[2:]}}}
    given = found(session, document)
    assert given.wanted[0].settings.args == ("--dir=x/x", "x", "--api-key", SECRET)
    one, two = taking_in.shown(given)["servers"]
    assert one["settings"]["args"] == ["--dir=${GIVEN}/x", "${GIVEN}", "--api-key", "***"]
    assert two["ref"] == "cmd:prog '--dir=${GIVEN}/x' '${GIVEN}' --api-key '***'"


def test_a_kit_of_ours_says_what_travels_with_it(session: Session) -> None:
    own: dict[str, Any] = {"ref": "npm:one@1.0", "settings": {"hosts": ["h.example"], "paths": [["/data", True]]}}
    (one,) = taking_in.shown(found(session, {"servers": {"one": entry("evil", **{OWN: own})}}))["servers"]
    assert one["ref"] == "npm:one@1.0"
    assert json.loads(json.dumps(one["settings"])) == own["settings"]


def test_a_person_sees_what_would_be_given(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    own = {"ref": "mcpb:a.mcpb", "settings": {"hosts": ["h.example"], "paths": [["/data", True], ["/srv", False]]}}
    document = {"servers": {"one\x1b[2J": entry("x", **{OWN: own}, env={"A": SECRET}), "bad\x1b[2J": {}}}
    output.console.cache_clear()  # it keeps the stream of whoever wrote first
    taking_in.show_plan(taking_in.shown(found(session, document)))
    output.console.cache_clear()
    said = capsys.readouterr().out
    for line in ("one-2j: mcpb:a.mcpb", "env: A", "hosts: h.example", "paths: /data:rw, /srv"):
        assert line in said
    assert "bad[2J: cannot be used" in said
    assert SECRET not in said
    assert "\x1b" not in said


@pytest.mark.parametrize("text", ["{", "[1]", '{"mcpServers": 3}'])
def test_files_that_cannot_be_used(session: Session, tmp_path: Path, text: str) -> None:
    (tmp_path / "f.json").write_text(text)
    with pytest.raises(Exception, match=r"f\.json") as caught:
        found(session, taking_in.read_file(tmp_path / "f.json"))
    assert getattr(caught.value, "exit_code", 0) == 2
