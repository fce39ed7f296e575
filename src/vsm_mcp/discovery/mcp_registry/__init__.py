"""Registries of MCP servers: the official one, and any other with the same API.

``server_json`` reads what they list, in every shape it has had (pure); ``copy`` is such a list on this machine, which
``walk`` brings up to date page by page; ``source`` looks through it. No need ever goes to a registry.
"""
