from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.bench.figures import Block
from vsm_mcp.bench.plan import Plan, order


def plan(sizes: tuple[int, ...], clients: tuple[int, ...], rounds: int = 1) -> Plan:
    return Plan(seconds=0.1, rounds=rounds, sizes=sizes, clients=clients)


def test_no_block_is_measured_twice() -> None:
    assert plan((100, 65536), (1, 8)).blocks == (Block(100, 1), Block(65536, 1), Block(100, 8))
    assert plan((65536, 100), (64,)).blocks == (Block(65536, 1), Block(100, 1), Block(100, 64))
    assert plan((), (1, 8)).blocks == (Block(0, 1), Block(0, 8))


@given(st.integers(1, 4), st.integers(), st.lists(st.text(min_size=1), min_size=1, max_size=5, unique=True))
def test_each_subject_has_each_block_once_in_each_round(rounds: int, seed: int, subjects: list[str]) -> None:
    made = plan((100, 1000), (1, 8), rounds)
    steps = list(order(made, subjects, random.Random(seed)))  # noqa: S311
    assert len(steps) == len(set(steps)) == rounds * len(made.blocks) * len(subjects)
    # the subjects of one block of one round follow each other
    pairs = [step[:2] for step in steps]
    assert pairs == [pair for pair in dict.fromkeys(pairs) for _ in subjects]


def test_no_subject_always_comes_first() -> None:
    steps = list(order(plan((100,), (1,), 50), ["a", "b"], random.Random(1)))  # noqa: S311
    first = [subject for _, _, subject in steps[::2]]
    assert {"a", "b"} == set(first)
