"""The gateway's own tools, by which an agent finds, reads and calls what is not listed, and asks for what is lacking.

``definitions`` says what they are, one module each answers for them; which of them a view offers is the view's mode
(:mod:`vsm_mcp.gateway.display`).
"""
