"""`python -m captcha_async` is the same as `captcha-async`."""

from __future__ import annotations

from .cli import main

if __name__ == "__main__":
    main()
