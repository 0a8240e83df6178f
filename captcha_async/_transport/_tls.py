"""The TLS settings of lanes that were given none."""

from __future__ import annotations

import os
import ssl
from functools import cache

__all__ = ["default_ssl_context"]


@cache
def default_ssl_context() -> ssl.SSLContext:
    """Make the TLS settings as httpx has them, once per process: loading the roots is slow.

    Trusted are the authorities of SSL_CERT_FILE or SSL_CERT_DIR, and without those certifi's.
    """
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if not file and not folder:
        import certifi

        file = certifi.where()
    context = ssl.create_default_context(cafile=file or None, capath=None if file else folder)
    context.set_alpn_protocols(["http/1.1"])
    return context
