"""A folder, a repository and a bundle become served servers, as a developer adds them."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.homes import Done, Home
from tests.source_trees import (
    PYPROJECT,
    PYTHON_SERVER,
    bundle,
    manifest,
    node_files,
    python_files,
    repository,
    served,
    write,
)

from vsm_mcp.registries.addresses import read_addresses

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.skipif(shutil.which("npm") is None or shutil.which("git") is None, reason="npm and git are needed"),
]
BUILD = "require('fs').mkdirSync('dist', {recursive: true}); require('fs').copyFileSync('server.js', 'dist/main.js')"


def told(home: Home, tool: str) -> Any:
    done = home.run("call", tool)
    assert done.code == 0, done
    return json.loads(done.document["content"][0]["text"])


def good(done: Done) -> dict[str, Any]:
    assert done.code == 0, (done.document, done.stderr)
    return done.document


def test_a_folder_of_python_is_added_and_added_again(home: Home, tmp_path: Path) -> None:
    root = write(tmp_path / "told", python_files())
    first = good(home.run("add", str(root), "--method", "dir", "--yes", "--arg", "x"))
    assert (first["ref"], first["tools"]) == (f"dir:{root}", ["told__told"])
    assert told(home, "told__told")[0] == ["x"]
    (root / "src/told_mcp/server.py").write_text(PYTHON_SERVER.replace('"told", "desc', '"said", "desc'))
    second = good(home.run("add", f"dir:{root}", "--yes"))
    assert second["version"] != first["version"] and second["tools"] == ["told__said"]
    installed = home.path / "installations/told"
    assert str((installed / "current").readlink()) == second["version"]
    assert str((installed / "previous").readlink()) == first["version"]
    good(home.run("remove", "told"))
    assert home.left() == []


def test_a_build_runs_only_where_it_is_allowed(home: Home, tmp_path: Path) -> None:
    """By npm's script, and by a build backend of Python's, which finds packages that no setting names."""
    node = node_files(bin="dist/main.js", scripts={"build": f'node -e "{BUILD}"'})
    root = write(tmp_path / "node", node)
    refused = home.run("add", f"dir:{root}", "--yes")
    assert refused.document["reason"]["code"] == "install_failed"
    assert "--allow-scripts" in refused.document["reason"]["hint"]
    assert home.left() == []
    done = good(home.run("add", f"dir:{root}", "--yes", "--allow-scripts"))
    assert not (root / "dist").exists() and not (root / "node_modules").exists()
    built = [each for each in good(home.run("evidence", done["evidence"]))["records"] if each["kind"] == "built"]
    assert [script["name"] for script in built[0]["body"]["scripts"]] == ["build"]
    assert told(home, done["tools"][0])[0] == []
    backend = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
    odd = '[tool.hatch.build.targets.wheel]\nsources = {"odd/place" = "told_mcp"}\nonly-include = ["odd/place"]\n'
    files = {"pyproject.toml": PYPROJECT + backend + odd, "odd/place/server.py": PYTHON_SERVER}
    root = write(tmp_path / "python", files)
    refused = home.run("add", f"dir:{root}", "--yes")
    assert "which is not in its folders" in refused.document["reason"]["message"]
    done = good(home.run("add", f"dir:{root}", "--yes", "--allow-scripts"))
    assert told(home, done["tools"][0])[0] == []


def test_a_server_of_the_registry_from_a_repository(home: Home, tmp_path: Path) -> None:
    """The tree of a real package, with real dependencies, over git's own server."""
    environ = asyncio.run(read_addresses(dict(os.environ))).environ
    words = ["npm", "pack", "--silent", "--ignore-scripts", "mcp-hello-world@1.1.2"]
    subprocess.run(words, cwd=tmp_path, env={**environ, "PATH": os.environ["PATH"]}, check=True, capture_output=True)
    subprocess.run(["tar", "xzf", *(path.name for path in tmp_path.glob("*.tgz"))], cwd=tmp_path, check=True)
    (tmp_path / "package").rename(tmp_path / "hello.git.work")
    commit = repository(tmp_path / "hello.git", {})
    with served(tmp_path) as address:
        done = good(home.run("add", f"git+{address}/hello.git@v1", "--yes", timeout=300))
    assert done["version"] == commit and done["ref"] == f"git+{address}/hello.git@{commit}"
    good(home.run("call", done["tools"][0], "message=x"))


def test_a_bundle_asks_and_is_told(home: Home, tmp_path: Path) -> None:
    """Its questions become variables and secrets; no secret is in what is kept, but for the file of secrets."""
    command = {
        "command": "python3",
        "args": ["${__dirname}/server/main.py", "${user_config.folders}", "--level=${user_config.level}"],
        "env": {"TOLD_KEY": "${user_config.key}", "TOLD_HEADER": "Bearer ${user_config.key}", "TOLD_HOME": "${HOME}"},
        "platform_overrides": {"linux": {"env": {"TOLD_SYSTEM": "linux"}}, "win32": {"command": "python.exe"}},
    }
    asked = {
        "folders": {"type": "directory", "title": "F", "description": "where", "multiple": True, "required": True},
        "key": {"type": "string", "title": "K", "description": "a key", "sensitive": True, "required": True},
        "level": {"type": "number", "title": "L", "description": "how much", "default": 3, "max": 5},
    }
    files = {"server/main.py": "from told_mcp import main\nmain()\n", "server/lib/told_mcp.py": PYTHON_SERVER}
    document = manifest("python", "server/main.py", command, user_config=asked)
    path = bundle(tmp_path / "told.mcpb", document, files)
    folders = [str(tmp_path / name) for name in ("a", "b")]
    for folder in folders:
        Path(folder).mkdir()
    missing = home.run("add", f"mcpb:{path}", "--yes").document["reason"]
    assert missing["code"] == "missing_value"
    assert [(item["kind"], item["name"]) for item in missing["inputs"]] == [("env", "folders"), ("secret", "TOLD_KEY")]
    home.environ["TOLD_KEY"] = "s3cret-4711"
    given = ("--env", f"folders={':'.join(folders)}", "--secret", "TOLD_KEY")
    wrong = home.run("add", f"mcpb:{path}", "--yes", *given, "--env", "level=9").document["reason"]
    assert (wrong["code"], wrong["hint"]) == ("bad_argument", "give a number (least: any, most: 5)")
    done = good(home.run("add", f"mcpb:{path}", "--yes", *given))
    assert done["version"] == "1.4.0" and "#sha256=" in done["ref"]
    args, env = told(home, "told__told")
    assert args == [*folders, "--level=3"]
    assert env == {
        "TOLD_KEY": "s3cret-4711",
        "TOLD_HEADER": "Bearer s3cret-4711",
        "TOLD_HOME": "/home/mcp",
        "TOLD_SYSTEM": "linux",
    }
    holding = [file for file in home.path.rglob("*") if file.is_file() and b"s3cret-4711" in file.read_bytes()]
    assert [file.parent.name for file in holding] == ["secrets"]


def test_a_bundle_that_uv_runs_and_one_of_machine_code(home: Home, tmp_path: Path) -> None:
    project = {"pyproject.toml": '[project]\nname = "told"\nversion = "1"\ndependencies = ["six==1.17.0"]\n'}
    files = {**project, "src/server.py": f"import six\n{PYTHON_SERVER}\nmain()\n"}
    path = bundle(tmp_path / "uv.mcpb", manifest("uv", "src/server.py", None), files)
    done = good(home.run("add", f"mcpb:{path}", "--yes"))
    assert told(home, done["tools"][0])[0] == []
    script = f"#!/usr/bin/env python3\n{PYTHON_SERVER}\nmain()\n"
    command = {"command": "${__dirname}/bin/told", "args": ["--fast"]}
    path = bundle(tmp_path / "own.mcpb", manifest("binary", "bin/told", command), {"bin/told": script})
    done = good(home.run("add", f"mcpb:{path}", "--yes"))
    assert told(home, done["tools"][0])[0] == ["--fast"]


@pytest.mark.parametrize(
    ("ref", "method", "possible"),
    [
        ("npm:mcp-hello-world", "pypi", "possible: --method npm"),
        ("https://h.example/mcp", "npm", "possible: --method mcpb | git | remote"),
    ],
)
def test_a_method_that_is_not_offered_names_those_that_are(home: Home, ref: str, method: str, possible: str) -> None:
    done = home.run("add", ref, "--method", method, "--yes")
    assert (done.code, done.document["error"]["hint"]) == (2, possible)
