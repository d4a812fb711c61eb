"""The choice among a person's pictures by what is in sight around the hole."""

from __future__ import annotations

import numpy as np
import pytest

from hmd_removal.headset.draw import HeadsetArtist, draw_headset, preset
from hmd_removal.restore.align import NEAR, SIDE, PictureChoice, ReferenceAligner, coarsely_mixed, misfit
from hmd_removal.tracking.reference import make_reference
from hmd_removal.tracking.track import FaceTrack

HOLE = np.zeros((SIDE, SIDE), np.uint8)
HOLE[48:80, 32:96] = 1


@pytest.fixture(scope="module")
def frame() -> np.ndarray:
    """(SIDE, SIDE, 3) float32: something with details."""
    return np.random.default_rng(0).uniform(0.3, 0.7, (SIDE, SIDE, 3)).astype(np.float32)


def _picture(frame: np.ndarray, error: float) -> np.ndarray:
    """The frame with as much added in one half of all pixels, a chessboard's, as is taken off in the other."""
    rows, columns = np.indices(frame.shape[:2])
    sign = np.where((rows + columns) % 2, 1.0, -1.0)[..., None]
    return np.round(255 * (frame + error * sign)).astype(np.uint8)


class Pictures:
    """Draws pictures of given errors all over the face, and counts how often."""

    def __init__(self, frame: np.ndarray, errors: list[float]):
        self._frame, self.errors, self.looks = frame, errors, [0] * len(errors)

    def __call__(self, i: int, region: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.looks[i] += 1
        return _picture(self._frame, self.errors[i]), region * np.uint8(2)


def test_misfit_is_the_rms_around_the_hole_whatever_the_light(frame: np.ndarray) -> None:
    def found(picture: np.ndarray) -> float:
        return misfit(frame, HOLE, lambda region: (picture, region * np.uint8(2)))[0]

    assert found(_picture(frame, 0.0)) < 0.003
    assert found(_picture(frame, 0.05)) == pytest.approx(0.05, rel=0.15)
    assert found(_picture(frame + np.float32((0.1, -0.05, 0.02)), 0.05)) == pytest.approx(0.05, rel=0.15)
    other = _picture(frame, 0.0)
    inside = np.where(HOLE[..., None] > 0, np.uint8(0), other)
    assert found(inside) == pytest.approx(found(other), rel=1e-3)  # of what the hole hides nothing is known
    # Half the details, in the right place, are nearer than all of them somewhere else, but not as near as it seems.
    blurred = _picture(frame.mean() + (frame - frame.mean()) / 2, 0.0)
    spread = float(frame.std())
    assert found(blurred) == pytest.approx(np.sqrt(2) * spread / 2, rel=0.25)
    nothing, _ = misfit(frame, HOLE, lambda region: (other, np.zeros_like(HOLE)))
    assert np.isnan(nothing)


def test_the_picture_that_fits_best_is_chosen_and_changed_for_a_clearly_better_one_alone(frame: np.ndarray) -> None:
    pictures, choice = Pictures(frame, [0.06, 0.03, 0.032]), PictureChoice(3)
    alike = np.zeros(3)
    assert choice(frame, HOLE, alike, pictures) == [1, 2]
    assert pictures.looks == [1, 1, 1]
    pictures.errors[2] = 0.0298
    assert {choice(frame, HOLE, alike, pictures)[0] for _ in range(80)} == {1}
    pictures.errors[2] = 0.015
    later = [choice(frame, HOLE, alike, pictures)[0] for _ in range(80)]
    assert later[0] == 1 and later[-1] == 2
    assert sum(a != b for a, b in zip(later, later[1:], strict=False)) == 1


def test_pictures_of_other_poses_wait_until_the_head_turns(frame: np.ndarray) -> None:
    pictures, choice = Pictures(frame, [0.05, 0.047, 0.01]), PictureChoice(3)  # a turned head has to fit better
    ahead, turned = np.array([0.0, NEAR - 1, NEAR + 1]), np.array([40.0, 40.0, 20.0])
    assert {tuple(choice(frame, HOLE, ahead, pictures)) for _ in range(40)} == {(0, 1)}
    assert pictures.looks[2] == 1 < pictures.looks[1]
    assert [choice(frame, HOLE, turned, pictures) for _ in range(8)][-1] == [2]


def test_where_nothing_can_be_compared_the_nearest_pose_is_taken(frame: np.ndarray) -> None:
    pictures = Pictures(frame, [0.01, 0.02, 0.03])
    assert PictureChoice(3)(frame, np.ones_like(HOLE), np.array([5.0, 4.0, 3.0]), pictures) == [2]


def test_the_aligner_shows_the_picture_that_fits(talking_head: np.ndarray, talking_head_track: FaceTrack) -> None:
    """Two pictures of the same moment: what a poor camera made of it, and the moment itself."""
    cut = np.s_[:, 16:160]  # a square
    now = FaceTrack.stack([talking_head_track[40]], talking_head_track.size)
    (whole,), (mask,) = draw_headset(talking_head[40:41], now, HeadsetArtist(preset("quest")))
    truth, covered, hole = (np.ascontiguousarray(x[cut]) for x in (talking_head[40], whole, (mask > 0.5) * np.uint8(1)))
    face = now[0].covered_by(mask)
    points = face.points - np.float32((16, 0, 0))
    poor = np.roll(truth // 2, 2, axis=1)

    seen, unseen = (covered, hole), (covered, np.ones_like(hole))

    def error(pictures: list[np.ndarray], covered: tuple[np.ndarray, np.ndarray]) -> float:
        aligner = ReferenceAligner(make_reference(pictures, points[None].repeat(2, 0)))
        picture, kind = aligner(points, face.visibility, hole > 0, covered)
        return float(np.abs(picture.astype(float) - truth)[kind == 2].mean())

    assert error([poor, truth], seen) == error([truth, poor], seen) == error([truth, poor], unseen)
    assert error([poor, truth], unseen) > error([truth, poor], unseen) + 20


def test_what_is_coarse_is_the_mean_and_what_is_fine_stays(frame: np.ndarray) -> None:
    fine = _picture(np.full_like(frame, 0.5), 0.1)
    darker = np.full_like(fine, 64)
    everywhere = np.full_like(HOLE, 2)
    mixed = coarsely_mixed(fine, everywhere, [(darker, everywhere)])
    assert np.abs(mixed.astype(float) - fine.mean() / 2 - 32 - (fine - fine.mean())).max() < 3
    half = everywhere * (np.arange(SIDE) < SIDE // 2).astype(np.uint8)
    mixed = coarsely_mixed(fine, everywhere, [(darker, half)])  # where one shows nothing the others go on
    assert np.array_equal(mixed[:, SIDE * 3 // 4 :], fine[:, SIDE * 3 // 4 :]) and mixed[:, : SIDE // 4].mean() < 110
    assert np.array_equal(coarsely_mixed(fine, everywhere, [(fine, everywhere)] * 2), fine)
    assert not coarsely_mixed(fine, half, [(darker, everywhere)])[:, SIDE // 2 :].any()
