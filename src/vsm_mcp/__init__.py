"""VSM-MCP gives an AI agent the capability it lacks: it finds, vets, installs and serves MCP servers."""

__version__ = "0.1.0"
