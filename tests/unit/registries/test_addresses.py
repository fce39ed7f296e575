"""npm's default registry: read from npm's own files, asked for where these are not to be found."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from vsm_mcp.registries import addresses
from vsm_mcp.registries.addresses import read_addresses

OLD = "define('registry', {\n  default: 'https://npm.example/old/',\n"
NEW = '  registry: new Definition("registry", {\n    default: "https://npm.example/new",\n    type: url,\n'


def npm_at(folder: Path, definitions: str | None) -> dict[str, str]:
    """Make an npm whose command says another registry than its files, and a PATH that finds it by a link."""
    root, commands = folder / "lib" / "npm", folder / "bin"
    commands.mkdir()
    script = root / "bin" / "npm-cli.js"
    script.parent.mkdir(parents=True)
    script.write_text("#!/bin/sh\necho https://npm.example/asked/\n")
    script.chmod(0o755)
    (commands / "npm").symlink_to(script)
    if definitions is not None:
        file = root / addresses._DEFINITIONS
        file.parent.mkdir(parents=True)
        file.write_text(definitions)
    return {"PATH": f"{commands}:/usr/bin:/bin", "HOME": str(folder), "npm_config_globalconfig": os.devnull}


@pytest.mark.parametrize(
    ("definitions", "registry"),
    [
        (OLD, "https://npm.example/old/"),
        (NEW, "https://npm.example/new/"),
        ("define('registry', { default: null })", "https://npm.example/asked/"),
        (None, "https://npm.example/asked/"),
    ],
)
async def test_the_default_of_npm(tmp_path: Path, definitions: str | None, registry: str) -> None:
    assert (await read_addresses(npm_at(tmp_path, definitions))).npm == registry


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is needed")
async def test_what_is_read_is_what_npm_says(tmp_path: Path) -> None:
    npm = str(shutil.which("npm"))
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "npm_config_globalconfig": os.devnull}
    words = [npm, "config", "get", "registry", "--global"]
    asked = subprocess.run(words, env=environ, capture_output=True, text=True, check=True).stdout.strip()
    assert (await read_addresses(environ)).npm.rstrip("/") == asked.rstrip("/")


async def test_what_tools_need_to_find_pythons_is_passed_on_and_secrets_are_not(tmp_path: Path) -> None:
    environ = npm_at(tmp_path, NEW) | {"PYENV_ROOT": "/opt/pyenv", "UV_PYTHON_INSTALL_DIR": "/opt/uv", "TOKEN": "x"}
    passed = (await read_addresses(environ)).environ
    assert (passed["PYENV_ROOT"], passed["UV_PYTHON_INSTALL_DIR"], "TOKEN" in passed) == (
        "/opt/pyenv",
        "/opt/uv",
        False,
    )
