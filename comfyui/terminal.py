"""What the queue shows in a terminal: a bar for all clips, one for each server, a line for what happens."""

from __future__ import annotations

from collections.abc import Sequence

from tqdm import tqdm

from ..batch.clips import Clip
from ..batch.outcome import Outcome
from .client import Event
from .queue import Display


class Bars(Display):
    """A context manager. Where the output is no terminal there are lines alone.

    Args:
        servers: their names.
        clips: how many there are.
    """

    def __init__(self, servers: Sequence[str], clips: int) -> None:
        self._all = tqdm(total=clips, desc="all", unit="clip", disable=None)
        self._servers = {server: tqdm(desc=server, unit="step", leave=False, disable=None) for server in servers}

    def __enter__(self) -> Bars:
        return self

    def __exit__(self, *exception: object) -> None:
        for bar in (*self._servers.values(), self._all):
            bar.close()

    def progress(self, server: str, clip: Clip, event: Event) -> None:
        if event.type != "progress":
            return
        bar = self._servers[server]
        bar.set_description(f"{server} {clip.name}", refresh=False)
        bar.total, bar.n = event.data["max"], event.data["value"]
        bar.refresh()

    def ended(self, outcome: Outcome) -> None:
        self._all.update()
        tqdm.write(outcome.line)

    def note(self, text: str) -> None:
        tqdm.write(text)
