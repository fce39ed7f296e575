"""GitHub as a source: repositories that say they are MCP servers, and lists of such.

``api`` asks its REST API; ``lists`` reads lists (pure), ``repository`` what a repository says of itself (pure).
"""
