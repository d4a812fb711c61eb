"""Cuts are told from movement."""

import numpy as np

from hmd_removal.tracking.scene import SceneCuts


def cuts(frames) -> list[int]:
    noticed = SceneCuts()
    return [t for t, frame in enumerate(frames) if noticed(frame)]


def test_a_real_clip_has_no_cut_and_two_spliced_have_one(talking_head):
    assert cuts(talking_head) == []
    other = 255 - talking_head[:5, :, ::-1]
    assert cuts([*talking_head[:10], *other]) == [10]


def test_a_moving_object_is_no_cut():
    frames = np.full((20, 90, 160, 3), 60, np.uint8)
    for t in range(20):
        frames[t, 20:70, 6 * t : 6 * t + 40] = 230
    assert cuts(frames) == []


def test_a_new_clip_starts_without_a_cut():
    assert cuts([np.full((64, 64, 3), 255, np.uint8)]) == []
