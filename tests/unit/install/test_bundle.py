from __future__ import annotations

import json
import struct
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from vsm_mcp.errors import BadArgument, InstallFailed
from vsm_mcp.install.bundle import fitting
from vsm_mcp.install.bundle.manifest import VERSIONS, Manifest, command_of, read_manifest
from vsm_mcp.install.bundle.questions import asking, check_given
from vsm_mcp.install.bundle.starting import Words, put_in, variables, words_of
from vsm_mcp.install.interpreter import own_interpreter


def made(kind: str = "node", command: dict[str, Any] | None = None, **more: Any) -> Manifest:
    server = {"type": kind, "entry_point": "server/main.js"} | ({"mcp_config": command} if command else {})
    plain = {"manifest_version": "0.3", "name": "told", "version": "1.0.0", "server": server}
    return read_manifest(json.dumps({**plain, **more}).encode(), "told.mcpb")


def words(manifest: Manifest, *held: str) -> Words:
    command = command_of(manifest, "linux")
    return words_of(manifest, command.command, asking(manifest, command), held.__contains__)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("field", ["manifest_version", "dxt_version"])
def test_versions_of_the_format(version: str, field: str) -> None:
    versions: dict[str, Any] = {"manifest_version": "", field: version}
    assert made(**versions).name == "told"


@pytest.mark.parametrize("data", [b"", b"[]", b'{"name":1}', b'{"name":"a","version":"1"}', b"\xff"])
def test_what_is_no_manifest(data: bytes) -> None:
    with pytest.raises(InstallFailed, match="cannot be used"):
        read_manifest(data, "told.mcpb")


def test_overrides_of_a_platform_take_the_place_of_what_they_name() -> None:
    overrides = {"linux": {"env": {"A": "linux"}}, "win32": {"command": "x.exe", "args": []}}
    manifest = made(
        command={"command": "node", "args": ["a"], "env": {"A": "1", "B": "2"}, "platform_overrides": overrides}
    )
    here, there = command_of(manifest, "linux"), command_of(manifest, "win32")
    assert (here.command, here.args, here.env) == ("node", ("a",), {"A": "linux", "B": "2"})
    assert (there.command, there.args, there.env) == ("x.exe", (), {"A": "1", "B": "2"})


@pytest.mark.parametrize(
    ("kind", "command", "expected"),
    [
        ("node", None, ("node", "server/main.js", ())),
        ("node", ("node", "${__dirname}/a.js", "-x"), ("node", "a.js", ("-x",))),
        ("node", ("node", "--inspect", "a.js"), ("node", "", ("--inspect", "a.js"))),
        ("python", ("python3.12", "./a.py"), ("python", "a.py", ())),
        ("python", ("python", "-m", "told"), ("python", "", ("-m", "told"))),
        ("uv", None, ("uv", "server/main.js", ())),
        ("python", ("uv", "run", "--directory", "${__dirname}", "a.py", "-v"), ("uv", "a.py", ("-v",))),
        ("uv", ("uv", "--directory", "${__dirname}", "run", "--frozen", "told"), ("uv", "told", ())),
        ("uv", ("uv", "run", "python", "a.py"), ("uv", "a.py", ())),
        ("uv", ("uv", "run", "-m", "told", "x"), ("uv", "", ("-m", "told", "x"))),
        ("uv", ("uv", "run", "python", "-m", "told"), ("uv", "", ("-m", "told"))),
        ("binary", None, ("native", "server/main.js", ())),
        ("binary", ("${__dirname}/told", "x"), ("native", "told", ("x",))),
        ("binary", ("told",), ("native", "told", ())),
    ],
)
def test_what_is_started(
    kind: str, command: tuple[str, ...] | None, expected: tuple[str, str, tuple[str, ...]]
) -> None:
    given = {"command": command[0], "args": command[1:]} if command else None
    found = words(made(kind, given), "told", "server/main.js")
    assert (found.runner, found.program, found.args) == expected


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("npx", "-y", "told"), "at every start"),
        (("uvx", "told"), "at every start"),
        (("uv", "run", "--with", "mcp", "a.py"), "more packages at every start"),
        (("/bin/sh", "-c", "x"), "not in it"),
        (("docker", "run", "x"), "not in it"),
    ],
)
def test_what_is_not_started(argv: tuple[str, ...], said: str) -> None:
    with pytest.raises(InstallFailed, match=said):
        words(made("node", {"command": argv[0], "args": argv[1:]}))


def question(kind: str = "string", **more: Any) -> dict[str, Any]:
    return {"type": kind, "title": "T", "description": "what it is", **more}


def test_questions_become_inputs_by_where_the_answers_go() -> None:
    env = {"API_KEY": "${user_config.key}", "URL": "x/${user_config.place}", "MODE": "${user_config.mode}"}
    questions = {
        "key": question(sensitive=True, required=True), "place": question(required=True),
        "mode": question(default="fast", required=True), "dirs": question("directory", multiple=True, default=["/x"]),
        "on": question("boolean", default=False), "unused": question(required=True),
        "many": question("number", default=2.5),
    }  # fmt: skip
    args = ("${user_config.dirs}", "--on=${user_config.on}", "${user_config.many}", "${user_config.nobody}")
    manifest = made(command={"command": "node", "args": ["a.js", *args], "env": env}, user_config=questions)
    asked = asking(manifest, command_of(manifest, "linux"))
    assert [(item.kind.value, item.name, item.required, item.default) for item in asked.inputs] == [
        ("secret", "API_KEY", True, ""), ("env", "place", True, ""), ("env", "MODE", False, "fast"),
        ("env", "dirs", False, ""), ("env", "on", False, "false"), ("env", "many", False, "2.5"),
    ]  # fmt: skip
    assert asked.args == ("a.js", "${user_config.dirs[]}", "--on=${user_config.on}", "${user_config.many}", "")
    assert variables(asked, "/b", lambda _name: False) == {
        "URL": "x/${user_config.place}", "MODE": "fast", "on": "false", "many": "2.5",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "value", "good"),
    [
        ("number", "2", True), ("number", "9", False), ("number", "nan", False), ("number", "x", False),
        ("boolean", "true", True), ("boolean", "yes", False), ("string", "anything", True),
    ],
)  # fmt: skip
def test_answers_of_the_wrong_type(kind: str, value: str, good: bool) -> None:
    limits = {"min": 1, "max": 5} if kind == "number" else {}
    manifest = made(
        command={"command": "node", "env": {"A": "${user_config.a}"}}, user_config={"a": question(kind, **limits)}
    )
    command = command_of(manifest, "linux")
    inputs = asking(manifest, command).inputs
    if good:
        check_given(manifest, inputs, {"A": value}, command)
        return
    with pytest.raises(BadArgument, match="A is"):
        check_given(manifest, inputs, {"A": value}, command)


@pytest.mark.parametrize("key", ["key", "API_KEY"])
def test_a_secret_is_no_argument(key: str) -> None:
    asked = {key: question(sensitive=key == "key")}
    manifest = made(command={"command": "node", "args": [f"--key=${{user_config.{key}}}"]}, user_config=asked)
    with pytest.raises(InstallFailed, match="as an argument"):
        asking(manifest, command_of(manifest, "linux"))


def test_what_the_format_lets_a_text_name() -> None:
    assert put_in("${__dirname}${/}a:${HOME}:${DOCUMENTS}:${OTHER}:${user_config.a}", "/b") == (
        "/b/a:/home/mcp:/home/mcp/Documents:${OTHER}:${user_config.a}"
    )


def test_search_paths_within_the_bundle_are_made_absolute() -> None:
    manifest = made("python", {"command": "python3", "args": ["a.py"], "env": {"PYTHONPATH": "lib:/usr/x:none"}})
    found = variables(asking(manifest, command_of(manifest, "linux")), "/b", lambda name: name == "lib")
    assert found == {"PYTHONPATH": "/b/lib:/usr/x:none"}


def test_modules_compiled_for_another_system_or_python() -> None:
    manifest, here = made("python"), "x.cpython-312-x86_64-linux-gnu.so"
    assert fitting.wanted_minors(manifest, ["a.py"], "linux") == frozenset()
    assert fitting.wanted_minors(manifest, [here, "y.cpython-313-darwin.so"], "linux") == {12}
    with pytest.raises(InstallFailed, match="compiled for darwin"):
        fitting.wanted_minors(manifest, ["y.cpython-313-darwin.so"], "linux")
    python = msgspec.structs.replace(own_interpreter(), version="3.12.1")
    assert fitting.python_fits(manifest, python, frozenset({12})) and not fitting.python_fits(
        manifest, python, frozenset({13})
    )
    with pytest.raises(InstallFailed, match=r"compiled for 3\.13\), and this machine has 3\.12\.1"):
        raise fitting.no_python(manifest, frozenset({13}), ["3.12.1"])


@pytest.mark.skipif(sys.platform != "linux", reason="programs of Linux")
@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"MZ", "made for Windows"),
        (b"\xcf\xfa\xed\xfe", "made for macOS"),
        (b"\x7fELF\x02\x01" + bytes(12) + struct.pack("<H", 8), "another processor"),
        (b"#!/bin/sh", ""),
    ],
)
def test_programs_for_another_machine(tmp_path: Path, head: bytes, said: str) -> None:
    path = tmp_path / "told"
    path.write_bytes(head)
    if not said:
        fitting.check_program(made("binary"), path)
        return
    with pytest.raises(InstallFailed, match=said):
        fitting.check_program(made("binary"), path)
