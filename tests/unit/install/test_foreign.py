from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.source_trees import write

from vsm_mcp.errors import InstallFailed
from vsm_mcp.install.tree import foreign


def manifest(**fields: Any) -> str:
    return json.dumps(fields)


@pytest.mark.parametrize(
    ("files", "fields", "own", "words"),
    [
        ({}, {}, "", ()),
        ({"yarn.lock": ""}, {}, "", ("its yarn.lock does not count:",)),
        ({"yarn.lock": ""}, {"resolutions": {"a": "1"}}, "", ("yarn.lock does not count, nor do its resolutions:",)),
        ({"pnpm-lock.yaml": ""}, {"pnpm": {"overrides": {"a": "1"}}}, "", ("nor do its pnpm.overrides",)),
        ({"yarn.lock": ""}, {}, "{}", ()),
        ({}, {"workspaces": ["a"]}, "{}", ("its package-lock.json does not count, for it locks workspaces",)),
    ],
)
def test_which_lock_does_not_count(
    tmp_path: Path, files: dict[str, str], fields: dict[str, Any], own: str, words: tuple[str, ...]
) -> None:
    said = foreign.said(write(tmp_path / "tree", {"package.json": "{}", **files}), fields, own)
    assert len(said) == len(words)
    assert all(word in line for word, line in zip(words, said, strict=True))


@pytest.mark.parametrize("version", ["workspace:*", "catalog:", "link:../a", "portal:../a", "patch:a@npm%3A1"])
def test_what_npm_cannot_look_up(version: str) -> None:
    with pytest.raises(InstallFailed, match=r"takes a by \w+: which only"):
        foreign.check_dependencies("demo", {"dependencies": {"b": "^1", "a": version}}, dev=False)
    foreign.check_dependencies("demo", {"devDependencies": {"a": version}}, dev=False)
    with pytest.raises(InstallFailed):
        foreign.check_dependencies("demo", {"devDependencies": {"a": version}}, dev=True)


def test_scripts_of_other_tools() -> None:
    foreign.check_scripts("demo", {"build": "tsc && node yarn.js", "prepare": "npm run build"})
    for command in ("pnpm run x", "tsc && yarn bundle", "npx pnpm build", "a; bunx x"):
        with pytest.raises(InstallFailed, match="npm alone builds here"):
            foreign.check_scripts("demo", {"build": command})


def test_a_tree_with_workspaces(tmp_path: Path) -> None:
    root = write(
        tmp_path / "tree",
        {
            "packages/lib/package.json": manifest(name="@a/lib"),
            "packages/server/package.json": manifest(name="@a/server", bin="x.js"),
            "tools/one/package.json": manifest(name="one"),
            "tools/none/read.me": "",
        },
    )
    both: dict[str, Any] = {"workspaces": ["packages/*", "./tools/*/", "../*", "/etc", "!x", "**x", "", 7]}
    assert [folder for folder, _ in foreign.members(root, "demo", both)] == [
        "packages/lib",
        "packages/server",
        "tools/one",
    ]
    refusal = foreign.several(root, "demo", both)
    assert refusal is not None
    assert "git+URL#subdirectory=FOLDER (packages/server)" in refusal.hint
    assert foreign.several(root, "demo", {}) is None
    assert foreign.alone(root, "demo", {"bin": "x", **both}) == {"bin": "x"}
    plain = {"bin": "x"}
    assert foreign.alone(root, "demo", plain) is plain
    for field in ("dependencies", "devDependencies"):
        with pytest.raises(InstallFailed, match=r"needs @a/lib, a workspace of its own \(packages/lib\)"):
            foreign.alone(root, "demo", {**both, field: {"@a/lib": "*"}})
    yarn = {"workspaces": {"packages": ["packages/lib"], "nohoist": []}}
    refusal = foreign.several(root, "demo", yarn)
    assert refusal is not None
    assert "(packages/lib)" in refusal.hint


@pytest.mark.parametrize(
    ("text", "said"),
    [("packages: ['apps/*']", "(apps/one)"), ("packages:\n", "FOLDER"), ("packages: [", "FOLDER"), ("7", "")],
)
def test_workspaces_of_pnpm(tmp_path: Path, text: str, said: str) -> None:
    root = write(tmp_path / "tree", {"pnpm-workspace.yaml": text, "apps/one/package.json": "{}"})
    refusal = foreign.several(root, "demo", {})
    assert refusal is not None
    assert refusal.hint.endswith(said)
