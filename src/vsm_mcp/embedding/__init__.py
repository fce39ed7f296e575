"""System 1, operations: running servers from a program of one's own, without the gateway.

``async with Runtime() as runtime`` supervises what :mod:`presets` describes; :class:`ExternalPlugin` puts one server
behind the three methods of a :class:`Plugin`. Whoever wants the whole of it, from the need to the server, opens an
:class:`vsm_mcp.app.App`.
"""

from vsm_mcp.embedding.external import ExternalPlugin
from vsm_mcp.embedding.functions import FunctionTransport
from vsm_mcp.embedding.plugin import ErrorKind, Plugin, PluginError, PluginRequest, PluginResponse
from vsm_mcp.embedding.presets import custom, listening, program, remote
from vsm_mcp.runtime.supervisor import Runtime

__all__ = [
    "ErrorKind",
    "ExternalPlugin",
    "FunctionTransport",
    "Plugin",
    "PluginError",
    "PluginRequest",
    "PluginResponse",
    "Runtime",
    "custom",
    "listening",
    "program",
    "remote",
]
