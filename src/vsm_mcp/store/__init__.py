"""System 3, control: SQLite, the only package that speaks SQL.

One connection in one thread (one writer), WAL, numbered migrations, an append-only journal and append-only evidence.
:class:`Store` is opened once per process; its parts are the tables a reader would name: ``servers``, ``sagas``,
``journal``, ``evidence``, ``cache``, ``demand``, ``keys``, ``experience``, ``tool_experience``. Secrets are not in
the database: see :mod:`vsm_mcp.store.secrets`.
"""

from vsm_mcp.store.lock import HomeLock
from vsm_mcp.store.store import Store

__all__ = ["HomeLock", "Store"]
