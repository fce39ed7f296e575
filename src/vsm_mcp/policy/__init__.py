"""System 5, policy: what is allowed, and who is asked.

``decide(action, policy)`` is pure: an :class:`~vsm_mcp.model.action.Action` and the ``[policy]`` settings in, a
:class:`~vsm_mcp.model.action.Decision` out. Nothing here acts; ``autopilot.perform`` enforces it. ``grants`` and
``bucket`` decide in the same way about those who call: what a key covers, and how often it may be used.
"""

from vsm_mcp.policy.autonomy import least_of
from vsm_mcp.policy.decide import THROUGH_CLIENT, beyond_clients, decide
from vsm_mcp.policy.patterns import matches, tool_denied
from vsm_mcp.policy.risk import risk_of

__all__ = ["THROUGH_CLIENT", "beyond_clients", "decide", "least_of", "matches", "risk_of", "tool_denied"]
