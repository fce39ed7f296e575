"""What a tool does with what: the verb of its name or description, and the other words of its name."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Final

import msgspec

from vsm_mcp.errors import ConfigError
from vsm_mcp.matching.porter import lasting_stem
from vsm_mcp.matching.tokens import words

_BEGINNING: Final = 3  # words: "Returns the …", "This tool converts …"


class Actions(msgspec.Struct, frozen=True, kw_only=True):
    """``groups`` are the kinds of action by the stem of a verb, ``writing`` those that change something.

    ``fillers`` are stems that tell nothing in a name.
    """

    groups: Mapping[str, str]
    writing: frozenset[str]
    fillers: frozenset[str]

    def of(self, name: str, description: str, server: str = "") -> tuple[str, frozenset[str]]:
        """Return the kind of action of a tool (empty for none), and the stems of what else its name says.

        The first verb of the name counts; where the name has none, one that the description begins with. The name of
        its server, put before it (``excel_read_sheet``), says nothing.
        """
        said, before = words(name), set(words(server))
        while len(said) > 1 and said[0] in before:
            said = said[1:]
        named = [lasting_stem(word) for word in said]
        verb = next((stem for stem in named if stem in self.groups), "")
        if verb:
            return self.groups[verb], frozenset(named) - {verb} - self.fillers
        begins = [lasting_stem(word) for word in words(description[:80])[:_BEGINNING]]
        return next((self.groups[stem] for stem in begins if stem in self.groups), ""), frozenset(named) - self.fillers


def parse(text: str) -> Actions:
    """Read ``actions.toml``. Raises :class:`ConfigError` when it has another form."""
    try:
        whole = tomllib.loads(text)
        table = whole["action"]
        return Actions(
            groups={lasting_stem(verb): group for group, row in table.items() for verb in row["verbs"]},
            writing=frozenset(group for group, row in table.items() if row["writes"]),
            fillers=frozenset(map(lasting_stem, whole["fillers"])),
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"the table of actions cannot be read: {error!r}", "reinstall vsm-mcp") from error
