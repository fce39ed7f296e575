"""What the small model is taught by: the texts, the needs in other words, and the two lessons."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tools import lessons, model_texts
from tools.declared_tools import Declared
from tools.model_pairs import Pair, pairs
from tools.rewording import Wordnet
from tools.student import Bags, Student

from vsm_mcp.matching.meaning import unit
from vsm_mcp.matching.static_model import Rows
from vsm_mcp.matching.tools import CONTEXT

VERBS = (
    "00001 30 v 02 update 0 revise 0 000 | bring up to date\n00002 30 v 02 keep 0 hold_on_to 1 000 | not give away\n"
)
VERB_INDEX = "keep v 1 1 @ 1 0 00002  \nrevise v 1 0 1 0 00001  \nupdate v 1 2 @ ~ 1 0 00001  \n"
NOUNS = "00003 04 n 03 record 0 entry 0 file(a) 0 000 | what is written down\n"
NOUN_INDEX = "  1 a licence\nentry n 1 0 1 0 00003  \nrecord n 1 1 @ 1 0 00003  \n"


@pytest.fixture
def wordnet(tmp_path: Path) -> Wordnet:
    files = {
        "data.verb": VERBS,
        "index.verb": VERB_INDEX,
        "data.noun": NOUNS,
        "index.noun": NOUN_INDEX,
        "data.adj": "",
        "index.adj": "",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, "latin-1")
    return Wordnet(tmp_path, [f"revise update record entry hold on to {number}" for number in range(20)])


@pytest.mark.parametrize(
    ("text", "need"),
    [
        ("A fast Python library for reading spreadsheets, with tests", "reading spreadsheets"),
        ("create stack. Creates a stack of servers, and waits CloudFormation", "create a stack of servers"),
        ("Convert units using a table", "convert units"),
    ],
)
def test_a_need_is_the_first_clause_of_what_a_thing_does(text: str, need: str) -> None:
    assert [each for each in model_texts.needs([text, "x"], 5) if need in each]


@pytest.mark.parametrize(
    ("said", "need"),
    [
        ("Deletes a record. It cannot be undone.", "delete a record"),
        ("Search the web (by Bing) for pages", "search the web"),
        ("Go", ""),
        ("word " * 15, ""),
    ],
)
def test_what_a_tool_is_needed_for_is_the_first_clause_of_its_first_sentence(said: str, need: str) -> None:
    assert model_texts.need_of(said) == need


def test_tools_that_say_nothing_or_nothing_in_english_teach_nothing() -> None:
    tools = [
        Declared("delete_record", "Deletes a record."),
        Declared("go", "Go."),
        Declared("suche", "Sucht nach Größen"),
    ]
    assert model_texts.of_tools(tools, 9) == ["delete record. Deletes a record."]
    assert len(model_texts.needs_of_tools(tools, 9)) == 1


def test_needs_are_few_words_and_every_second_one_is_a_request() -> None:
    texts = [f"Reads files of kind {number}" for number in range(50)]
    needs = model_texts.needs([*texts, "word", " ".join(["long"] * 30)], 100)
    assert len(needs) == 50
    assert sum(need.startswith("read files of kind") for need in needs) >= 25
    assert needs == model_texts.needs([*reversed(texts)], 100), "the order of the texts does not count"


def test_a_need_is_said_in_other_words(wordnet: Wordnet) -> None:
    said = {wordnet.reworded("update my records?", salt) for salt in range(40)}
    assert said == {"", "revise my records?", "update my entrys?", "revise my entrys?"}
    assert wordnet.reworded("update my records?", 3) == wordnet.reworded("update my records?", 3)


def test_glosses_are_what_wordnet_says_of_words_and_its_examples(tmp_path: Path, wordnet: Wordnet) -> None:
    (tmp_path / "data.adv").write_text(
        '  1 a licence\n00004 02 r 01 in_time 0 000 | not late; "we came in time"\n', "latin-1"
    )
    assert sorted(model_texts.glosses(tmp_path, 9)) == [
        "in time: not late",
        "keep, hold on to: not give away",
        "record, entry, file(a): what is written down",
        "update, revise: bring up to date",
        "we came in time",
    ]


@pytest.mark.parametrize("need", ["what is my of", "frobnicate", "", "keep"])
def test_a_need_without_other_words_that_are_in_use_stays(wordnet: Wordnet, need: str) -> None:
    said = {wordnet.reworded(need, salt) for salt in range(20)}
    assert said <= {"", "hold on to"}


def test_pairs_are_of_one_tool_and_of_two_that_bear_one_name() -> None:
    declared = {
        "pypi:a": [Declared("delete_record", "Deletes a record. For ever."), Declared("delete", "Deletes a thing.")],
        "npm:b": [Declared("deleteRecord", "Removes an entry from the table.")],
        "npm:copy": [Declared("delete_record", "Deletes a record. For ever.")],
    }
    found = pairs(declared, {"npm:b": "tables"}, lambda need: "")
    plain = {(pair.need, pair.thing, pair.purpose, pair.package) for pair in found}
    assert ("delete a record", "delete record", "", "pypi:a") in plain
    assert ("remove an entry from the table", "delete record", "tables", "npm:b") in plain
    others = {pair for pair in plain if pair[1] != "delete record"}
    assert {pair[0] for pair in others} == {"delete a record", "remove an entry from the table"}
    assert all(("Removes" in thing) == (need == "delete a record") for need, thing, _, _ in others), "crosswise"
    assert {pair.package for pair in found} == {"pypi:a", "npm:b"}, "a copy teaches nothing"
    assert {pair.name for pair in found} == {"delete record"}, "one word alone is no operation"


def bags_of(texts: list[str]) -> Bags:
    known = Rows(["a", "b", "c", "d", "e", "[UNK]"], [], ["a b"])
    return Bags.of([known.of(text) for text in texts])


def test_a_text_is_the_sum_of_what_it_holds_and_one_that_holds_nothing_is_nothing() -> None:
    rows = np.eye(7, dtype=np.float32)
    bags = bags_of(["a b", "", "c c", "e"])
    assert bags.summed(rows).tolist() == [[1, 1, 0, 0, 0, 0, 1], [0] * 7, [0, 0, 2, 0, 0, 0, 0], [0, 0, 0, 0, 1, 0, 0]]
    assert bags.some(np.array([2, 1, 0])).summed(rows).tolist() == [
        [0, 0, 2, 0, 0, 0, 0],
        [0] * 7,
        [1, 1, 0, 0, 0, 0, 1],
    ]
    which, back = bags.spread(np.array([[1.0], [9.0], [2.0], [4.0]], np.float32))
    assert dict(zip(which.tolist(), back[:, 0].tolist(), strict=True)) == {0: 1, 1: 1, 2: 4, 4: 4, 6: 1}


def test_the_slopes_of_a_student_are_those_of_what_it_is_measured_by() -> None:
    chance = np.random.default_rng(2)
    student = Student(np.zeros((7, 4), np.float32))
    student.parts[:] = [chance.normal(size=part.shape).astype(np.float32) for part in student.parts]
    bags, wanted = bags_of(["a b", "b c c", "e"]), unit(chance.normal(size=(3, 4)).astype(np.float32))
    which, slopes = student.back(student.ahead(bags), -wanted)
    for part, slope in zip(student.parts, slopes, strict=True):
        place = (2, 1) if part is student.parts[0] else tuple(size // 2 for size in part.shape)
        ahead = []
        for step in (1e-3, -1e-3):
            part[place] += step
            ahead.append(-float((student.ahead(bags).vectors.astype(np.float64) * wanted).sum()))
            part[place] -= step
        found = slope[np.flatnonzero(which == place[0])[0], place[1]] if part is student.parts[0] else slope[place]
        assert found == pytest.approx((ahead[0] - ahead[1]) / 2e-3, rel=0.05, abs=2e-3)


def test_a_student_learns_where_texts_point() -> None:
    chance = np.random.default_rng(1)
    words = ["a", "b", "c", "d", "e"]
    texts = [" ".join(chance.choice(words, 3)) for _ in range(200)]
    bags = bags_of(texts)
    goal = chance.normal(size=(7, 8)).astype(np.float32)
    wanted = unit(np.abs(bags.summed(goal)))
    student = Student(chance.normal(size=goal.shape).astype(np.float32))
    before = float((student.ahead(bags).vectors * wanted).sum(axis=1).mean())
    lessons.distil(student, bags, wanted, turns=400)
    after = float((student.ahead(bags).vectors * wanted).sum(axis=1).mean())
    assert 1.0 - after < 0.5 * (1.0 - before)


def batch_of(many: int) -> list[Pair]:
    return [Pair(f"need {number}", f"thing {number}", "", f"name {number // 2}", "p") for number in range(many)]


def test_the_slope_of_a_batch_is_that_of_its_loss() -> None:
    chance = np.random.default_rng(3)
    batch = batch_of(4)
    vectors = unit(chance.normal(size=(12, 6)).astype(np.float32))
    old = np.eye(12, 12, dtype=np.float32)

    def loss(of: Any) -> float:
        # What is minimised: the mean of both directions; `told_apart` reports that of the needs.
        things = of[4:8] + CONTEXT * of[8:]
        things /= np.linalg.norm(things, axis=1, keepdims=True)
        scores = of[:4] @ things.T / 0.07
        scores[
            np.array([[one != other and one // 2 == other // 2 for other in range(4)] for one in range(4)])
        ] = -np.inf
        both = [np.log(np.exp(way).sum(axis=1)) - np.diag(way) for way in (scores, scores.T)]
        return float(np.mean(both))

    wide = vectors.astype(np.float64)
    _, slope = lessons.told_apart(vectors, old, batch)
    for place in ((1, 2), (5, 3), (9, 0)):
        around = []
        for step in (1e-5, -1e-5):
            moved = wide.copy()
            moved[place] += step
            around.append(loss(moved))
        assert slope[place] == pytest.approx((around[0] - around[1]) / 2e-5, rel=0.02, abs=1e-3)


def test_a_student_learns_which_tool_a_need_belongs_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lessons, "_PAIRS", 4)
    monkeypatch.setattr(lessons, "_HELD", 0.5)
    known = Rows([*"abcdvwxy", "[UNK]"], [], [])
    two = list(zip("abcd", "vwxy", strict=True))
    taught = [Pair(need, thing, "", thing, need) for need, thing in two]
    student = Student(np.random.default_rng(4).normal(size=(len(known), 8)).astype(np.float32))

    def right() -> int:
        vectors = student.ahead(Bags.of([known.of(text) for text in "abcdvwxy"])).vectors
        return int((np.argmax(vectors[:4] @ vectors[4:].T, axis=1) == np.arange(4)).sum())

    before = right()
    lessons.contrast(student, known, taught, batches=2_000)
    assert before < right() == 4
