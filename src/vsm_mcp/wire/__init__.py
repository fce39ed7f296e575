"""System 1, operations: MCP to one server.

Both eras of the protocol (the stateless one of 2026-07-28 and the four handshake versions before it) over stdio,
streamable HTTP, HTTP+SSE, WebSockets and TCP. Results travel as the bytes they came in: no JSON model of them is built
here.
"""
