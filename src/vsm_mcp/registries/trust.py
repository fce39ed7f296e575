"""Which certificates are trusted: the machine's, and those of the file that npm, pip or the environment names."""

from __future__ import annotations

import ssl

from vsm_mcp.errors import RegistryUnavailable


def trust(ca_file: str) -> ssl.SSLContext:
    """Return the context of outgoing connections. Raises :class:`RegistryUnavailable` for a file that is unreadable."""
    try:
        context = ssl.create_default_context()
        if ca_file:
            context.load_verify_locations(ca_file)
    except (OSError, ssl.SSLError) as error:
        raise RegistryUnavailable(
            f"the certificates in {ca_file} cannot be read: {error}",
            "mend SSL_CERT_FILE, npm's cafile or pip's cert setting",
        ) from error
    return context
