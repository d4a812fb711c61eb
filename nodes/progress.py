"""ComfyUI's progress bar in the form that the packages beside this one take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from comfy.utils import ProgressBar

Item = TypeVar("Item")


def progress_bar() -> Callable[[int, int], None]:
    """A `progress(done, total)` that moves the running node's bar; total may be 0 when it is not known.

    Every call also looks whether the user has cancelled, and then raises ComfyUI's own exception: let it pass.
    """
    bar = ProgressBar(0)

    def progress(done: int, total: int) -> None:
        # Of an unknown total the front end could make no share.
        bar.update_absolute(done, total or done + 1)

    return progress


def counted(items: Iterable[Item], total: int) -> Iterator[Item]:
    """Hand on the items, moving the bar each time the taker comes back for the next."""
    progress = progress_bar()
    progress(0, total)
    for done, item in enumerate(items, 1):
        yield item
        progress(done, total)
