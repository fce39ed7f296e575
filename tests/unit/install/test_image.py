from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from vsm_mcp.errors import HomeError, InstallFailed, RegistryUnavailable, UnknownPackage, VsmError
from vsm_mcp.install.container_errors import explain
from vsm_mcp.install.image import check_image, is_local, read_image, repository
from vsm_mcp.install.used_engines import remember
from vsm_mcp.sandbox.confinement import Completed, Exit

A, B = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"


def said(**more: Any) -> bytes:
    found = {"Id": "c" * 64, "RepoDigests": [f"h/x@{A}", f"h/box@{B}"], "Config": {"Cmd": ["run"]}, **more}
    return json.dumps([found]).encode()


@pytest.mark.parametrize(
    ("name", "digest"), [("h/box:1", B), ("h/x", A), (f"h/box@{A}", A), (f"h/box@{B}", B), ("h/other", A)]
)
def test_the_digest_is_that_of_the_name_asked_for(name: str, digest: str) -> None:
    assert read_image(said(), name).digest == digest


def test_an_image_that_no_registry_has_goes_by_its_id() -> None:
    image = read_image(said(RepoDigests=None), "box")
    assert image.digest == image.id == f"sha256:{'c' * 64}"
    assert is_local(image, "box")
    assert not is_local(read_image(said(), "h/box"), "h/box")
    assert is_local(read_image(said(RepoDigests=[f"localhost/box@{A}"]), "localhost/box"), "localhost/box")


@pytest.mark.parametrize("answer", [b"", b"{}", b"[]", b"[1]", b'[{"Id": "x", "Config": 3}]', b'[{"Config": {}}]'])
def test_an_answer_that_is_none(answer: bytes) -> None:
    with pytest.raises(InstallFailed, match="nothing usable about box"):
        read_image(answer, "box")


@pytest.mark.parametrize(
    ("name", "more", "message"),
    [
        (f"h/box@sha256:{'d' * 64}", {}, "another digest"),
        ("h/box", {"Config": {}}, "it has no program"),
        ("h/box", {"Architecture": "s390x"}, "made for s390x"),
        ("h/box", {"Size": 3 << 30}, "3072 MB"),
    ],
)
def test_what_cannot_be_run(name: str, more: dict[str, Any], message: str) -> None:
    with pytest.raises(InstallFailed, match=message) as caught:
        check_image(read_image(said(**more), name), name, 2 << 30)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "bare"), [("h:5000/a/b:1", "h:5000/a/b"), ("b", "b"), (f"h/b:1@{A}", "h/b"), ("h:5000/b", "h:5000/b")]
)
def test_the_name_without_tag_and_digest(name: str, bare: str) -> None:
    assert repository(name) == bare


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Error: initializing source docker://x: reading manifest 1 in x: manifest unknown", UnknownPackage),
        ("Error response from daemon: manifest for x:9 not found: manifest unknown", UnknownPackage),
        ("Error: pinging container registry x: dial tcp 1.2.3.4:443: connect: connection refused", RegistryUnavailable),
        ("Error: unauthorized: authentication required", RegistryUnavailable),
        ("Error response from daemon: pull access denied for x, repository does not exist", RegistryUnavailable),
        ('Error: short-name "x" did not resolve to an alias', InstallFailed),
        ("Error: Digest did not match, expected a, got b", InstallFailed),
        ("Error: writing blob: write /var: no space left on device", HomeError),
        ("Error: invalid tar header", InstallFailed),
        ("Error: something odd", InstallFailed),
    ],
)
def test_what_engines_say(text: str, kind: type[VsmError]) -> None:
    error = explain("h/x:1", Completed(exit=Exit(code=125), stderr=text.encode()), Path("/home/x"))
    assert type(error) is kind
    assert error.hint


def test_an_engine_that_does_not_come_back() -> None:
    assert isinstance(explain("x", Completed(exit=Exit(signal=9), timed_out=True), Path("/")), RegistryUnavailable)


def test_engines_are_written_down_once(tmp_path: Path) -> None:
    for engine in (("podman",), ("podman", "--runtime=runc"), ("podman",)):
        remember(tmp_path, engine)
    assert msgspec.json.decode((tmp_path / "run" / "engines.json").read_bytes()) == [
        ["podman"],
        ["podman", "--runtime=runc"],
    ]
    (tmp_path / "run" / "engines.json").write_text("nonsense")
    remember(tmp_path, ("docker",))
    assert (tmp_path / "run" / "engines.json").read_bytes() == b'[["docker"]]'
