"""A headless Chromium for tests of pages, by the WebDriver protocol; skips where there is none."""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest

__all__ = ["Browser", "browser"]

PATIENCE = 30.0
"""Seconds for a command, and for what is waited for."""
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]


class Browser:
    """One browser with one page."""

    def __init__(self, driver: str) -> None:
        self._driver = driver
        self._session = ""

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self._driver}{path}", data, {"content-type": "application/json"})
        request.method = method
        with urlopen(request, timeout=PATIENCE) as reply:
            return json.load(reply)["value"]

    def begin(self, binary: str) -> None:
        """Open the browser."""
        options = {"binary": binary, "args": FLAGS}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options}
        wanted["goog:loggingPrefs"] = {"browser": "ALL"}
        told = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._session = f"/session/{told['sessionId']}"

    def end(self) -> None:
        """Close the browser."""
        if self._session:
            self._ask("DELETE", self._session)

    def show(self, url: str, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Load a page in a window of some size, light or dark."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self._cdp("Emulation.setDeviceMetricsOverride", size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._cdp("Emulation.setEmulatedMedia", {"features": [scheme]})
        self._ask("POST", f"{self._session}/url", {"url": url})

    def _cdp(self, command: str, values: dict[str, Any]) -> Any:
        body = {"cmd": command, "params": values}
        return self._ask("POST", f"{self._session}/goog/cdp/execute", body)

    def run(self, script: str) -> Any:
        """Return the value of a JavaScript expression."""
        body = {"script": f"return {script}", "args": []}
        return self._ask("POST", f"{self._session}/execute/sync", body)

    def wait_for(self, script: str) -> Any:
        """Wait until an expression is true, and return its value."""
        ticks = threading.Event()
        for _ in range(int(PATIENCE / 0.1)):
            value = self.run(script)
            if value:
                return value
            ticks.wait(0.1)
        raise AssertionError(f"never true: {script}; the page says: {self.text()}")

    def text(self) -> str:
        """Return what can be read on the page."""
        told: str = self.run("document.body.innerText")
        return told

    def errors(self) -> list[str]:
        """Return what the page's script and its loading have complained of."""
        entries = self._ask("POST", f"{self._session}/se/log", {"type": "browser"})
        return [entry["message"] for entry in entries if entry["level"] == "SEVERE"]

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than its window."""
        wide: int = self.run(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        return wide

    def picture(self, path: Path) -> None:
        """Write what the page looks like."""
        path.write_bytes(base64.b64decode(self._ask("GET", f"{self._session}/screenshot")))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _find(*names: str) -> str | None:
    return next(filter(None, map(shutil.which, names)), None)


@contextmanager
def browser() -> Generator[Browser]:
    """Start a browser; a test that has none is skipped."""
    binary = os.environ.get("CHROMIUM") or _find("chromium", "chromium-browser", "google-chrome")
    driver = _find("chromedriver")
    if binary is None or driver is None:
        pytest.skip("needs chromium and chromedriver")
    port = _free_port()
    process = subprocess.Popen(
        [driver, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    opened = Browser(f"http://127.0.0.1:{port}")
    try:
        _begin(opened, binary)
        yield opened
    finally:
        try:
            opened.end()
        finally:
            process.terminate()
            process.wait(PATIENCE)


def _begin(opened: Browser, binary: str) -> None:
    ticks = threading.Event()
    for _ in range(100):
        try:
            opened.begin(binary)
        except URLError as error:
            # Not listening yet; an answer that is an error is one.
            if not isinstance(getattr(error, "reason", None), ConnectionRefusedError):
                raise
            ticks.wait(0.1)
        else:
            return
    raise AssertionError("the browser does not start")
