"""The linear face is learnt from what it made; and moved eyes make a contact sheet."""

from __future__ import annotations

import numpy as np
import pytest

from hmd_removal.driving.upper_face import (
    CORNERS,
    DOWN,
    INNER,
    IRISES,
    LOWER_LIDS,
    OUTER,
    PARTS,
    UPPER_LIDS,
    LinearFace,
    mirrored,
    shipped,
)
from hmd_removal.lab.driving.eyes_sheet import ACROSS, HIGH, eyes_sheet, wanted_states
from hmd_removal.lab.driving.linear_face import MIDDLE, SIDES, Seen, learnt
from hmd_removal.tracking.geometry import canonical_points
from hmd_removal.tracking.reference import make_reference


def filmed(count: int) -> Seen:
    """One person who only raises their brows, each side by itself, by the shipped face; lids and head stay still."""
    rng = np.random.default_rng(0)
    names = [*MIDDLE, *(name + side for name in SIDES for side in ("Left", "Right"))]
    weights = {name: np.zeros(count) for name in names}
    weights["browInnerUp"] = rng.uniform(0, 1, count)
    weights |= {f"{name}{side}": rng.uniform(0, 1, count) for name in ("browOuterUp", "browDown") for side in SIDES_OF}
    face = np.concatenate([canonical_points(), np.zeros((10, 3))])
    for corners, iris in zip(CORNERS, IRISES, strict=True):
        face[list(iris)] = face[list(corners)].mean(0)
    points = np.tile(face, (count, 1, 1))
    for t in range(count):
        brows = [[weights[n][t] for n in ("browInnerUp", f"browOuterUp{s}", f"browDown{s}")] for s in SIDES_OF]
        points[t, :468] += np.tensordot(np.array(brows).ravel(), only_brows().brows, 1)
    return Seen((points * 20).astype(np.float32), weights, np.array(["one"] * count))


SIDES_OF = ("Right", "Left")


def only_brows() -> LinearFace:
    """The shipped face, whose brows move nothing of the lids."""
    right = shipped().right.copy()
    lids = [i for lids in (*UPPER_LIDS, *LOWER_LIDS, *CORNERS) for i in lids]
    right[:, lids] = 0
    return LinearFace(right)


def test_what_brows_do_is_found_again():
    found, true = learnt(filmed(400)), only_brows()
    assert found.right.shape == (PARTS, 468, 3)
    brow = [105, 66, 107, 52, 65]
    both = [face.right[INNER] + mirrored(face.right[INNER]) for face in (found, true)]  # one value for both sides
    # To two millimetres, by which the head seems to move with the brows.
    assert both[0][brow, 1] == pytest.approx(both[1][brow, 1], abs=0.2)
    assert found.right[OUTER][brow, 1] == pytest.approx(true.right[OUTER][brow, 1], abs=0.25)
    assert found.right[DOWN][brow, 1].min() > 0.2 > 0 > found.right[OUTER][brow, 1].max()
    assert np.abs(found.right[:, canonical_points()[:, 1] > 0]).max() == 0  # of the lower face nothing is kept


def test_eyes_are_shown_as_they_are_moved(talking_head, talking_head_track):
    person = make_reference([talking_head[0]], talking_head_track.points[:1])
    sheet = eyes_sheet([person])
    assert sheet.shape == (2 * HIGH, 9 * ACROSS, 3) and len(wanted_states()) == 18
    tiles = sheet.reshape(2, HIGH, 9, ACROSS, 3).transpose(0, 2, 1, 3, 4).reshape(18, HIGH, ACROSS, 3).astype(int)
    different = np.abs(tiles[1:] - tiles[0]).max((1, 2, 3))
    assert (different > 15).all()
