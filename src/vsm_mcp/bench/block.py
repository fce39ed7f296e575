"""One block of a measurement: so many calls at a time, each followed by the next, for so long."""

from __future__ import annotations

import asyncio
import time
from array import array
from collections.abc import Sequence

import msgspec

from vsm_mcp.bench.conversation import ANSWER_SECONDS, Answer, Conversation, numbers
from vsm_mcp.bench.question import FAILED, LOST, RIGHT, Question
from vsm_mcp.bench.tally import Tally

_now = time.perf_counter


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What one block gave: how long each right answer took (seconds), and how long it all took."""

    latencies: array[float]
    seconds: float


class _Lane:
    """One caller: asks, waits for the answer, asks again until the time is over."""

    def __init__(self, conversation: Conversation, question: Question, tally: Tally) -> None:
        self._conversation = conversation
        self._question = question
        self._tally = tally
        self._number = 0
        self._began = self._until = 0.0
        self.latencies = array("d")
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def start(self, until: float) -> None:
        """Ask the first time."""
        self._until = until
        self._ask()

    def give_up(self) -> None:
        """Count what has not been answered by now as lost."""
        if not self.done.done():
            self._conversation.forget(self._number)
            self._tally.add(LOST, "no answer in time")
            self._conversation.line.close()
            self.done.set_result(None)

    def _ask(self) -> None:
        self._number = next(numbers)
        message = self._question.message(self._number)
        self._began = _now()
        self._conversation.call(self._number, message, self._answered)

    def _answered(self, answer: Answer | None, why: str, moment: float) -> None:
        if answer is None:
            self._tally.add(LOST, why)
            self.done.set_result(None)  # the line is broken: there is nobody left to ask
            return
        fate, words = self._fate(answer)
        self._tally.add(fate, words)
        if fate == RIGHT:
            self.latencies.append(moment - self._began)
        if moment < self._until:
            self._ask()
        else:
            self.done.set_result(None)

    def _fate(self, answer: Answer) -> tuple[str, str]:
        if answer.error is not None:
            return FAILED, answer.error.message
        fate = self._question.fate(self._number, answer.result)
        return fate, "" if fate == RIGHT else bytes(answer.result)[:200].decode("utf-8", "replace")


async def run(
    conversations: Sequence[Conversation],
    question: Question,
    seconds: float,
    tally: Tally,
    patience: float = ANSWER_SECONDS,
) -> Run:
    """Call over each conversation at once for ``seconds``; the same one may be given several times.

    What has not been answered ``patience`` seconds after that is lost.
    """
    lanes = [_Lane(conversation, question, tally) for conversation in conversations]
    began = _now()
    for lane in lanes:
        lane.start(began + seconds)
    await asyncio.wait([lane.done for lane in lanes], timeout=seconds + patience)
    for lane in lanes:
        lane.give_up()
    ended = _now()
    latencies = array("d")
    for lane in lanes:
        latencies.extend(lane.latencies)
    return Run(latencies=latencies, seconds=ended - began)
