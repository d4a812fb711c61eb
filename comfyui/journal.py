"""What has become of each clip of a run, on disk at every moment, so that a second run goes on where one stopped."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any

from filelock import FileLock, Timeout

from ..errors import InputError


class Journal:
    """A file of JSON lines: what the run is of, then an event of a clip a line, each on disk before anything follows
    from it. Use it as a context manager; one process at a time may.

    Args:
        path: of the file; made if missing.
        run: what the run is of. A journal of something else is refused.

    Raises:
        InputError: it is of another run, is no journal, or is in use.
    """

    def __init__(self, path: Path, run: dict[str, str]) -> None:
        self.path = path
        self._run = run
        self._lock = FileLock(path.with_name(f".{path.name}.lock"))
        self.last: dict[str, dict[str, Any]] = {}
        """The last event of each clip, by its name."""

    def __enter__(self) -> Journal:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise InputError(
                f"Another run is writing {self.path}: wait for its end, or choose another --out."
            ) from error
        try:
            self._open()
        except BaseException:
            self._lock.release()
            raise
        return self

    def _open(self) -> None:
        self._file = self.path.open("a+b")
        self._file.seek(0)
        lines = self._file.read().splitlines(keepends=True)
        if lines and not lines[-1].endswith(b"\n"):  # the process was killed while it wrote this
            self._file.truncate(sum(map(len, lines[:-1])))
            del lines[-1]
        if not lines:
            self._append({"run": self._run})
            return
        try:
            head, *events = map(json.loads, lines)
            self.last = {event["clip"]: event for event in events}
            before = head["run"]
        except (ValueError, KeyError, TypeError) as error:
            self._file.close()
            raise InputError(
                f"{self.path} is no journal of hmd-removal queue: move it, or choose another --out."
            ) from error
        different = [what for what in self._run if before.get(what) != self._run[what]]
        if different:
            self._file.close()
            raise InputError(
                f"The journal {self.path} is of a run with another {' and '.join(different)}: go on with that one, "
                "choose another --out, or delete the journal."
            )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()
        self._lock.release()

    def write(self, clip: str, event: str, **facts: Any) -> None:
        """Note an event of a clip, and what is known of it."""
        self.last[clip] = {"clip": clip, "event": event, **facts}
        self._append(self.last[clip])

    def _append(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
