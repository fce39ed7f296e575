"""What was seen in use against what the facts let expect: the first takes over as it grows.

The facts' score ``g`` is a prior that is worth ``k`` observations. After ``n`` observations with the values ``v`` (0…1
each, their sum ``s``) the score is

    (k·g + s) / (k + n)  =  (1 − Z)·g + Z·(s / n)      with  Z = n / (n + k)

For values of 0 and 1 that is the mean of the Beta-Binomial posterior over the prior Beta(k·g, k·(1 − g)) (Gelman et
al., Bayesian Data Analysis, 3rd edition, section 2.4); Z is the credibility factor of Bühlmann (Experience Rating and
Credibility, ASTIN Bulletin 4, 1967). Doubt shrinks likewise: ``1 − confidence`` becomes ``(1 − Z)`` of what it was.
What was seen long ago counts less: see :data:`vsm_mcp.model.experience.HALF_LIFE_SECONDS`, the forgetting factor of
Jøsang and Ismail (The Beta Reputation System, 2002).
"""

from __future__ import annotations

from typing import Final

from vsm_mcp.model.appraisal import Fact, Score

SOURCE: Final = "experience"


class Seen:
    """Observations of one server: how many there were, and what they are worth."""

    def __init__(self) -> None:
        self._count = 0.0
        self._sum = 0.0
        self._facts: list[Fact] = []

    def add(self, count: float, value: float) -> None:
        """Add ``count`` observations that are worth ``value`` (0…1) each."""
        self._count += count
        self._sum += count * value

    def say(self, text: str) -> None:
        """Put into words what was seen."""
        self._facts.append(Fact(text, SOURCE))

    def happened(self, count: float, value: float, text: str) -> None:
        """Add what happened ``count`` times and is worth ``value`` each, in words (``{}``: how often); 0: nothing."""
        if count > 0:
            self.add(count, value)
            self.say(text.format(often(count)))

    def onto(self, prior: Score, strength: float) -> Score:
        """Return the facts' score with what was seen; the facts are worth ``strength`` observations."""
        if not self._count:
            return prior
        kept = strength / (strength + self._count)
        score = kept * prior.score + self._sum / (strength + self._count)
        confidence = 1.0 - kept * (1.0 - prior.confidence)
        return Score(score=min(1.0, score), confidence=confidence, facts=(*self._facts, *prior.facts))


def often(count: float) -> str:
    """Return a count that may have faded, as a person says it: what happened is never said to have happened 0 times."""
    whole = max(1, round(count))
    return "once" if whole == 1 else f"{whole:,} times"
