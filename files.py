"""Results as files."""

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A path to write to, beside `path`, which takes that name when the block ends well and is removed otherwise.

    Folders that are missing are made. Two writers of one file do not disturb each other; the last one's stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        yield unfinished
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_json(path: Path, content: dict[str, Any]) -> None:
    _write(path, json.dumps(content, indent=1).encode())


def write_png(path: Path, picture: np.ndarray) -> None:
    """picture: (H, W, 3) uint8 RGB."""
    _write(path, cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes())


def write_jpeg(path: Path, picture: np.ndarray) -> None:
    """picture: (H, W, 3) uint8 RGB."""
    _write(path, cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes())


def _write(path: Path, content: bytes) -> None:
    with written_whole(path) as unfinished:
        unfinished.write_bytes(content)
