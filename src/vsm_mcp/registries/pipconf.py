"""Reads pip's and uv's own settings: where Python packages come from on this machine.

Files and order: pip documentation, "Configuration" (global, user, site, ``PIP_CONFIG_FILE``; ``PIP_*`` variables win);
uv documentation, "Configuration files" and "Package indexes". uv's settings win over pip's as a whole: who configured
uv meant uv.
"""

from __future__ import annotations

import configparser
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

_SECTIONS: Final = ("global", "install")
_UV_VARIABLES: Final = (
    "UV_DEFAULT_INDEX",
    "UV_INDEX_URL",
    "UV_INDEX",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_NO_INDEX",
)


class PythonSources(msgspec.Struct, frozen=True, kw_only=True):
    """Where Python packages come from.

    ``origin`` is ``uv``, ``pip`` or ``default``; an empty ``index`` is the default one.
    """

    origin: str = "default"
    index: str = ""
    extra: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    no_index: bool = False
    ca_file: str = ""
    proxy: str = ""
    trusted_hosts: tuple[str, ...] = ()


def read_python_sources(environ: Mapping[str, str]) -> PythonSources:
    """Return what pip or uv is told on this machine; a file that cannot be read counts as empty."""
    options = _pip_options(environ)
    pip = PythonSources(
        origin="pip" if {"index-url", "extra-index-url", "find-links", "no-index"} & set(options) else "default",
        index=options.get("index-url", "").strip(),
        extra=tuple(options.get("extra-index-url", "").split()),
        find_links=tuple(options.get("find-links", "").split()),
        no_index=options.get("no-index", "").lower() in {"1", "true", "yes", "on"},
        ca_file=options.get("cert", ""),
        proxy=options.get("proxy", ""),
        trusted_hosts=tuple(options.get("trusted-host", "").split()),
    )
    uv = _uv_sources(environ)
    return pip if uv is None else msgspec.structs.replace(uv, ca_file=pip.ca_file, proxy=pip.proxy)


def _pip_options(environ: Mapping[str, str]) -> dict[str, str]:
    options: dict[str, str] = {}
    for path in _pip_files(environ):
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, configparser.Error):
            continue
        for section in _SECTIONS:
            if parser.has_section(section):
                options |= {key.replace("_", "-"): value for key, value in parser.items(section)}
    for name, value in environ.items():
        if name.startswith("PIP_") and value:
            options[name[4:].lower().replace("_", "-")] = value
    return options


def _pip_files(environ: Mapping[str, str]) -> list[Path]:
    given = environ.get("PIP_CONFIG_FILE", "")
    if given == "/dev/null":
        return []
    home = Path(environ.get("HOME") or "/nonexistent")
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    shared = (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")
    files = [Path(place) / "pip" / "pip.conf" for place in reversed(shared) if place]
    files += [Path("/etc/pip.conf"), home / ".pip" / "pip.conf", config / "pip" / "pip.conf"]
    if environ.get("VIRTUAL_ENV"):
        files.append(Path(environ["VIRTUAL_ENV"]) / "pip.conf")
    return [*files, Path(given)] if given else files


def _uv_sources(environ: Mapping[str, str]) -> PythonSources | None:
    tables = _uv_tables(environ)
    named = [entry for entry in tables.get("index", []) if isinstance(entry, dict)]
    default = next((str(entry.get("url", "")) for entry in named if entry.get("default")), "")
    from_file = bool(named) or bool({"index-url", "extra-index-url", "find-links", "no-index"} & set(tables))
    if not from_file and not any(environ.get(name) for name in _UV_VARIABLES):
        return None
    extra = [str(entry.get("url", "")) for entry in named if not entry.get("default") and not entry.get("explicit")]
    extra += [str(url) for url in tables.get("extra-index-url", [])]
    extra = [word.split("=", 1)[-1] if "=" in word.split("://", 1)[0] else word for word in _uv_extra(environ)] + extra
    return PythonSources(
        origin="uv",
        index=_named(environ.get("UV_DEFAULT_INDEX") or environ.get("UV_INDEX_URL") or "")
        or default
        or str(tables.get("index-url", "")),
        extra=tuple(extra),
        find_links=tuple(environ.get("UV_FIND_LINKS", "").split(",")) if environ.get("UV_FIND_LINKS") else (),
        no_index=bool(tables.get("no-index")) or environ.get("UV_NO_INDEX", "") in {"1", "true"},
    )


def _uv_extra(environ: Mapping[str, str]) -> list[str]:
    return [*environ.get("UV_INDEX", "").split(), *environ.get("UV_EXTRA_INDEX_URL", "").split()]


def _named(index: str) -> str:
    """Return the address of ``NAME=URL`` or ``URL``."""
    return index.split("=", 1)[1] if "=" in index.split("://", 1)[0] else index


def _uv_tables(environ: Mapping[str, str]) -> dict[str, Any]:
    if environ.get("UV_NO_CONFIG", "") in {"1", "true"}:
        return {}
    home = Path(environ.get("HOME") or "/nonexistent")
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    shared = (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")
    files = [Path("/etc/uv/uv.toml"), *(Path(place) / "uv" / "uv.toml" for place in reversed(shared) if place)]
    files = [Path(environ["UV_CONFIG_FILE"])] if environ.get("UV_CONFIG_FILE") else [*files, config / "uv" / "uv.toml"]
    tables: dict[str, Any] = {}
    for path in files:
        try:
            table = tomllib.loads(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
            continue
        tables |= table.get("pip", {}) if isinstance(table.get("pip"), dict) else {}
        tables |= table
    return tables
