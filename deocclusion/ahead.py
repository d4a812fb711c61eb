"""Two stages of a pipeline at once."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Full, Queue
from typing import TypeVar

Item = TypeVar("Item")


@contextmanager
def ahead(items: Iterator[Item], count: int) -> Iterator[Iterator[Item]]:
    """Take from `items` in a thread of its own, at most `count` items before they are asked for.

    What `items` raises is raised where they are asked for. Leaving the block stops the thread, after the item that it
    is at, and waits for it.
    """
    queue: Queue[tuple[Item | None, BaseException | None]] = Queue(count)
    stop = threading.Event()

    def offer(entry: tuple[Item | None, BaseException | None]) -> None:
        while not stop.is_set():
            try:
                return queue.put(entry, timeout=0.1)
            except Full:
                continue

    def work() -> None:
        try:
            for item in items:
                offer((item, None))
                if stop.is_set():
                    return
            offer((None, StopIteration()))
        except BaseException as error:  # handed on, not swallowed: it belongs to whoever asks next
            offer((None, error))

    def taken() -> Iterator[Item]:
        while True:
            item, error = queue.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield taken()
    finally:
        stop.set()
        thread.join()
