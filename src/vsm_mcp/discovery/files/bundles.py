"""MCP bundles (``.mcpb``, and ``.dxt`` as they were called before): what their manifest says. Nothing is unpacked.

Format: MCPB, "MANIFEST.md", manifest versions 0.1 to 0.4: a zip archive with ``manifest.json`` at its root.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Final

from vsm_mcp.discovery.files.reading import Unreadable, opened, parse_document
from vsm_mcp.errors import BadReference
from vsm_mcp.model.candidate import Candidate, PackageFacts
from vsm_mcp.model.launch import Input, InputKind, LaunchFacts, names_secret
from vsm_mcp.model.ref import parse_ref

SUFFIXES: Final = (".mcpb", ".dxt")
_MANIFEST: Final = "manifest.json"
_MAX_BUNDLE: Final = 512 * 1024 * 1024
_MAX_MANIFEST: Final = 1024 * 1024
_MAX_DIRECTORY: Final = 4 * 1024 * 1024
# APPNOTE.TXT 4.3.16: the end of central directory record, 22 bytes and a comment of at most 65,535.
_END: Final = b"PK\x05\x06"
_END_LENGTH: Final = 22
_TAIL: Final = _END_LENGTH + 65_535
_ASKED: Final = re.compile(r"\$\{user_config\.([^}]{1,100})\}")


def bundle(path: Path) -> Candidate | None:
    """Return the server in a bundle; ``None`` when there is no such file. Raises :class:`Unreadable`."""
    with opened(path, _MAX_BUNDLE) as file:
        if file is None:
            return None
        try:
            data = _manifest(file, path)
        except (
            zipfile.BadZipFile,
            zlib.error,
            NotImplementedError,
            RuntimeError,
            EOFError,
            KeyError,
            ValueError,
        ) as error:
            raise Unreadable(f"{path}: it is no bundle with a {_MANIFEST}") from error
    document = parse_document(data, ".json", f"{path}: {_MANIFEST}")
    if not isinstance(document, Mapping) or not isinstance(document.get("server"), Mapping):
        raise Unreadable(f"{path}: its {_MANIFEST} describes no server")
    return _candidate(path, document)


def _manifest(file: BinaryIO, path: Path) -> bytes:
    if _directory_size(file) > _MAX_DIRECTORY:  # which zipfile reads as a whole, before it looks at it
        raise Unreadable(f"{path}: its table of contents is larger than {_MAX_DIRECTORY >> 20} MB")
    with zipfile.ZipFile(file) as archive:
        info = archive.getinfo(_MANIFEST)
        if info.file_size > _MAX_MANIFEST:
            raise Unreadable(f"{path}: its {_MANIFEST} is larger than {_MAX_MANIFEST >> 20} MB")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise NotImplementedError
        with archive.open(info) as member:
            data = member.read(_MAX_MANIFEST + 1)
    if len(data) > _MAX_MANIFEST:
        raise Unreadable(f"{path}: its {_MANIFEST} is larger than {_MAX_MANIFEST >> 20} MB")
    return data


def _directory_size(file: BinaryIO) -> int:
    size = file.seek(0, 2)
    file.seek(max(0, size - _TAIL))
    tail = file.read(_TAIL)
    at = tail.rfind(_END)
    file.seek(0)
    if at < 0 or len(tail) - at < _END_LENGTH:
        raise zipfile.BadZipFile
    return int.from_bytes(tail[at + 12 : at + 16], "little")


def _candidate(path: Path, manifest: Mapping[str, Any]) -> Candidate:
    try:
        ref = parse_ref(f"mcpb:{path}")
    except BadReference as error:
        raise Unreadable(f"{path}: its name cannot be that of a reference") from error
    given = [tool for tool in _list(manifest.get("tools")) if isinstance(tool, Mapping)]
    tools = tuple((_text(tool, "name"), _text(tool, "description")) for tool in given)
    words = [word for word in _list(manifest.get("keywords")) if isinstance(word, str)]
    repository = manifest.get("repository")
    inputs = _inputs(manifest)
    return Candidate(
        ref=ref,
        name=_text(manifest, "display_name") or _text(manifest, "name") or path.stem,
        description=_text(manifest, "description"),
        terms=" ".join([*words, *chain.from_iterable(tools)]),
        tools=tools,
        text=_text(manifest, "long_description"),
        launch=LaunchFacts(inputs=inputs) if inputs else None,
        facts=PackageFacts(
            version=_text(manifest, "version"),
            licence=_text(manifest, "license") or None,
            homepage=_text(manifest, "homepage") or None,
            repository=(_text(repository, "url") if isinstance(repository, Mapping) else "") or None,
        ),
    )


def _inputs(manifest: Mapping[str, Any]) -> tuple[Input, ...]:
    """Return the variables of the server that whoever installs the bundle is asked for."""
    asked = manifest.get("user_config")
    launch = manifest["server"].get("mcp_config")
    env = launch.get("env") if isinstance(launch, Mapping) else None
    if not isinstance(asked, Mapping) or not isinstance(env, Mapping):
        return ()
    found = []
    for name, value in env.items():
        match = _ASKED.search(value) if isinstance(value, str) and len(value) < 1000 else None
        question = asked.get(match[1]) if match else None
        if isinstance(name, str) and isinstance(question, Mapping):
            found.append(_input(name, question))
    return tuple(found)


def _input(name: str, question: Mapping[str, Any]) -> Input:
    secret = question.get("sensitive") is True or names_secret(name)
    return Input(
        kind=InputKind.SECRET if secret else InputKind.ENV,
        name=name,
        purpose=_text(question, "description") or _text(question, "title"),
        required=question.get("required") is True,
        default="" if secret else _text(question, "default"),
    )


def _text(found: Mapping[str, Any], key: str) -> str:
    value = found.get(key)
    return value if isinstance(value, str) else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
