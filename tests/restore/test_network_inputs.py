"""The face as lines."""

from __future__ import annotations

import numpy as np
import pytest

from hmd_removal.models.recall import GUESSED
from hmd_removal.restore.network_inputs import DLIB_68, LINES, WIDTH, contour_image
from hmd_removal.tracking.geometry import canonical_points
from hmd_removal.tracking.track import FaceTrack


@pytest.fixture
def face() -> np.ndarray:
    """The mean face in a picture of 128 pixels, with irises somewhere."""
    points = canonical_points()[:, :2] * 6 + 64
    return np.concatenate([points, np.full((10, 2), 64.0)])


def test_the_table_has_every_point_of_dlib_once_and_is_symmetric() -> None:
    assert len(DLIB_68) == len(set(DLIB_68)) == 68
    assert [last - first + 1 for first, last, _ in LINES] == [17, 5, 5, 4, 5, 6, 6, 12, 8]
    points = canonical_points()[list(DLIB_68)]
    mirrored = points * (-1, 1, 1)
    jaw = np.arange(17)
    assert np.allclose(points[jaw], mirrored[jaw[::-1]], atol=0.3)  # centimetres
    assert np.allclose(points[17:22], mirrored[26:21:-1], atol=0.3)
    assert np.allclose(points[27:31, 0], 0, atol=0.1)  # the nose's bridge is in the middle


def test_lines_join_the_points_with_the_value_one(face: np.ndarray) -> None:
    picture = contour_image(face, 128)
    assert picture.shape == (128, 128) and picture.dtype == np.float32
    assert picture.max() == pytest.approx(1, abs=0.01) and picture.min() == 0
    on_line = np.round(face[list(DLIB_68)]).astype(int)
    assert picture[on_line[:, 1], on_line[:, 0]].mean() > 0.7
    assert 0.01 < (picture > 0).mean() < 0.12


def test_lines_are_smooth_at_their_edges_and_follow_parts_of_a_pixel(face: np.ndarray) -> None:
    picture, moved = contour_image(face, 128), contour_image(face + 0.5, 128)
    assert ((picture > 0) & (picture < 1)).any()
    assert not np.array_equal(picture, moved)


def test_a_line_is_as_wide_in_a_larger_picture(face: np.ndarray) -> None:
    small, large = contour_image(face, 128), contour_image(face * 4, 512)
    assert WIDTH * 128 == 1
    assert (small > 0.5).mean() == pytest.approx((large > 0.5).mean(), rel=0.35)


def test_lines_of_guessed_points_are_half_as_bright(face: np.ndarray) -> None:
    known = np.ones(478)
    known[list(DLIB_68[36:42])] = 0  # one eye
    picture = contour_image(face, 128, known)
    left, top = np.floor(face[list(DLIB_68[36:42])].min(0)).astype(int)
    right, bottom = np.ceil(face[list(DLIB_68[36:42])].max(0)).astype(int)
    assert picture[top : bottom + 1, left : right + 1].max() == pytest.approx(GUESSED, abs=0.03)
    assert picture.max() > 0.95


def test_a_shut_eye_is_a_thinner_loop(talking_head_track: FaceTrack) -> None:
    points = talking_head_track.points[0][:, :2].astype(np.float64)
    points = (points - points.mean(0)) * 2 + 128
    shut = points.copy()
    for upper, lower in ((160, 144), (158, 153), (385, 380), (387, 373)):
        shut[upper] = shut[lower]
    assert contour_image(shut, 256).sum() < contour_image(points, 256).sum()
