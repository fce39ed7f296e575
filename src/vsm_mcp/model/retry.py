"""How a server that did not start is tried again."""

from __future__ import annotations

from typing import Final

import msgspec

AS_RELEASED: Final = "@release"
"""A constraint: dependencies as they were when the package itself was released."""


COMMAND: Final = ("command",)
"""What a program lacks (``Cause.inputs``) that wants to be told which of its commands to run."""


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """What may mend a failed start: the server is installed, or only started, once more and otherwise.

    With ``constraints`` on its dependencies (``mcp<2``, :data:`AS_RELEASED`; ``[mcp]`` or ``demo[mcp]``: with this
    extra of its own) it is installed again. ``arguments`` come before its own; ``listens`` is where it is reached, as
    :class:`~vsm_mcp.model.launch.Settings` has it.
    """

    constraints: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    listens: str = ""

    def __str__(self) -> str:
        words = ["dependencies as of its release" if each == AS_RELEASED else each for each in self.constraints]
        return " ".join([*words, *self.arguments, *(["--listens", self.listens] if self.listens else [])])
