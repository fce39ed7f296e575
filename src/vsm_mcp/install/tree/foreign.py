"""What other tools than npm leave in a project of node's: their lock files, their words for dependencies, workspaces.

npm alone installs here. What it would read otherwise than its author meant is refused, what it does not read is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from vsm_mcp.errors import InstallFailed
from vsm_mcp.install.executable import npm_programs
from vsm_mcp.install.tree.project import package_json, text_of

_LOCKS: Final = ("yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb")
_PNPM: Final = "pnpm-workspace.yaml"
_LISTS: Final = ("dependencies", "optionalDependencies")
_FOREIGN: Final = re.compile(r"(workspace|link|portal|patch|catalog):")
_TOOL: Final = re.compile(r"(?:^|&&|\|\||;)\s*(?:npx\s+)?(yarn|pnpm|bunx?)\b")
_MOST: Final = 200
_SHOWN: Final = 4


def said(root: Path, manifest: Mapping[str, Any], own: str = "") -> tuple[str, ...]:
    """Return what a person should know of a tree whose dependencies npm resolved anew; ``own`` is npm's lock in it."""
    found = [name for name in _LOCKS if (root / name).is_file()]
    if own and "workspaces" in manifest:
        return ("its package-lock.json does not count, for it locks workspaces: npm resolved its package.json anew",)
    if own or not found:
        return ()
    pnpm = manifest.get("pnpm")
    fields = ["resolutions"] if manifest.get("resolutions") else []
    fields += ["pnpm.overrides"] if isinstance(pnpm, Mapping) and pnpm.get("overrides") else []
    also = f", nor do its {' and '.join(fields)}" if fields else ""
    return (f"its {found[0]} does not count{also}: npm resolved its package.json anew, within the cool-down",)


def check_dependencies(name: str, manifest: Mapping[str, Any], *, dev: bool) -> None:
    """Refuse what only another tool can look up. Raises :class:`InstallFailed`."""
    for field in (*_LISTS, *(("devDependencies",) if dev else ())):
        wanted = manifest.get(field)
        for package, version in wanted.items() if isinstance(wanted, Mapping) else ():
            word = _FOREIGN.match(version) if isinstance(version, str) else None
            if word is not None:
                raise InstallFailed(
                    f"{name} takes {package} by {word[0]} which only pnpm, yarn or bun can look up",
                    "add the published package (npm:NAME), or build it yourself and add what comes of it",
                )


def check_scripts(name: str, commands: Mapping[str, str]) -> None:
    """Refuse build scripts that call a tool which is not there when they run. Raises :class:`InstallFailed`."""
    for script, command in commands.items():
        if (tool := _TOOL.search(command)) is not None:
            raise InstallFailed(
                f"the script {script!r} of {name} calls {tool[1]}, and npm alone builds here",
                "build it yourself with that, then add the folder: dir:PATH",
            )


def alone(root: Path, name: str, manifest: dict[str, Any]) -> dict[str, Any]:
    """Return the manifest of a tree with workspaces as if it had none, where it needs none of them.

    A member that is a dependency would be fetched from a registry, where the name may be anybody's: that is refused.
    Raises :class:`InstallFailed`.
    """
    if "workspaces" not in manifest:
        return manifest
    own = {str(member.get("name")): folder for folder, member in members(root, name, manifest)}
    for field in (*_LISTS, "devDependencies"):
        wanted = manifest.get(field)
        taken = next((each for each in own if isinstance(wanted, Mapping) and each in wanted), None)
        if taken is not None:
            raise InstallFailed(f"{name} needs {taken}, a workspace of its own ({own[taken]})", _one_of(own.values()))
    return {key: value for key, value in manifest.items() if key != "workspaces"}


def several(root: Path, name: str, manifest: Mapping[str, Any]) -> InstallFailed | None:
    """Return the refusal of a tree that holds several packages and is no server itself; ``None`` for other trees."""
    if "workspaces" not in manifest and not (root / _PNPM).is_file():
        return None
    found = list(members(root, name, manifest))
    folders = [folder for folder, member in found if npm_programs(member)] or [folder for folder, _ in found]
    return InstallFailed(f"{name} is no server itself: it holds several packages (workspaces)", _one_of(folders))


def members(root: Path, name: str, manifest: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the folder and the package.json of each workspace, as npm, yarn and pnpm name them."""
    said = manifest.get("workspaces", _of_pnpm(root))
    patterns = said.get("packages") if isinstance(said, Mapping) else said
    seen: set[str] = set()
    for pattern in patterns if isinstance(patterns, list) else ():
        for path in _matching(root, pattern):
            folder = path.relative_to(root).as_posix()
            if folder not in seen and (path / "package.json").is_file():
                seen.add(folder)
                yield folder, package_json(path, f"{name}/{folder}")


def _of_pnpm(root: Path) -> Any:
    if not (root / _PNPM).is_file():
        return None
    import yaml  # noqa: PLC0415 - most never need it

    try:
        return yaml.safe_load(text_of(root, _PNPM))
    except (yaml.YAMLError, RecursionError):
        return None


def _matching(root: Path, pattern: Any) -> list[Path]:
    if not isinstance(pattern, str) or pattern.startswith(("/", "!")) or ".." in pattern.split("/"):
        return []
    try:
        return sorted(root.glob(pattern.removeprefix("./").rstrip("/")))[:_MOST]
    except (ValueError, NotImplementedError):  # no pattern of Python's
        return []


def _one_of(folders: Any) -> str:
    names = ", ".join(list(folders)[:_SHOWN])
    return f"name the folder of one: dir:PATH/FOLDER, or git+URL#subdirectory=FOLDER{f' ({names})' if names else ''}"
