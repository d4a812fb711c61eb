"""A person's pictures as they are kept: which part of each shows the person."""

from dataclasses import replace

import numpy as np
import torch
from faces_of import turned

from hmd_removal.restore.align import DEVICE_EDGE, ReferenceBank
from hmd_removal.restore.grid import GRID
from hmd_removal.tracking.geometry import head_pose
from hmd_removal.tracking.mesh import extend_points
from hmd_removal.tracking.reference import Reference, make_reference
from hmd_removal.tracking.track import DevicePatch

FACE = turned().astype(np.float32)  # 10 pixels a centimetre around (200, 150)
CELL = 4  # pixels


def kinds(reference: Reference) -> np.ndarray:
    """(GRID, GRID) of the picture drawn at its own face: cell (i, j) is its pixel (CELL * j, CELL * i)."""
    shape = FACE / CELL
    everywhere = torch.ones(1, 1, GRID, GRID, dtype=torch.bool)
    bank = ReferenceBank(reference, torch.device("cpu"))
    return bank.mapped([0], extend_points(shape, head_pose(shape))[None], everywhere, [0])[1][0, 0].numpy()


def picture() -> Reference:
    return make_reference([np.zeros((400, 400, 3), np.uint8)], FACE[None])


def test_a_headset_in_a_picture_is_not_the_person() -> None:
    probability = np.zeros((64, 64), np.float32)
    probability[10:20, 15:35] = 1.0
    device = DevicePatch(probability, np.array([[64 / 400, 0, 0], [0, 64 / 400, 0]]))  # over the whole picture
    bare = kinds(picture())
    found = kinds(replace(picture(), devices={0: device}))
    covered, around = np.zeros((2, GRID, GRID), bool)
    for where, reach in ((covered, 0), (around, 10 * DEVICE_EDGE + 2 * 400 / 64)):
        (top, bottom), (left, right) = (
            (np.array(span) * 400 / 64 + (-reach, reach)) / CELL for span in ((10, 20), (15, 35))
        )
        where[int(np.ceil(top)) : int(bottom), int(np.ceil(left)) : int(right)] = True
    assert bare[covered].any() and not found[covered].any()
    assert (found[~around] == bare[~around]).all()
