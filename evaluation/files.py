"""Results as files."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..files import written_whole


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
