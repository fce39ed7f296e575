"""System 1, operations: the right to call servers that run elsewhere, got from their authorization servers by OAuth.

The protocol is the Python SDK's (``mcp``, the extra ``oauth``), which is loaded only when a server wants authorization
and there is something to get it with.
"""
