"""System 5, policy: what is allowed, and who is asked.

``decide(action, policy)`` is pure: an :class:`~vsm_mcp.model.action.Action` and the ``[policy]`` settings in, a
:class:`~vsm_mcp.model.action.Decision` out. Nothing here acts; ``autopilot.perform`` enforces it. ``grants`` and
``bucket`` decide in the same way about those who call: what a key covers, and how often it may be used.
"""

from vsm_mcp.policy.decide import decide
from vsm_mcp.policy.patterns import matches, tool_denied

__all__ = ["decide", "matches", "tool_denied"]
