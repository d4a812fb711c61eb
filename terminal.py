"""What the command line shows of what native code prints."""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# MediaPipe says these for every detector and video, and has neither a variable nor a flag that stops it.
END = b"\0\n"  # tells the sieve that nothing more comes
CHATTER = re.compile(rb"WARNING: Logging before InitGoogle|W\d{4} |INFO: Created TensorFlow Lite XNNPACK")


@contextmanager
def without_chatter() -> Iterator[None]:
    """Keep the lines of `CHATTER` off the terminal, within this process; every other line is shown.

    Python's own messages and progress bars are not looked at: they go straight to the terminal.
    """
    terminal, python = os.dup(2), sys.stderr
    reading, writing = os.pipe()
    os.dup2(writing, 2)
    os.close(writing)
    # Line by line: tracebacks and progress bars must not wait for the end.
    sys.stderr = open(os.dup(terminal), "w", buffering=1, encoding=python.encoding, errors=python.errors)
    sieve = threading.Thread(target=_pass_on, args=(reading, terminal), daemon=True)
    sieve.start()
    try:
        yield
    finally:
        sys.stderr.close()
        sys.stderr = python
        os.write(2, END)  # the pipe itself stays open while a child process lives that was started meanwhile
        os.dup2(terminal, 2)
        sieve.join()
        os.close(terminal)


def _pass_on(reading: int, terminal: int) -> None:
    with open(reading, "rb") as lines:
        for line in lines:
            last = line.endswith(END)
            line = line.removesuffix(END)
            if not CHATTER.match(line):
                os.write(terminal, line)
            if last:
                return
