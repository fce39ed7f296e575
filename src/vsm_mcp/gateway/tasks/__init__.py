"""Tasks: work at a server that outlives the request which began it.

Specification 2025-11-25, "Tasks" (handshake servers), and SEP-2663, "Tasks Extension" (modern ones). A client that
knows them in its server's way gets them passed through under ids of the gateway's own (``passing.py``); for every other
one they are driven, so that it sees a plain call (``driven.py``).
"""
