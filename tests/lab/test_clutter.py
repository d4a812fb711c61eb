"""What training scenes are cluttered with: each thing is where its mask says, and in front of what it is to hide."""

from __future__ import annotations

import numpy as np
import pytest

from hmd_removal.lab.training.clutter import arm_before, back_of_head, coloured_lamps, hair_over, headwear
from hmd_removal.tracking.geometry import FACE_OVAL, head_pose
from hmd_removal.tracking.track import FaceTrack

GREY = np.full((192, 192, 3), 128, np.uint8)


@pytest.fixture(scope="module")
def points(talking_head_track: FaceTrack) -> np.ndarray:
    """(478, 3) of a face in the middle of a picture of 192 x 192."""
    points = talking_head_track.points[0].astype(np.float64)
    scale = 70 / np.ptp(points[:, 1])
    return (points - points.mean(0)) * scale + (96, 96, 0)


@pytest.mark.parametrize("thing", [hair_over, lambda p, pose, rng: arm_before(p, pose, np.array((0.8, 0.6, 0.5)), rng)])
def test_what_hides_the_face_is_exactly_where_its_mask_says(thing, points: np.ndarray) -> None:
    pose, shares = head_pose(points), []
    for seed in range(12):
        picture, hidden = thing(GREY, pose, np.random.default_rng(seed))
        changed = (picture != GREY).any(2)
        assert np.array_equal(changed, hidden > 0)
        shares.append(hidden.mean())
    assert (GREY == 128).all(), "the picture given is left as it is"
    assert 0.005 < np.mean(shares) < 0.35 and np.std(shares) > 0


def test_lamps_colour_one_side_otherwise_than_the_other() -> None:
    white = np.full((64, 64, 3), 0.8, np.float32)
    tints = []
    for seed in range(20):
        lit = coloured_lamps(white, np.random.default_rng(seed))
        assert lit.shape == white.shape and lit.dtype == np.float32 and lit.min() >= 0
        corners = np.stack([lit[0, 0], lit[0, -1], lit[-1, 0], lit[-1, -1]])
        tints.append(np.abs(corners - corners.mean(0)).max())
    assert np.median(tints) > 0.1


def test_the_back_of_a_head_shows_no_face(points: np.ndarray) -> None:
    picture = np.zeros((192, 192, 3), np.uint8)
    x, y = points[1, :2].astype(int)
    picture[y - 2 : y + 3, x - 2 : x + 3] = 255  # a nose
    hair = back_of_head(picture, points, np.random.default_rng(1))
    assert hair[y - 2 : y + 3, x - 2 : x + 3].astype(int).min() < 230
    assert (hair[:10] == picture[:10]).all(), "what is around the head stays"


def test_a_hood_a_hat_or_a_scarf_hides_the_edge_of_the_face_and_leaves_its_middle(points: np.ndarray) -> None:
    pose, shares = head_pose(points), []
    oval = np.round(points[list(FACE_OVAL), :2]).astype(int)
    nose = np.round(points[1, :2]).astype(int)
    for seed in range(30):
        picture, worn = headwear(GREY, points, pose, np.random.default_rng(seed))
        assert picture.shape == GREY.shape and 0.02 < worn.mean() < 0.9
        assert worn[nose[1], nose[0]] == 0
        assert (picture != GREY).any(2)[worn > 0].mean() > 0.9
        assert (picture != GREY).any(2)[worn == 0].mean() < 0.2  # but for a soft edge
        shares.append(worn[oval[:, 1], oval[:, 0]].mean())
    assert np.mean(shares) > 0.2 and min(shares) < 0.2
    assert (GREY == 128).all()
