"""A contact sheet of people's eyes as they are moved: lids, brows, and nine directions of the gaze."""

from collections.abc import Sequence

import numpy as np
import torch

from ...driving.eye_tracking import EyeTracking
from ...restore.align import ReferenceBank
from ...restore.engine import moved_brows
from ...restore.filler import Filling
from ...restore.grid import GRID, cells
from ...restore.paste import composed
from ...tracking.reference import Reference

OPENNESS = ((1.2, 1.2), (0.75, 0.75), (0.5, 0.5), (0.25, 0.25), (0, 0), (0, 1))
BROWS = ((0.7, 0.7, 0), (0, 0, 0.7))
YAW, PITCH = (15, 0, -15), (-10, 0, 10)  # degrees: the wearer's right is left in the picture
LIDS_FOLLOW = 0.02  # of openness a degree that the eye looks down, as people's do
ACROSS, HIGH = 320, 160  # pixels a picture
WIDTH = 1.75  # of a picture, by the distance of the outer eye corners
RAISED = 0.1  # the same: how far its middle is above the eyes
CORNERS = (33, 263)


def wanted_states() -> list[EyeTracking]:
    """As it is, then lids, brows, and nine directions row by row: what is not named stays the picture's."""
    states = [EyeTracking.unknown(np.zeros(1)) for _ in range(1 + len(OPENNESS) + len(BROWS) + len(YAW) * len(PITCH))]
    rest = iter(states[1:])
    for openness in OPENNESS:
        next(rest).openness[0] = openness
    for brows in BROWS:
        next(rest).brows[0] = brows
    for pitch in PITCH:
        for yaw in YAW:
            state = next(rest)
            state.gaze[0] = np.radians([yaw, pitch])
            state.openness[0] = 1 - LIDS_FOLLOW * pitch
    return states


def eyes_sheet(people: Sequence[Reference]) -> np.ndarray:
    """(H, W, 3) uint8: two rows of nine pictures for each person, of the eyes in the first picture of each."""
    rows = []
    for person in people:
        bank = ReferenceBank(person, torch.device("cpu"))
        tiles = [_picture(bank, state) for state in wanted_states()]
        rows += [np.hstack(tiles[:9]), np.hstack(tiles[9:])]
    return np.vstack(rows)


def _picture(bank: ReferenceBank, state: EyeTracking) -> np.ndarray:
    left, right = bank.places[0, list(CORNERS)].numpy()
    centre, width = (left + right) / 2, WIDTH * np.linalg.norm(right - left)
    x, y = ((np.arange(count) + 0.5) / ACROSS - count / ACROSS / 2 for count in (ACROSS, HIGH))
    where = np.stack(np.meshgrid(x, y - RAISED / WIDTH), -1) * width + centre
    where = torch.from_numpy(where[None]).float()
    whole = cells(GRID, where.device).permute(0, 3, 1, 2)
    places = moved_brows(whole, bank.brows(0, state, 0), torch.ones(1, 1, GRID, GRID))
    nothing = torch.zeros(1, 3, 1, 1)
    known = torch.ones(1, 1, GRID, GRID)
    filling = Filling(nothing, (0,), places, known, nothing, eyes=(bank.eyes(0, state, 0),))
    picture = composed(filling, where, bank.sharp(0, ACROSS / 20))[0].permute(1, 2, 0)
    return (picture.numpy() * 255).round().astype(np.uint8)
