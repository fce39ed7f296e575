"""Reads files that anybody may have written, or put a trap in the place of: bounded, never blocking, saying why not.

A pipe, a device or a folder in the place of a file is not read; nor is what is larger than its limit. What is said of a
file that cannot be used never holds what is in it: there may be keys in it.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

from vsm_mcp.errors import VsmError
from vsm_mcp.model import loose_json

MAX_BYTES: Final = 8 * 1024 * 1024
MAX_YAML_BYTES: Final = 4 * 1024 * 1024
_FLAGS: Final = os.O_RDONLY | sum(
    getattr(os, name, 0) for name in ("O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY", "O_NOINHERIT")
)
_WHERE: Final = re.compile(r"\(at [^()]*\)$")


class Unreadable(VsmError):
    """A file that cannot be used; the message names the file and the reason."""

    code = "unreadable_file"
    remedy = "mend the file, or leave it out"


def read_bytes(path: Path, limit: int = MAX_BYTES) -> bytes | None:
    """Return what is in a file; ``None`` when there is none. Raises :class:`Unreadable`."""
    with opened(path, limit) as file:
        data = None if file is None else file.read(limit + 1)
    if data is not None and len(data) > limit:
        raise Unreadable(f"{path}: it is larger than {limit >> 20} MB")
    return data


@contextlib.contextmanager
def opened(path: Path, limit: int) -> Iterator[BinaryIO | None]:
    """Open a regular file of at most ``limit`` bytes; ``None`` when there is none. Raises :class:`Unreadable`."""
    try:
        fd = os.open(path, _FLAGS)
    except (FileNotFoundError, NotADirectoryError):
        yield None
        return
    except (OSError, ValueError) as error:
        raise Unreadable(f"{path}: {getattr(error, 'strerror', None) or 'its name cannot be used'}") from error
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise Unreadable(f"{path}: it is no regular file")
        if status.st_size > limit:
            raise Unreadable(f"{path}: it is larger than {limit >> 20} MB")
        with os.fdopen(fd, "rb", closefd=False) as file:
            yield file
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from error
    finally:
        os.close(fd)


def read_document(path: Path) -> Any:
    """Return what a JSON, TOML or YAML file holds, by its suffix; ``None`` when there is none.

    JSON may have comments. Raises :class:`Unreadable`.
    """
    data = read_bytes(path)
    return None if data is None else parse_document(data, path.suffix, str(path))


def parse_document(data: bytes, suffix: str, name: str) -> Any:
    """Return the same of what was read already; ``name`` is what an :class:`Unreadable` calls it."""
    try:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(f"{name}: it is not UTF-8") from error
    if suffix == ".toml":
        return _toml(text, name)
    if suffix in (".yaml", ".yml"):
        return _yaml(text, name)
    try:
        return loose_json.loads(text)
    except ValueError as error:
        raise Unreadable(f"{name}: it is no JSON: {error}") from error


def _toml(text: str, name: str) -> Any:
    try:
        document = tomllib.loads(text)
    except RecursionError as error:
        raise Unreadable(f"{name}: it is nested too deep") from error
    except ValueError as error:
        where = _WHERE.search(str(error))
        raise Unreadable(f"{name}: it is no TOML {where[0] if where else ''}".rstrip()) from error
    if loose_json.too_deep(document):
        raise Unreadable(f"{name}: it is nested too deep")
    return document


def _yaml(text: str, name: str) -> Any:
    """Read one document of plain values: no tags of Python, no aliases (they are what bombs are made of)."""
    import yaml  # noqa: PLC0415 - most never need it; deferred() would be no safe way for two threads at once

    if len(text) > MAX_YAML_BYTES:
        raise Unreadable(f"{name}: it is larger than {MAX_YAML_BYTES >> 20} MB")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        depth = 0
        for event in yaml.parse(text, Loader=loader):
            if isinstance(event, yaml.AliasEvent):
                raise Unreadable(f"{name}: it refers to parts of itself, which is not followed")
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > loose_json.DEEPEST:
                raise Unreadable(f"{name}: it is nested too deep")
        return yaml.load(text, Loader=loader)  # noqa: S506 - the safe one
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" (at line {mark.line + 1}, column {mark.column + 1})" if mark is not None else ""
        raise Unreadable(f"{name}: it is no YAML{where}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Unreadable(f"{name}: it is no YAML") from error
