from __future__ import annotations

from pathlib import Path

import pytest

from vsm_mcp.discovery.network.secret import read_secret
from vsm_mcp.errors import ConfigError

SETTING = "[discovery.github] token"


def test_a_variable_and_a_file(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("from-file\n")
    assert read_secret("env:T", {"T": " from-env "}, SETTING).reveal() == "from-env"
    assert read_secret(f"file:{path}", {}, SETTING).reveal() == "from-file"


@pytest.mark.parametrize("reference", ["", "env:UNSET"])
def test_no_secret(reference: str) -> None:
    assert not read_secret(reference, {}, SETTING)


@pytest.mark.parametrize("reference", ["ghp_s3cret", "s3cret:x", "env:", "file:", "file:/nonexistent/x"])
def test_what_is_no_reference_is_never_repeated(reference: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_secret(reference, {}, SETTING)
    assert SETTING in caught.value.message
    assert "s3cret" not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize("value", ["a\nX-Evil: 1", "a\x00b", "caf\u00e9"])
def test_what_cannot_go_into_a_header(value: str) -> None:
    with pytest.raises(ConfigError):
        read_secret("env:T", {"T": value}, SETTING)


def test_a_secret_shows_itself_to_nobody() -> None:
    secret = read_secret("env:T", {"T": "s3cret"}, SETTING)
    assert "s3cret" not in f"{secret} {secret!r} {[secret]}"
