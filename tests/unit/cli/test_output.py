from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp import errors
from vsm_mcp.cli import COMMANDS, add_command, output
from vsm_mcp.cli.output import clean, flat, json_text
from vsm_mcp.cli.session import exit_code
from vsm_mcp.cli.settings_options import settings_from
from vsm_mcp.errors import BadArgument

PROGRAM = str(Path(sys.executable).parent / "vsm-mcp")


@given(st.text())
def test_no_text_steers_the_terminal(text: str) -> None:
    shown = clean(text)
    assert not any(ord(char) < 32 and char not in "\n\t" for char in shown)
    assert not any(0x7F <= ord(char) < 0xA0 or char in "\u202e\u2066\u200b" for char in shown)


HOSTILE = st.text(st.sampled_from('a \n\t\r\x0b\x1b\x9b\x85\u061c\u2028\u2029\u202e\u2066\ufeff\ud800\U000e0041é"\\|'))


@given(HOSTILE | st.text())
def test_what_strangers_wrote_is_one_line_on_paper_and_the_same_in_json(text: str) -> None:
    assert len(flat(text).splitlines()) <= 1
    assert clean(flat(text)) == flat(text)
    flat(text).encode()
    for indent in (None, 2):
        written = json_text({"text": text, text: [text]}, indent=indent)
        assert clean(written) == written
        assert json.loads(written) == {"text": text, text: [text]}
        written.encode()


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Iterator[pytest.CaptureFixture[str]]:
    """What is printed; the consoles are made for the streams of the test."""
    output.console.cache_clear()
    yield capsys
    output.console.cache_clear()


def test_a_row_cannot_be_forged(printed: pytest.CaptureFixture[str]) -> None:
    output.table(("REF", "TEXT"), [("npm:a", "bad\n0.99\tnpm:trusted\tcurated\r\x85\u2028npm:b\x1b[2K")])
    output.one_line("  said: fine\n\nnpm:trusted\u2029  npm:c", style="bold")
    output.note("  x\n  ✓ vet")
    heading, row, line = printed.readouterr().out.splitlines()
    assert heading.split("\t") == ["REF", "TEXT"]
    assert row.split("\t")[0] == "npm:a"
    assert row.count("\t") == 1
    assert line == "  said: fine npm:trusted  npm:c"
    assert json_text("plain “é” 日本") == '"plain “é” 日本"'


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("bad_reference", 2),
        ("config", 2),
        ("policy_denied", 3),
        ("approval_needed", 3),
        ("vetting_rejected", 3),
        ("nothing_found", 4),
        ("unknown_package", 4),
        ("registry_unavailable", 5),
        ("server_down", 5),
        ("install_failed", 1),
        ("home_busy", 1),
        ("something_new", 1),
    ],
)
def test_exit_codes_are_those_of_the_design(code: str, expected: int) -> None:
    assert exit_code(code) == expected


def test_every_error_has_a_code_of_its_own_or_of_its_parent() -> None:
    def below(kind: type[errors.VsmError]) -> list[type[errors.VsmError]]:
        return [kind, *(found for child in kind.__subclasses__() for found in below(child))]

    codes = [kind.code for kind in below(errors.VsmError) if kind.__module__ == "vsm_mcp.errors"]
    assert len(codes) == len(set(codes))


def options(**given: object) -> dict[str, object]:
    with add_command.command.make_context("add", ["npm:any"]) as context:
        return context.params | given


def test_options_become_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "value")
    given = options(
        env=("A=1=2",), secrets=("MY_KEY",), paths=(f"{tmp_path}:rw", str(tmp_path)), hosts=("h.example:443",)
    )
    settings = settings_from(given, interactive=False)
    assert settings["env"] == {"A": "1=2"}
    assert settings["secrets"] == {"MY_KEY": "value"}
    assert settings["paths"] == [(str(tmp_path), True), (str(tmp_path), False)]
    assert [settings[name] for name in ("stateful", "lazy", "idle_stop_seconds")] == [None, None, None]
    said = settings_from(options(stateful=False, lazy=True, idle_stop=0.0), interactive=False)
    assert [said[name] for name in ("stateful", "lazy", "idle_stop_seconds")] == [False, True, 0.0]
    assert [given["restart"] for given in (settings, said)] == ["permanent", "permanent"]


def test_a_permission_profile_comes_with_the_project_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    here = settings_from(options(permissions="project"), interactive=False)
    assert (here["permissions"], here["project"]) == ("project", str(tmp_path))
    there = settings_from(options(permissions="project", project="/usr"), interactive=False)
    assert there["project"] == "/usr"
    assert settings_from(options(), interactive=False)["project"] == ""


@pytest.mark.parametrize(
    "bad",
    [
        {"env": ("NOEQUALS",)},
        {"env": ("1A=x",)},
        {"env": ("=x",)},
        {"secrets": ("NOT_SET_ANYWHERE_4711",)},
        {"paths": ("/no/such/path",)},
        {"hosts": ("https://h/x",)},
        {"hosts": ("h:port",)},
        {"cwd": "/no/such/path"},
        {"project": "/usr"},
        {"permissions": "project", "project": "/no/such/path"},
        {"idle_stop": float("nan")},
        {"idle_stop": float("inf")},
    ],
)
def test_bad_options_are_refused_with_a_hint(bad: dict[str, object]) -> None:
    with pytest.raises(BadArgument) as caught:
        settings_from(options(**bad), interactive=False)
    assert caught.value.hint


@pytest.mark.parametrize(
    "name",
    [
        *(name for name in COMMANDS if name not in {"key", "kit", "rollout", "sandbox"}),
        *("key create", "key list", "key revoke", "sandbox run", "sandbox show"),
        *(f"rollout {what}" for what in ("list", "start", "promote", "hold", "back")),
        *(f"kit {what}" for what in ("list", "show", "load", "unload", "import", "export")),
    ],
)
def test_every_command_explains_itself_and_speaks_json(name: str) -> None:
    done = subprocess.run([PROGRAM, *name.split(), "--help"], capture_output=True, text=True, check=True, timeout=60)
    assert "Usage: vsm-mcp" in done.stdout
    assert "--json" in done.stdout


def test_usage_errors_exit_with_2() -> None:
    assert subprocess.run([PROGRAM, "search"], capture_output=True, check=False, timeout=60).returncode == 2
    assert subprocess.run([PROGRAM, "nonsense"], capture_output=True, check=False, timeout=60).returncode == 2


def test_a_terminal_gets_colours_and_a_pipe_does_not(tmp_path: Path) -> None:
    environ = {**os.environ, "VSM_MCP_HOME": str(tmp_path), "TERM": "xterm-256color"}
    piped = subprocess.run([PROGRAM, "inspect", "nobody"], capture_output=True, env=environ, check=False, timeout=60)
    assert b"\x1b[" not in piped.stdout + piped.stderr
    leader, follower = pty.openpty()
    subprocess.run(
        [PROGRAM, "inspect", "nobody"], stdout=follower, stderr=follower, env=environ, check=False, timeout=60
    )
    os.close(follower)
    assert b"\x1b[" in os.read(leader, 65536)
    os.close(leader)


def test_errors_are_one_json_document(tmp_path: Path) -> None:
    environ = {**os.environ, "VSM_MCP_HOME": str(tmp_path)}
    done = subprocess.run(
        [PROGRAM, "inspect", "nobody", "--json"], capture_output=True, env=environ, check=False, timeout=60
    )
    document = json.loads(done.stdout)
    assert document["schema"] == 1
    assert set(document["error"]) == {"code", "message", "hint", "retryable"}
    assert done.returncode == 4


@pytest.mark.parametrize(
    ("widths", "room", "found"),
    [([4, 30, 12], 60, [4, 30, 12]), ([4, 30, 12], 30, [4, 14, 12]), ([4, 30, 12], 20, [4, 8, 8]), ([5, 5], 0, [1, 1])],
)
def test_in_a_narrow_terminal_the_widest_column_gives_way(widths: list[int], room: int, found: list[int]) -> None:
    assert output.fitted(widths, room) == found
