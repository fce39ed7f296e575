"""MCP bundles (``.mcpb``, once ``.dxt``): their manifest, how they are started, how they are installed.

Format: MCPB, "MANIFEST.md", manifest versions 0.1 to 0.4.
"""
