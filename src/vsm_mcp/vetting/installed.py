"""Check ``installed``: everything that was installed, the dependencies too, before any of it runs for the first time.

Cheap rules only, for tens of thousands of files: names, install scripts, and the patterns on small scripts that every
start would run.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from vsm_mcp.config import Config
from vsm_mcp.model.finding import CheckResult, Finding, Severity
from vsm_mcp.vetting import install_script
from vsm_mcp.vetting.check import Rule, Stage, Subject, result, unavailable
from vsm_mcp.vetting.startup_hook import LONGEST, NAMES, imported_by_pth

HOOK: Final = Rule(
    "installed.startup_hook", Severity.BLOCK, "a dependency holds code that every Python start would run"
)
OWN_HOOK: Final = Rule(
    "installed.own_hook", Severity.REVIEW, "a dependency has modules of its own imported by every Python start"
)
KNOWN_HOOK: Final = Rule("installed.known_hook", Severity.NOTE, "the same, of a well-known kind")
SCRIPT: Final = Rule(
    "installed.script_hostile", Severity.BLOCK, "a dependency's install script takes secrets, hides or plants something"
)
UNUSUAL: Final = Rule("installed.script", Severity.NOTE, "a dependency has an install script; it runs only if allowed")
NATIVE: Final = Rule("installed.native_code", Severity.NOTE, "dependencies hold machine code")
RULES: Final = (HOOK, OWN_HOOK, KNOWN_HOOK, SCRIPT, UNUSUAL, NATIVE)
_NAME: Final = "installed"
_UNIT: Final = "files"
_MOST_FILES: Final = 200_000
_HOOKS: Final = re.compile(rf"(?:^|/){NAMES}")
# what the libraries of the Python world themselves put there: paths, and one import of their own
_HARMLESS_LINE: Final = re.compile(r"[ \t]*(?:#[\t\x20-\x7e]*|[\w./\\-]*)[ \t\r]*")
# Hooks of a well-known kind: how their files are called, and what they import.
_WELL_KNOWN: Final = (
    (re.compile(r"(?:protobuf.*|[\w.-]+-|matplotlib-[\w.-]+-)nspkg\.pth"), re.compile(r"(?!)")),
    (re.compile(r"distutils-precedence\.pth"), re.compile(r"_distutils_hack")),
    (re.compile(r"_virtualenv\.pth"), re.compile(r"_virtualenv")),
    (re.compile(r"a1_coverage\.pth"), re.compile(r"coverage")),
    (re.compile(r"coloredlogs\.pth"), re.compile(r"coloredlogs")),
    (re.compile(r"ddtrace_\w*\.pth"), re.compile(r"ddtrace(?:\.\w+)*")),
    (re.compile(r"pywin32\.pth"), re.compile(r"pywin32_bootstrap")),
)
_NATIVE: Final = re.compile(r"\.(?:node|so(?:\.\d+)*|dylib|dll|pyd|exe|wasm)$", re.IGNORECASE)
_SCRIPTS: Final = ("preinstall", "install", "postinstall")


class InstalledCheck:
    """Walks the installation; runs nothing of it."""

    name = _NAME
    stage = Stage.AFTER_BUILD

    async def check(self, subject: Subject) -> CheckResult:
        """Look at all that is installed; more than 200,000 files make it *unavailable*."""
        if subject.installed is None:
            return result(_NAME, 0, _UNIT, (), "nothing is installed for this kind of reference")
        count, findings = await asyncio.to_thread(walk, subject.installed)
        if count > _MOST_FILES:
            return unavailable(_NAME, _UNIT, f"more than {_MOST_FILES} files are installed")
        return result(_NAME, count, _UNIT, findings)


def build(_config: Config) -> InstalledCheck:
    """Make the check: the entry point."""
    return InstalledCheck()


def walk(root: Path) -> tuple[int, list[Finding]]:
    """Return how many files are below ``root`` and what is wrong with them; follows no link."""
    count, native = 0, 0
    found: list[Finding] = []
    hooks: list[Path] = []
    for folder, names, files in os.walk(root):
        names.sort()
        within = Path(folder).name
        count += len(files)
        if count > _MOST_FILES:
            break
        for name in files:
            native += _NATIVE.search(name) is not None
            if _HOOKS.search(f"{within}/{name}"):
                hooks.append(Path(folder, name))
        if "package.json" in files and Path(folder).parent.name in {"node_modules"} | _scope(folder):
            found += _scripts(Path(folder), root)
    found += _judged(hooks, root)
    if native:
        found.append(NATIVE.found(_shown(root, root), f"{native} native libraries or programs"))
    return count, found


def _scope(folder: str) -> set[str]:
    parent = Path(folder).parent
    return {parent.name} if parent.name.startswith("@") and parent.parent.name == "node_modules" else set()


def _judged(hooks: Sequence[Path], root: Path) -> Iterator[Finding]:
    """Judge what Python would read at its start: path files beside the packages, and modules of two names.

    Those count where Python looks for modules: beside the packages, and in the folders that path files name.
    """
    places: set[Path] = set()
    for path in (each for each in hooks if each.suffix == ".pth" and each.parent.name == "site-packages"):
        if path.is_file() and not path.is_symlink():
            text = _text(path)
            places |= {Path(os.path.normpath(path.parent / line.strip())) for line in text.split("\n") if line.strip()}
            yield from _path_file(path.name, text, _shown(path, root))
    for path in (each for each in hooks if each.suffix != ".pth"):
        place = path.parent.parent if path.stem == "__init__" else path.parent
        if place.name == "site-packages" or place in places:
            yield HOOK.found(_shown(path, root), "run at every start of Python")
        elif "site-packages" in place.parts:
            yield KNOWN_HOOK.found(_shown(path, root), "run only where its folder is a place for modules")


def _text(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(LONGEST + 1).decode("utf-8", "replace")


def _path_file(name: str, text: str, where: str) -> Iterator[Finding]:
    if len(text) <= LONGEST and all(_HARMLESS_LINE.fullmatch(line) for line in text.split("\n")):
        return
    modules = imported_by_pth(text)
    rule = HOOK if modules is None else OWN_HOOK
    if modules is not None and _well_known(name, modules):
        rule = KNOWN_HOOK
    yield rule.found(where, "run at every start of Python")


def _well_known(name: str, modules: frozenset[str]) -> bool:
    return any(
        called.fullmatch(name) and all(imports.fullmatch(module) for module in modules)
        for called, imports in _WELL_KNOWN
    )


def _scripts(folder: Path, root: Path) -> Iterator[Finding]:
    for name, command in _wanted(folder / "package.json").items():
        level, reasons = install_script.weigh(command, install_script.read_files(folder, command))
        rule = SCRIPT if level == "hostile" else UNUSUAL
        said = f" ({', '.join(reasons)})" if reasons else ""
        yield rule.found(f"{_shown(folder, root)} {name}", f"{command[:160]!a}{said}")


def _wanted(path: Path) -> dict[str, str]:
    try:
        with path.open("rb") as file:
            manifest: Any = msgspec.json.decode(file.read(4_000_000))
    except (OSError, msgspec.DecodeError):
        return {}
    scripts = manifest.get("scripts") if isinstance(manifest, dict) else None
    if not isinstance(scripts, dict):
        return {}
    return {name: scripts[name] for name in _SCRIPTS if isinstance(scripts.get(name), str)}


def _shown(path: Path, root: Path) -> str:
    return ascii(path.relative_to(root).as_posix()[:200])[1:-1]
