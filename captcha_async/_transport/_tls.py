"""The TLS settings of lanes that were given none."""

from __future__ import annotations

import errno
import os
import ssl
from functools import cache

__all__ = ["UnusableAuthorities", "default_ssl_context"]

# What a file may be there for again in a moment.
_PASSING = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR}


class UnusableAuthorities(ValueError):
    """The file of the trusted authorities is not there, or holds none."""


@cache
def default_ssl_context() -> ssl.SSLContext:
    """Make the TLS settings as httpx has them, once per process: loading the roots is slow.

    Trusted are the authorities of SSL_CERT_FILE or SSL_CERT_DIR, and without those certifi's.
    """
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if not file and not folder:
        import certifi

        file = certifi.where()
    try:
        context = ssl.create_default_context(cafile=file or None, capath=None if file else folder)
    except OSError as error:
        if error.errno in _PASSING:
            raise
        what = "SSL_CERT_FILE" if os.environ.get("SSL_CERT_FILE") else "the file of certifi"
        raise UnusableAuthorities(f"{what} cannot be loaded: {error}") from error
    context.set_alpn_protocols(["http/1.1"])
    return context
