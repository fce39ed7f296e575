from __future__ import annotations

import json
import os
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest

from vsm_mcp.discovery.files.bundles import bundle
from vsm_mcp.discovery.files.reading import Unreadable
from vsm_mcp.model.launch import Input, InputKind

MANIFEST: dict[str, Any] = {
    "manifest_version": "0.3",
    "name": "local-files",
    "display_name": "Local files",
    "version": "0.1.0",
    "description": "Read and search files",
    "license": "MIT",
    "keywords": ["files", 3],
    "repository": {"type": "git", "url": "https://h/r"},
    "tools": [{"name": "read_file", "description": "Read one file"}, {"name": "search"}, "odd"],
    "server": {
        "type": "node",
        "entry_point": "server/index.js",
        "mcp_config": {
            "command": "node",
            "args": ["${__dirname}/server/index.js", "${user_config.folder}"],
            "env": {
                "API": "${user_config.key}",
                "MODE": "${user_config.mode}",
                "FIXED": "1",
                "LOST": "${user_config.x}",
            },
        },
    },
    "user_config": {
        "key": {"type": "string", "title": "Key", "sensitive": True, "required": True, "default": "no"},
        "mode": {"type": "string", "title": "Mode", "description": "How to read", "default": "fast"},
        "folder": {"type": "directory"},
    },
}


def write(path: Path, manifest: Any = MANIFEST, **kinds: Any) -> Path:
    with zipfile.ZipFile(path, "w", kinds.get("compression", zipfile.ZIP_DEFLATED)) as archive:
        archive.writestr("manifest.json", manifest if isinstance(manifest, (str, bytes)) else json.dumps(manifest))
        archive.writestr("server/index.js", "process.exit(1)")
    return path


def refused(path: Path) -> str:
    with pytest.raises(Unreadable) as caught:
        bundle(path)
    return caught.value.message.removeprefix(f"{path}: ")


@pytest.mark.parametrize("name", ["a.mcpb", "my server.dxt"])
def test_what_a_manifest_says(tmp_path: Path, name: str) -> None:
    found = bundle(write(tmp_path / name))
    assert found is not None
    assert str(found.ref) == f"mcpb:{tmp_path}/{name}"
    assert (found.name, found.description) == ("Local files", "Read and search files")
    assert found.terms.split() == ["files", "read_file", "Read", "one", "file", "search"]
    assert found.tools == (("read_file", "Read one file"), ("search", ""))
    assert (found.facts.version, found.facts.licence, found.facts.repository) == ("0.1.0", "MIT", "https://h/r")
    assert found.launch is not None
    assert found.launch.inputs == (
        Input(kind=InputKind.SECRET, name="API", purpose="Key", required=True),
        Input(kind=InputKind.ENV, name="MODE", purpose="How to read", default="fast"),
    )
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_without_a_file(tmp_path: Path) -> None:
    assert bundle(tmp_path / "none.mcpb") is None


@pytest.mark.parametrize(
    ("manifest", "why"),
    [
        ("{", "manifest.json: it is no JSON"),
        (b"\xff\xfe\xfa", "manifest.json: it is not UTF-8"),
        ("[]", "its manifest.json describes no server"),
        ({"name": "x", "server": "node"}, "its manifest.json describes no server"),
        (" " * (2 << 20), "its manifest.json is larger than 1 MB"),
    ],
)
def test_manifests_that_cannot_be_used(tmp_path: Path, manifest: Any, why: str) -> None:
    assert refused(write(tmp_path / "a.mcpb", manifest)).startswith(why)


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    """It says that it is small, and is large."""
    path = write(tmp_path / "a.mcpb", "0" * (3 << 20))
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.index(signature)
        data[at + offset : at + offset + 4] = struct.pack("<I", 10)
    path.write_bytes(data)
    assert "manifest.json" in refused(path)


@pytest.mark.parametrize("data", [b"", b"PK\x05\x06", b"<html>", b"PK\x03\x04" * 10, b"PK\x05\x06" + b"\xff" * 18])
def test_what_is_no_archive(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.mcpb").write_bytes(data)
    assert refused(tmp_path / "a.mcpb")


def test_archives_without_a_manifest_and_with_one_in_a_way_of_its_own(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.mcpb", "w") as archive:
        archive.writestr("server/manifest.json", "{}")
    assert refused(tmp_path / "a.mcpb") == "it is no bundle with a manifest.json"
    write(tmp_path / "b.mcpb", compression=zipfile.ZIP_LZMA)
    assert refused(tmp_path / "b.mcpb") == "it is no bundle with a manifest.json"


def test_a_table_of_contents_without_end_is_not_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mcpb")
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x05\x06")
    data[at + 12 : at + 16] = struct.pack("<I", 5 << 20)
    path.write_bytes(data)
    assert "table of contents is larger than 4 MB" in refused(path)


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mcpb")
    (tmp_path / "folder.mcpb").mkdir()
    with (tmp_path / "huge.mcpb").open("wb") as file:
        file.truncate(1 << 30)
    assert refused(tmp_path / "pipe.mcpb") == refused(tmp_path / "folder.mcpb") == "it is no regular file"
    assert refused(tmp_path / "huge.mcpb") == "it is larger than 512 MB"


def test_a_name_that_no_reference_can_have(tmp_path: Path) -> None:
    assert "reference" in refused(write(tmp_path / "a\n.mcpb"))
