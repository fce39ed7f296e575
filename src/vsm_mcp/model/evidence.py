"""What the records of evidence hold: the schema that everybody writes by, and that the replay is told from.

A record is ``{"at", "kind", "body"}``: when it was written (seconds since the epoch), one of :data:`KINDS`, and a JSON
object or list without any secret. A record of a decision has these members, whatever its kind, and may have others:

- ``facts``: what was known, by name; it is decided by nothing else;
- ``rule``: the rule that decided, in a word;
- ``decision``: what was decided, in a word (``allow``, ``advance``, ``roll_back``);
- ``reason``: why, in a sentence for people;
- ``by``: who or what wanted it.

Records are appended under one id while something happens, and later when somebody decides about its outcome, so that
reading them in order replays why things are as they are. The table refuses changes and deletions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

KINDS: Final[Mapping[str, str]] = {
    "policy": "The policy decided on what somebody wanted: to admit, upgrade, approve, deny, roll back, remove.",
    "request": "What was asked for: the reference, the need, and the settings, with names of secrets alone.",
    "ranked": "The candidates for a need, best first, with their scores and reasons.",
    "resolved": "What exactly was to be installed: version and packages.",
    "vetted": "What each check said of the files before anything of them was run.",
    "rules": "Which rules vetting used.",
    "walked": "What the checks of the installed files said.",
    "built": "How it is started, the hash of what was installed, and which of its scripts were run.",
    "plan": "What the sandbox lets it see and reach.",
    "trial": "How its trial in the sandbox went: each probe, and what it offers.",
    "remedy": "A failure with a known cause was mended before the next try.",
    "judged": "What all checks amount to under the policy's profile.",
    "suits": "How well the best of its tools matches the need (0…1), and whether that meets it.",
    "difference": "What another version would change.",
    "rollback": "The version before took the place of the one in service.",
    "recovered": "What a dead process left was finished or undone.",
    "files": "The hash of all installed files, for the lock.",
    "licences": "The licence of the server and of each of its packages, for the lock; the server itself has no name.",
    "outcome": "How it ended.",
    "planned": "What the autopilot set about, and why.",
    "proposed": "What the autopilot proposed to a person.",
    "decided": "What a person said to a proposal.",
    "rollout": "A newcomer's share of calls changed, by the numbers of both versions.",
}
"""Every kind of record there is; ``docs/reference/evidence.md`` is written from this list."""
