from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from vsm_mcp.discovery.files.reading import MAX_BYTES, Unreadable, read_bytes, read_document

SECRET = "sk-very-secret"


def refused(path: Path) -> str:
    with pytest.raises(Unreadable) as caught:
        read_document(path)
    assert str(path) in caught.value.message
    assert SECRET not in caught.value.message
    return caught.value.message.removeprefix(f"{path}: ")


def test_what_is_not_there_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert read_document(tmp_path / "no.json") is None
    assert read_document(tmp_path / "file" / "below.json") is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", '{"a": [1]} // yes'),
        ("a.jsonc", '/* c */ {"a": [1,],}'),
        ("a.toml", "a = [1]"),
        ("a.yaml", "a:\n  - 1"),
        ("a.yml", "{a: [1]}"),
        (".mcp.json", '\ufeff{"a": [1]}'),
    ],
)
def test_each_form_is_read_by_its_suffix(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    assert read_document(tmp_path / name) == {"a": [1]}


def test_utf_16_of_a_windows_editor_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a": "ü"}', "utf-16")
    assert read_document(tmp_path / "a.json") == {"a": "ü"}


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("a.json", f'{{"a": "{SECRET}"'.encode(), "no JSON: line 1"),
        ("a.json", b"[" * 100_000, "too deep"),
        ("a.json", b'{"a":' * 70 + b"1" + b"}" * 70, "too deep"),
        ("a.json", b"9" * 5000, "too many digits"),
        ("a.json", b'{"a": "\xff\xfe\xfa"}', "not UTF-8"),
        ("a.toml", f'a = "{SECRET}'.encode(), "no TOML (at"),
        ("a.toml", b"a = " + b"[" * 100_000, "too deep"),
        ("a.toml", b"a = " + b"[" * 70 + b"]" * 70, "too deep"),
        ("a.yaml", f"a: [{SECRET}".encode(), "no YAML (at line"),
        ("a.yaml", b"a: &x [1, 2]\nb: [*x, *x]", "refers to parts of itself"),
        ("a.yaml", b"[" * 200, "too deep"),
        ("a.yaml", b"a: !!python/object/apply:os.system ['true']", "no YAML (at line"),
        ("a.yaml", b"--- {}\n--- {}", "no YAML"),
        ("a.yaml", b"a: \x01", "no YAML"),
        ("a.yaml", b"# " + b"x" * (5 << 20), "larger than 4 MB"),
    ],
)
def test_what_cannot_be_used_says_why_and_not_what(tmp_path: Path, name: str, data: bytes, why: str) -> None:
    (tmp_path / name).write_bytes(data)
    assert why in refused(tmp_path / name)


def test_a_bomb_of_merges_is_refused_at_once(tmp_path: Path) -> None:
    layers = ["a0: &a0 {k: v}"]
    layers += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 12)]
    (tmp_path / "a.yaml").write_text("\n".join(layers))
    assert "refers to parts of itself" in refused(tmp_path / "a.yaml")


def test_ten_megabytes_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b" " * (10 << 20))
    assert refused(tmp_path / "a.json") == "it is larger than 8 MB"


def test_a_limit_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 11)
    assert read_bytes(tmp_path / "a", 11) == b"x" * 11
    with pytest.raises(Unreadable):
        read_bytes(tmp_path / "a", 10)


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "loop.json").symlink_to(tmp_path / "loop.json")
    began = time.monotonic()
    assert refused(tmp_path / "folder.json") == "it is no regular file"
    assert refused(tmp_path / "pipe.json") == "it is no regular file"
    assert "symbolic links" in refused(tmp_path / "loop.json")
    assert refused(Path("/dev/zero")) == "it is no regular file"
    assert time.monotonic() - began < 30


def test_a_name_that_no_file_can_have(tmp_path: Path) -> None:
    assert "name cannot be used" in refused(tmp_path / "a\0.json")
    assert "too long" in refused(tmp_path / f"{'a' * 5000}.json")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").touch(0o000)
    assert refused(tmp_path / "a.json") == "Permission denied"


@pytest.mark.parametrize("text", [",/**/" * 50_000, '"\\' * 500_000, "/*" * 200_000, '{"a":1,' + " " * 1_000_000])
def test_hostile_json_takes_no_longer_than_it_is_long(tmp_path: Path, text: str) -> None:
    assert len(text) < MAX_BYTES
    (tmp_path / "a.json").write_text(text)
    began = time.process_time()
    refused(tmp_path / "a.json")
    assert time.process_time() - began < 20


def test_what_is_nested_as_people_nest_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[" * 55 + "]" * 55)
    assert read_document(tmp_path / "a.json")
