"""Headless Chromium over the DevTools protocol: as much of it as the front-end tests need."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import aiohttp

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
]


class Chromium:
    """One browser with one page. Use as a context manager.

    Args:
        profile: new, empty folder for the browser's data.
        size: width and height of the window in pixels.
    """

    def __init__(self, profile: Path, size: tuple[int, int]) -> None:
        self.profile = profile
        self.size = size
        self.exceptions: list[str] = []
        """What the page threw and nobody caught."""
        self._calls = 0

    def __enter__(self) -> Chromium:
        program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
        if program is None:
            raise FileNotFoundError("The front-end tests need Chromium (apt install chromium).")
        self._loop = asyncio.new_event_loop()
        self._process = subprocess.Popen(
            [
                program,
                *_FLAGS,
                f"--window-size={self.size[0]},{self.size[1]}",
                f"--user-data-dir={self.profile}",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            self._loop.run_until_complete(self._connect())
        except BaseException:
            self._process.kill()
            raise
        for domain in ("Page", "Runtime"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(self, *exception: object) -> None:
        self._loop.run_until_complete(self._session.close())
        self._loop.close()
        self._process.terminate()
        self._process.wait(timeout=20)

    def open(self, url: str) -> None:
        """Start loading a page."""
        self.call("Page.navigate", url=url)

    def evaluate(self, script: str) -> Any:
        """Value of a JavaScript expression, awaited if it is a promise; must be JSON."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{script}: {_text(answer['exceptionDetails'])}")
        return answer["result"].get("value")

    def wait_for(self, script: str, timeout: float = 60.0) -> Any:
        """Evaluate until the value is truthy, and return it."""
        deadline = time.monotonic() + timeout
        while not (value := self.evaluate(script)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{script} stayed {value!r} for {timeout:.0f} s")
            time.sleep(0.1)
        return value

    def press(self, key: str, code: int) -> None:
        """Press and release a key, by its name and its number (Windows virtual-key code)."""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def click(self, x: int, y: int) -> None:
        """Click with the left button; x and y in pixels of the page."""
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def screenshot(self, path: Path) -> None:
        """Write the page as PNG."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one DevTools command and return its result."""
        return self._loop.run_until_complete(self._call(method, parameters))

    async def _connect(self) -> None:
        port_file = self.profile / "DevToolsActivePort"
        deadline = time.monotonic() + 60
        while not (port_file.exists() and "\n" in port_file.read_text()):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("Chromium did not start.")
            await asyncio.sleep(0.1)
        port = port_file.read_text().splitlines()[0]
        self._session = aiohttp.ClientSession()
        async with self._session.put(f"http://127.0.0.1:{port}/json/new?about:blank") as response:
            page = await response.json(content_type=None)
        self._socket = await self._session.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0)

    async def _call(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        self._calls += 1
        number = self._calls
        await self._socket.send_str(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = await self._socket.receive_json(timeout=120)
            if message.get("method") == "Runtime.exceptionThrown":
                self.exceptions.append(_text(message["params"]["exceptionDetails"]))
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']['message']}")
                return message["result"]


def _text(details: dict[str, Any]) -> str:
    return details.get("exception", {}).get("description") or details["text"]
