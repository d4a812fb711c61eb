"""The choice among a person's pictures by what is in sight around the hole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from faces_of import turned

from hmd_removal.headset.draw import HeadsetArtist, draw_headset, preset
from hmd_removal.restore import align
from hmd_removal.restore.align import NEAR, PictureChoice, ReferenceAligner, ReferenceBank, misfits, mixing_tint
from hmd_removal.restore.engine import Deoccluder
from hmd_removal.restore.grid import GRID
from hmd_removal.restore.rim import Evidence
from hmd_removal.restore.warp import WarpFiller
from hmd_removal.tracking.reference import make_reference
from hmd_removal.tracking.track import FaceTrack

HOLE = torch.zeros(1, GRID, GRID)
HOLE[:, 48:80, 32:96] = 1
FACE = torch.full((1, 1, GRID, GRID), 2, dtype=torch.uint8)


@pytest.fixture(scope="module")
def frame() -> torch.Tensor:
    """(3, GRID, GRID): something with details."""
    return torch.from_numpy(np.random.default_rng(0).uniform(0.3, 0.7, (3, GRID, GRID)).astype(np.float32))


def _picture(frame: torch.Tensor, error: float) -> torch.Tensor:
    """The frame with as much added in one half of all cells, a chessboard's, as is taken off in the other."""
    rows, columns = torch.meshgrid(torch.arange(GRID), torch.arange(GRID), indexing="ij")
    return frame + error * torch.where((rows + columns) % 2 == 1, 1.0, -1.0)


def test_misfit_is_the_rms_around_the_hole_whatever_the_light(frame: torch.Tensor) -> None:
    def found(picture: torch.Tensor, kind: torch.Tensor = FACE) -> float:
        return misfits(frame, HOLE, picture[None], kind, Evidence.none())[0][0]

    assert found(_picture(frame, 0.0)) < 0.003
    assert found(_picture(frame, 0.05)) == pytest.approx(0.05, rel=0.15)
    tinted = frame + torch.tensor((0.1, -0.05, 0.02))[:, None, None]
    assert found(_picture(tinted, 0.05)) == pytest.approx(0.05, rel=0.15)
    # Of what the hole hides nothing is known.
    assert found(torch.where(HOLE > 0, 0.0, _picture(frame, 0.05))) == pytest.approx(0.05, rel=0.15)
    # Half the details, in the right place, are nearer than all of them somewhere else, but not as near as it seems.
    blurred = frame.mean() + (frame - frame.mean()) / 2
    assert found(blurred) == pytest.approx(np.sqrt(2) * float(frame.std()) / 2, rel=0.25)
    assert np.isnan(found(frame, torch.zeros_like(FACE)))


class Pictures:
    """Stands for a bank whose pictures have given errors all over the face, and counts how often each is looked at."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, frame: torch.Tensor, errors: list[float]):
        self.errors, self.looks = errors, [0] * len(errors)
        self._frame = frame
        self.small = torch.zeros(len(errors))
        monkeypatch.setattr(align, "sampled", lambda *_: None)
        monkeypatch.setattr(align, "misfits", self._misfits)

    def __len__(self) -> int:
        return len(self.errors)

    def mapped(self, *_: object) -> tuple[torch.Tensor, None]:
        return torch.zeros(1, 2, 1, 1), None

    def shapes(self, indices: Sequence[int]) -> None:
        self._indices = list(indices)
        for i in indices:
            self.looks[i] += 1

    def _misfits(self, frame: torch.Tensor, hole: torch.Tensor, *_: object) -> tuple[list[float], Evidence]:
        kind = torch.zeros_like(FACE) if bool(hole.all()) else FACE
        pictures = torch.stack([_picture(frame, self.errors[i]) for i in self._indices])
        return misfits(frame, hole, pictures, kind.expand(len(pictures), -1, -1, -1), Evidence.none(len(pictures)))


def test_the_picture_that_fits_best_is_chosen_and_changed_for_a_clearly_better_one_alone(
    monkeypatch: pytest.MonkeyPatch, frame: torch.Tensor
) -> None:
    pictures = Pictures(monkeypatch, frame, [0.06, 0.03, 0.032])
    choice, alike = PictureChoice(pictures), np.zeros(3)

    def choose() -> list[int]:
        return choice(frame, HOLE, alike, pictures.shapes)

    assert choose() == [1, 2]
    assert pictures.looks == [1, 1, 1]
    pictures.errors[2] = 0.0298
    assert {choose()[0] for _ in range(40)} == {1}
    pictures.errors[2] = 0.015
    later = [choose()[0] for _ in range(80)]
    assert later[0] == 1 and later[-1] == 2
    assert sum(a != b for a, b in zip(later, later[1:], strict=False)) == 1


def test_pictures_of_other_poses_wait_until_the_head_turns(
    monkeypatch: pytest.MonkeyPatch, frame: torch.Tensor
) -> None:
    pictures = Pictures(monkeypatch, frame, [0.05, 0.047, 0.01])  # a turned head has to fit better
    choice = PictureChoice(pictures)
    ahead, turned_away = np.array([0.0, NEAR - 1, NEAR + 1]), np.array([40.0, 40.0, 20.0])
    assert {tuple(choice(frame, HOLE, ahead, pictures.shapes)) for _ in range(40)} == {(0, 1)}
    assert pictures.looks[2] == 1 < pictures.looks[1]
    assert [choice(frame, HOLE, turned_away, pictures.shapes) for _ in range(8)][-1] == [2]


def test_where_nothing_can_be_compared_the_nearest_pose_is_taken(
    monkeypatch: pytest.MonkeyPatch, frame: torch.Tensor
) -> None:
    pictures = Pictures(monkeypatch, frame, [0.01, 0.02, 0.03])
    choice = PictureChoice(pictures)
    assert choice(frame, torch.ones_like(HOLE), np.array([5.0, 4.0, 3.0]), pictures.shapes) == [2]


def test_the_nearest_reference_is_taken_and_kept_near_the_border() -> None:
    pictures = [np.full((300, 400, 3), value, np.uint8) for value in (40, 200)]
    points = np.stack([turned(yaw) for yaw in (0, 30)]).astype(np.float32)
    aligner = ReferenceAligner(ReferenceBank(make_reference(pictures, points), torch.device("cpu")))
    nothing, everything = torch.zeros(1, 3, GRID, GRID), torch.ones(1, 1, GRID, GRID)

    def shown(yaw: float) -> int:
        face = (turned(yaw) * (GRID / 400))[None]
        return aligner(face, np.ones((1, 478)), np.zeros((1, 478)), nothing, everything).shown[0]

    assert [shown(yaw) for yaw in (0, 16, 20, 14, 10)] == [0, 0, 1, 1, 0]


def test_the_picture_that_fits_is_shown(talking_head: np.ndarray, talking_head_track: FaceTrack) -> None:
    """Two pictures of the same moment: what a poor camera made of it, and the moment itself."""
    now = FaceTrack.stack([talking_head_track[40]], talking_head_track.size)
    truth = talking_head[40]
    (covered,), (mask,) = draw_headset(talking_head[40:41], now, HeadsetArtist(preset("quest")))
    poor = np.roll(truth // 2, 2, axis=1)

    def error(pictures: list[np.ndarray]) -> float:
        reference = make_reference(pictures, now.points[[0, 0]])
        (filled,) = Deoccluder(WarpFiller(), reference).process([covered], [mask], [now[0].covered_by(mask)])
        return float(np.abs(filled.astype(float) - truth)[mask > 0].mean())

    assert error([poor, truth]) == pytest.approx(error([truth, poor]), rel=0.02)
    assert error([poor, poor]) > error([truth, poor]) + 2


def test_what_is_coarse_is_the_mean_and_what_is_fine_stays() -> None:
    fine = _picture(torch.full((3, GRID, GRID), 0.5), 0.1)
    darker = torch.full_like(fine, 0.25)
    tint = mixing_tint(torch.stack([fine, darker]), FACE[0])
    assert (tint + 0.125).abs().max() < 0.01
    assert not mixing_tint(torch.stack([fine, fine, fine]), FACE[0]).abs().max() > 1e-6
    half = FACE[0].clone()
    half[..., GRID // 2 :] = 0
    assert not mixing_tint(torch.stack([fine, darker]), half)[..., GRID // 2 :].any()
