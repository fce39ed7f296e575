"""What the ledger holds of both sides of a rollout since it was looked at last."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from vsm_mcp.model.ending import FAULTS, Ending
from vsm_mcp.model.rollout import Rollout, Side, Tally
from vsm_mcp.routing.ledger import Account, Key, Ledger, Reader

_AGAINST: Final = FAULTS | {Ending.AUTH, Ending.OVERLOAD}
"""What speaks against a side: it was not there, not in time, let nobody in, or had no room."""


def so_far(ledger: Ledger, rollout: Rollout) -> Mapping[str, Tally]:
    """Return what is known of the incumbent from before a rollout, by tool."""
    accounts = ledger.accounts()
    known = {tool: accounts[rollout.server, tool] for tool in rollout.tools if (rollout.server, tool) in accounts}
    return {tool: Tally(incumbent_before=side_of(account)) for tool, account in known.items()}


class Counting:
    """What was counted before it was made is no news: it starts with a rollout."""

    def __init__(self, ledger: Ledger, rollout: Rollout) -> None:
        self._calls = Reader(ledger)
        self._rollout = rollout
        self.news()

    def news(self) -> tuple[Mapping[str, Side], Mapping[str, Side]]:
        """Return what is new of the incumbent and of the newcomer, by tool of the incumbent, where anything is."""
        rollout = self._rollout
        mine = ((tool, (rollout.server, tool)) for tool in rollout.tools)
        theirs = ((tool, self._newcomers(tool)) for tool in rollout.tools)
        return self._new(dict(mine)), self._new(dict(theirs))

    def _newcomers(self, tool: str) -> Key:
        stand_in = self._rollout.stand_ins.get(tool)
        return (self._rollout.newcomer, tool) if stand_in is None else (stand_in.server, stand_in.tool)

    def _new(self, keys: Mapping[str, Key]) -> Mapping[str, Side]:
        read = ((tool, self._calls.read(key)) for tool, key in keys.items())
        return {tool: side_of(more) for tool, more in read if more is not None}


def side_of(account: Account) -> Side:
    """Return what is compared of an account."""
    calls, answered = account.calls, account.endings[Ending.ANSWERED]
    faults = sum(account.endings[ending] for ending in _AGAINST)
    return Side(
        calls=calls,
        faults=faults,
        errors=calls - answered - faults,
        timed=answered,
        logs=account.logs,
        squares=account.log_squares,
    )
