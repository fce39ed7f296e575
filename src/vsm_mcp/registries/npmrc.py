"""Reads npm's own settings: ``npmrc`` files and ``npm_config_*`` variables.

Order and syntax: npm documentation, "npmrc" (the environment wins over the user's file, the user's over the global
one, the global over the built-in one; ``${NAME}`` is replaced by a variable of the environment).
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_VARIABLE: Final = re.compile(r"(?<!\\)\$\{([^${}]+)\}")
_PREFIX: Final = "npm_config_"


def read_npm_settings(environ: Mapping[str, str]) -> tuple[dict[str, str], frozenset[str]]:
    """Return npm's settings as ``{key: value}`` and the names of the variables that its files refer to.

    Keys are as in an npmrc file (``registry``, ``@scope:registry``, ``//host/:_authToken``, ``cafile``). A file that
    cannot be read counts as empty, as it does for npm.
    """
    from_environ = _from_environ(environ)
    settings: dict[str, str] = {}
    referred: set[str] = set()
    for path in _files(environ, from_environ):
        try:
            text = path.read_text("utf-8", errors="replace")
        except OSError:
            continue
        referred.update(_VARIABLE.findall(text))
        settings.update(_parse(text, environ))
    return settings | from_environ, frozenset(name.rstrip("?") for name in referred)


def _files(environ: Mapping[str, str], from_environ: Mapping[str, str]) -> list[Path]:
    """Return the files in ascending order of weight: built-in, global, user."""
    found: list[Path] = []
    npm = shutil.which("npm", path=environ.get("PATH"))
    node = shutil.which("node", path=environ.get("PATH"))
    if npm is not None:
        # …/npm/bin/npm-cli.js; a Debian or a version manager's wrapper has no npmrc there, which is fine
        found.append(Path(npm).resolve().parent.parent / "npmrc")
    prefix = from_environ.get("prefix") or (str(Path(node).resolve().parent.parent) if node else "")
    given = from_environ.get("globalconfig")
    if given or prefix:
        found.append(Path(given) if given else Path(prefix) / "etc" / "npmrc")
    user = from_environ.get("userconfig") or str(Path(environ.get("HOME") or "/nonexistent") / ".npmrc")
    return [*found, Path(user)]


def _from_environ(environ: Mapping[str, str]) -> dict[str, str]:
    settings: dict[str, str] = {}
    for name, value in environ.items():
        if name.lower().startswith(_PREFIX) and value:
            key = name[len(_PREFIX) :]
            # as @npmcli/config does it: auth keys and scopes stay as they are, all others are lower case with dashes
            settings[key if key.startswith(("//", "@")) else _dashed(key.lower())] = value
    return settings


def _dashed(key: str) -> str:
    return key[:1] + key[1:].replace("_", "-")


def _parse(text: str, environ: Mapping[str, str]) -> dict[str, str]:
    settings: dict[str, str] = {}
    for line in text.splitlines():
        stripped = line.strip()
        key, equals, value = stripped.partition("=")
        if not equals or stripped.startswith((";", "#", "[")):
            continue
        value = value.strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        settings[key.strip()] = _VARIABLE.sub(lambda match: _expanded(match, environ), value)
    return settings


def _expanded(match: re.Match[str], environ: Mapping[str, str]) -> str:
    name = match.group(1)
    if name.endswith("?"):
        return environ.get(name[:-1], "")
    return environ.get(name, match.group(0))
