"""A headless ComfyUI in a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

PACK = Path(__file__).resolve().parent.parent
PACK_NAME = "hmd-removal"

_LOG_LINES_SHOWN = 30


class ServerError(RuntimeError):
    """ComfyUI did not start. The message ends with the last lines of its log."""


class ComfyServer:
    """Run ComfyUI with this pack as its only custom node pack, on a free port of 127.0.0.1.

    All it reads and writes lies under `base` (`models`, `custom_nodes`, `input`, `output`, `temp`, `user`):
    a ComfyUI that somebody uses can be driven without leaving anything in it. Its own models and packs are
    not seen.

    Use as a context manager, or call `start` and `stop`.

    Args:
        comfyui: folder of the ComfyUI to run.
        base: folder for everything it reads and writes; made if missing.
        log: file for what it prints. Default: `comfyui.log` in `base`.
        packs: custom node folders by the name they get in `custom_nodes`. Default: this pack.
        python: interpreter to run it with. Default: the one of a `.venv` or `venv` in `comfyui`, else this.
    """

    def __init__(
        self,
        comfyui: Path | str,
        base: Path | str,
        *,
        log: Path | str | None = None,
        packs: dict[str, Path] | None = None,
        python: Path | str | None = None,
    ) -> None:
        self.comfyui = Path(comfyui).resolve()
        self.base = Path(base).resolve()
        self.packs = {PACK_NAME: PACK} if packs is None else packs
        self.python = str(python or _interpreter(self.comfyui))
        self.log = Path(log or self.base / "comfyui.log")
        self.url = ""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def input(self) -> Path:
        return self.base / "input"

    @property
    def output(self) -> Path:
        return self.base / "output"

    @property
    def temp(self) -> Path:
        return self.base / "temp"

    def start(self, timeout: float = 180.0) -> None:
        """Start ComfyUI and wait until it answers.

        Raises:
            ServerError: no ComfyUI in the folder, it ended, or it did not answer within `timeout` seconds.
        """
        if not (self.comfyui / "main.py").is_file():
            raise ServerError(f"Expected a ComfyUI in {self.comfyui}, found no main.py there.")
        for name in ("custom_nodes", "input", "output", "user"):
            (self.base / name).mkdir(parents=True, exist_ok=True)
        for name, folder in self.packs.items():
            link = self.base / "custom_nodes" / name
            link.unlink(missing_ok=True)
            link.symlink_to(folder.resolve(), target_is_directory=True)

        self.log.parent.mkdir(parents=True, exist_ok=True)
        port = _free_port()
        self.url = f"http://127.0.0.1:{port}"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command(port),
                cwd=self.comfyui,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait_until_ready(port, timeout)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End ComfyUI and every process it started."""
        if self._process is None:
            return
        for ending in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, ending)
                self._process.wait(timeout=10)
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue
        self._process.wait()
        self._process = None

    def log_tail(self, lines: int = _LOG_LINES_SHOWN) -> str:
        """The last lines ComfyUI printed."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def __enter__(self) -> ComfyServer:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def _command(self, port: int) -> list[str]:
        command = [self.python, "-u", "main.py", "--listen", "127.0.0.1", "--port", str(port)]
        command += ["--base-directory", str(self.base), "--user-directory", str(self.base / "user")]
        # The base directory does not move the database.
        command += ["--database-url", f"sqlite:///{self.base / 'user' / 'comfyui.db'}"]
        # Nodes for paid services; without them the front end needs no internet.
        command += ["--disable-auto-launch", "--disable-api-nodes"]
        return command if _has_cuda() else [*command, "--cpu"]

    def _wait_until_ready(self, port: int, timeout: float) -> None:
        assert self._process is not None
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise ServerError(f"ComfyUI ended with code {self._process.returncode}:\n{self.log_tail()}")
            try:
                # It listens only when every node has been loaded.
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
            except OSError:
                time.sleep(0.2)
            else:
                return
        raise ServerError(f"ComfyUI did not answer within {timeout:.0f} s:\n{self.log_tail()}")


def _interpreter(comfyui: Path) -> Path | str:
    for environment in (".venv", "venv"):
        python = comfyui / environment / "bin" / "python"
        if python.exists():
            return python
    return sys.executable


def _has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
