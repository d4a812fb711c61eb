"""Landmarks of a headset that tracks the eyes."""

from __future__ import annotations

import numpy as np

from hmd_removal.lab.evaluation.driven import IRISES, driven_points
from hmd_removal.tracking.geometry import EYES_AND_BROWS
from hmd_removal.tracking.track import FaceTrack


def test_the_eyes_have_their_true_shape_where_the_landmarks_put_them(talking_head_track: FaceTrack) -> None:
    true = talking_head_track.points[:3]
    seen, known = true + 0.2 * np.sin(np.arange(478))[:, None].astype(np.float32) + (4, -3, 0), np.zeros((3, 478))
    found, now_known = driven_points(true, seen, known)
    moved = np.zeros(478, bool)
    moved[[*EYES_AND_BROWS, *IRISES]] = True
    assert np.array_equal(found[:, ~moved], seen[:, ~moved]) and not now_known[:, ~moved].any()
    assert now_known[:, moved].all() and not known.any()
    shift = found[:, moved] - true[:, moved]
    left = true[:, moved, 0] < true[:, 168:169, 0]
    for t in range(3):
        for eye in (left[t], ~left[t]):
            assert np.ptp(shift[t, eye], axis=0).max() < 1e-3  # one step for the whole eye with its brow
            assert np.allclose(shift[t, eye][0], (4, -3, 0), atol=0.2)
