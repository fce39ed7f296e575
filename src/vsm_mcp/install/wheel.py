"""Which file of a Python release to take, and what a wheel says about itself.

Formats: binary distribution format (wheel names and ``*.dist-info``), core metadata, entry points specification.
"""

from __future__ import annotations

import email.parser
import email.policy
from collections.abc import Iterable, Mapping, Sequence
from email.message import Message
from pathlib import Path
from typing import Any

from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from vsm_mcp.errors import InstallFailed
from vsm_mcp.install.executable import console_scripts


def wheels(files: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the files that are wheels and were not taken back (yanked)."""
    return [file for file in files if file.get("packagetype") == "bdist_wheel"]


def best_wheel(files: Sequence[dict[str, Any]], tags: Sequence[Tag]) -> dict[str, Any] | None:
    """Return the wheel that suits ``tags`` (best first) best, or ``None``."""
    rank = {tag: position for position, tag in enumerate(tags)}
    best: tuple[int, dict[str, Any]] | None = None
    for file in wheels(files):
        try:
            _, _, _, offered = parse_wheel_filename(str(file.get("filename", "")))
        except InvalidWheelFilename:
            continue
        position = min((rank[tag] for tag in offered if tag in rank), default=None)
        if position is not None and (best is None or position < best[0]):
            best = (position, file)
    return best[1] if best else None


def newest(releases: dict[str, list[dict[str, Any]]], *, sources: bool = False) -> list[str]:
    """Return the versions that can be installed, newest first: stable before pre-releases, no yanked.

    They need a wheel, or with ``sources`` any file.
    """
    usable: list[tuple[bool, Version, str]] = []
    for text, files in releases.items():
        try:
            version = Version(text)
        except InvalidVersion:
            continue
        if any(not file.get("yanked") for file in (files if sources else wheels(files))):
            usable.append((not version.is_prerelease, version, text))
    return [text for _, _, text in sorted(usable, reverse=True)]


def same_version(releases: dict[str, list[dict[str, Any]]], wanted: str) -> str:
    """Return the key of ``wanted`` in ``releases`` (``1.0`` is ``1.0.0``), or ``""``."""
    if wanted in releases:
        return wanted
    try:
        version = Version(wanted)
    except InvalidVersion:
        return ""
    for text in releases:
        try:
            if Version(text) == version:
                return text
        except InvalidVersion:
            continue
    return ""


def read_manifest(root: Path, package: str) -> dict[str, Any]:
    """Return what an unpacked wheel says about itself (see :class:`~vsm_mcp.install.installer.Fetched`).

    Raises :class:`InstallFailed` when its metadata is missing.
    """
    try:
        metadata = next(root.glob("*.dist-info/METADATA"))
        message = parsed(metadata.read_text("utf-8", "replace"))
        entry_points = metadata.with_name("entry_points.txt")
        scripts = console_scripts(entry_points.read_text("utf-8", "replace")) if entry_points.is_file() else {}
        shipped = [path.name for path in root.glob("*.data/scripts/*") if path.is_file()]
        modules = [path.parent.name for path in root.glob("*/__main__.py") if path.parent.name.isidentifier()]
    except (StopIteration, OSError) as error:
        raise InstallFailed(f"the wheel of {package} has no readable metadata", "choose another version") from error
    return manifest_from(message, scripts, shipped, modules)


def parsed(metadata: str) -> Message:
    """Return the fields of core metadata (METADATA, PKG-INFO)."""
    return email.parser.Parser(policy=email.policy.compat32).parsestr(metadata)


def manifest_from(
    message: Message, programs: Mapping[str, str], scripts: Iterable[str] = (), modules: Iterable[str] = ()
) -> dict[str, Any]:
    """Return core metadata with the programs in the form of :class:`~vsm_mcp.install.installer.Fetched`."""
    return {
        "name": str(message.get("Name", "")),
        "version": str(message.get("Version", "")),
        "summary": str(message.get("Summary", "")),
        "license": str(message.get("License-Expression") or message.get("License") or ""),
        "requires_python": str(message.get("Requires-Python", "")),
        "requires_dist": [str(value) for value in message.get_all("Requires-Dist", [])],
        "console_scripts": dict(programs),
        "scripts": sorted(scripts),
        "modules": sorted(modules),
    }
