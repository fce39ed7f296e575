"""System 1, operations: the one MCP endpoint, for clients of every protocol version.

``Gateway`` (in ``gateway.py``) answers requests; ``serve`` (``server.py``) puts it on HTTP and ``serve_stdio``
(``stdio.py``) on a pair of pipes. Arguments and results pass as the bytes they came in.
"""
