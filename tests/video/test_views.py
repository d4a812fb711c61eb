"""Stereo pictures and pixels that are not square."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import pytest

from hmd_removal.errors import InputError
from hmd_removal.video.views import FLAT, HALF, SIDE_BY_SIDE, STEREO, TOP_BOTTOM, View, stereo_layout, views_of


@pytest.fixture(scope="module")
def scene(talking_head: np.ndarray) -> np.ndarray:
    return talking_head[0]


def side_by_side(scene: np.ndarray, parallax: int = 6) -> np.ndarray:
    return np.concatenate([scene, np.roll(scene, -parallax, axis=1)], axis=1)


def top_bottom(scene: np.ndarray, parallax: int = 6) -> np.ndarray:
    return np.concatenate([scene, np.roll(scene, -parallax, axis=1)], axis=0)


def test_two_views_of_one_scene_are_recognised(scene: np.ndarray, talking_head: np.ndarray) -> None:
    assert stereo_layout(side_by_side(scene)) == SIDE_BY_SIDE
    assert stereo_layout(top_bottom(scene)) == TOP_BOTTOM
    for half in (cv2.resize(side_by_side(scene), (176, 144)), cv2.resize(top_bottom(scene), (176, 144))):
        assert stereo_layout(half) is not None
    assert stereo_layout(scene) is None and stereo_layout(np.full((144, 176, 3), 90, np.uint8)) is None
    assert stereo_layout(np.concatenate([scene, scene[:, ::-1]], axis=1)) is None, "two people, or a mirror"


@pytest.mark.parametrize("layout", STEREO)
def test_views_are_taken_with_square_pixels_and_put_back(scene: np.ndarray, layout: str) -> None:
    frame = {FLAT: lambda x: x, SIDE_BY_SIDE: side_by_side, TOP_BOTTOM: top_bottom}[layout.removesuffix(HALF)](scene)
    if layout.endswith(HALF):
        frame = cv2.resize(frame, (176, 144), interpolation=cv2.INTER_AREA)
    picture = frame.copy()
    for view in views_of(layout, frame.shape[:2]):
        before = view.take(frame)
        assert before.shape == scene.shape
        filled = before.copy()
        filled[40:80, 60:120] = (255, 0, 0)
        view.put(picture, filled, before)
    red = (np.abs(picture.astype(int) - (255, 0, 0)).max(2) < 30).sum() / (frame.size / 3)
    assert red == pytest.approx(40 * 60 / (144 * 176), rel=0.06)
    changed = (picture != frame).any(2)
    assert changed.mean() < 1.15 * red, "all else is as it was, bit for bit"


def test_pixels_that_are_not_square_are_stretched(scene: np.ndarray) -> None:
    (view,) = views_of(FLAT, (144, 132), Fraction(4, 3))
    squeezed = cv2.resize(scene, (132, 144), interpolation=cv2.INTER_AREA)
    assert view.take(squeezed).shape == scene.shape and not view.whole
    assert np.abs(view.take(squeezed).astype(int) - scene).mean() < 4
    assert view.take(np.ones((144, 132), np.uint8)).shape == (144, 176)
    (nearly,) = views_of(FLAT, (144, 176), Fraction(1001, 1000))
    assert nearly.whole


def test_a_box_lies_in_one_view() -> None:
    left, right = views_of(SIDE_BY_SIDE, (144, 352))
    assert left.box((200, 20, 80, 90), (144, 352)) is None and right.box((200, 20, 80, 90), (144, 352)) == (
        24,
        20,
        80,
        90,
    )
    (wide,) = views_of(FLAT, (144, 132), Fraction(4, 3))
    assert wide.box((30, 20, 60, 90), (144, 132)) == pytest.approx((40, 20, 80, 90))
    top, bottom = views_of(TOP_BOTTOM + HALF, (144, 176))
    assert bottom.box((10, 80, 40, 30), (144, 176)) == pytest.approx((10, 16, 40, 60)) and top.whole is False


def test_bad_layouts() -> None:
    with pytest.raises(InputError, match="stereo layout out of flat, side-by-side"):
        views_of("anaglyph", (144, 176))
    with pytest.raises(InputError, match="177 x 144 pixels cannot be halved"):
        views_of(SIDE_BY_SIDE, (144, 177))


def test_what_is_stretched_can_be_encoded() -> None:
    """H.264 refuses odd sizes: 176 pixels of CIF, 128 : 117, would become 193."""
    assert View(width=128 / 117).size((144, 176)) == (144, 192)
    assert View(width=117 / 128).size((145, 176)) == (158, 176)
    assert View().size((145, 175)) == (145, 175)
