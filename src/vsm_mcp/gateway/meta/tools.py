"""All of the gateway's own tools, put together."""

from __future__ import annotations

from collections.abc import Mapping

from vsm_mcp.gateway.meta import definitions
from vsm_mcp.gateway.meta.acquire import AcquireCapability
from vsm_mcp.gateway.meta.call import CallTool
from vsm_mcp.gateway.meta.consent import Consents
from vsm_mcp.gateway.meta.describe import DescribeTool
from vsm_mcp.gateway.meta.find import FindTools
from vsm_mcp.gateway.meta.tool import MetaTool
from vsm_mcp.gateway.needs import Needs


def own_tools(needs: Needs | None, seconds: float, consents: Consents) -> Mapping[str, MetaTool]:
    """Return who answers for each name; an acquisition is answered within ``seconds``, ``consents`` asks for leave."""
    tools: dict[str, MetaTool] = {
        definitions.FIND: FindTools(needs),
        definitions.DESCRIBE: DescribeTool(),
        definitions.CALL: CallTool(),
    }
    if needs is not None:
        tools[definitions.ACQUIRE] = AcquireCapability(needs, seconds, consents)
    return tools
