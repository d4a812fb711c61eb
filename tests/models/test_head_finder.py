"""The shipped head finder: the places that it names hold the heads of a picture, and it does not cost much."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from hmd_removal.models import covered_landmarks, head_finder
from hmd_removal.tracking.geometry import head_pose
from hmd_removal.tracking.head_search import MOST_PLACES, find_heads, likely_heads
from hmd_removal.tracking.sighting import head_crop
from hmd_removal.tracking.track import FaceTrack
from hmd_removal.weights.manifest import find_weight


def test_it_is_small() -> None:
    assert sum(p.numel() for p in head_finder.HeadFinder().parameters()) < 0.25e6
    assert find_weight("head_finder").bytes < 1e6


def test_a_picture_of_any_size_is_gone_through_at_once() -> None:
    net = head_finder.load()
    with torch.inference_mode():
        assert net(torch.rand(2, 3, 96, 160)).shape == (2, 12, 20)


@pytest.mark.parametrize("height", [144, 480, 1080])
@pytest.mark.parametrize("share", [0.2, 0.4, 0.8])
@pytest.mark.parametrize("covered", [False, True])
def test_the_head_is_among_the_likely_places(
    height: int,
    share: float,
    covered: bool,
    talking_head: np.ndarray,
    wearer: tuple[np.ndarray, np.ndarray],
    talking_head_track: FaceTrack,
) -> None:
    """share: of the picture's height that the portrait fills, a third of which is the face."""
    portrait = wearer[0][0] if covered else talking_head[0]
    frame = np.full((height, height * 16 // 9, 3), 110, np.uint8)
    scale = height * share / portrait.shape[0]
    small = cv2.resize(portrait, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    y, x = (height - small.shape[0]) // 2, height // 7
    frame[y : y + small.shape[0], x : x + small.shape[1]] = small
    crop = head_crop(head_pose(talking_head_track.points[0] * scale + (x, y, 0)))
    if crop.side < 40:
        pytest.skip("a head of that few pixels is not asked for")
    places = likely_heads(head_finder.shared(), frame)
    assert len(places) <= MOST_PLACES
    near = [p for p in places if np.hypot(p.x - crop.x, p.y - crop.y) < 0.3 * crop.side]
    assert any(0.6 < p.side / crop.side < 1.6 for p in near)
    (found, *_) = find_heads(covered_landmarks.shared(), frame, places)
    assert np.hypot(found.crop.x - crop.x, found.crop.y - crop.y) < 0.15 * crop.side
