"""The reference moved to where the rim of the hole says that it belongs."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from skimage import data

from hmd_removal.restore import rim, warp
from hmd_removal.restore.engine import deocclude_clip
from hmd_removal.restore.grid import GRID, moved
from hmd_removal.restore.rim import Evidence
from hmd_removal.tracking.follow import track_clip
from hmd_removal.tracking.reference import make_reference
from hmd_removal.tracking.track import FaceTrack

SIDE = GRID
EVERYWHERE = np.ones((SIDE, SIDE), bool)


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    """(SIDE, SIDE, 3) float32, a face in the middle."""
    picture = data.astronaut()[:256, 96:352].astype(np.float32) / 255
    return cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="module")
def hole() -> np.ndarray:
    picture = np.zeros((SIDE, SIDE), np.uint8)
    picture[40:70, 35:95] = 1
    return picture


def shifted(picture: np.ndarray, x: float, y: float, zoom: float = 1.0) -> np.ndarray:
    """Moved right and down by so many cells, and enlarged about the hole's middle."""
    middle = np.array([64.5, 54.5])
    matrix = np.column_stack([zoom * np.eye(2), (x, y) + (1 - zoom) * middle])
    return cv2.warpAffine(picture, matrix, (SIDE, SIDE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def covered(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    return np.where(hole[..., None] > 0, np.float32(0.1), picture)


def registered(
    frame: np.ndarray,
    picture: np.ndarray,
    hole: np.ndarray,
    shown: np.ndarray,
    before: Evidence | None,
    pace: float = 1.0,
) -> tuple[np.ndarray, Evidence]:
    """The picture moved to meet one frame."""
    frames, pictures = (torch.from_numpy(x.astype(np.float32)).permute(2, 0, 1)[None] for x in (frame, picture))
    holes, kind = (torch.from_numpy(x.astype(np.float32))[None, None] for x in (hole, shown))
    steps, evidence = rim.registered(*(x[None] for x in (frames, pictures, holes, kind)), before, pace)
    return moved(pictures, steps[0])[0].permute(1, 2, 0).numpy(), evidence


@pytest.mark.parametrize(("x", "y"), [(0.75, 0.0), (-0.35, 1.0), (0.0, -1.5)])
def test_a_displacement_is_found_beside_the_hole_whatever_the_light(
    portrait: np.ndarray, hole: np.ndarray, x: float, y: float
) -> None:
    tinted = 0.9 * shifted(portrait, x, y) + (0.05, 0.0, -0.02)
    _, evidence = registered(covered(portrait, hole), tinted.astype(np.float32), hole, EVERYWHERE, None)
    # What the frame shows at a place lies (x, y) further on in the reference.
    assert np.allclose(SIDE * evidence.displacement[0, :, 0], (x, y), atol=0.125)


def test_a_wrong_size_is_found_as_well(portrait: np.ndarray, hole: np.ndarray) -> None:
    _, evidence = registered(covered(portrait, hole), shifted(portrait, 0, 0, 1.02), hole, EVERYWHERE, None)
    across, down = evidence.displacement[0]  # of 2 % at a quarter of the side: 0.005 sides
    assert across[1] == pytest.approx(0.005, abs=0.001) and down[2] == pytest.approx(0.005, abs=0.001)
    assert abs(across[2]) < 0.001 and abs(down[1]) < 0.001


def test_inside_the_hole_the_reference_moves_by_more_than_at_the_rim(
    monkeypatch: pytest.MonkeyPatch, portrait: np.ndarray, hole: np.ndarray
) -> None:
    """Such is the error of a mesh that holds on to the visible points."""
    rows, columns = np.indices((SIDE, SIDE), np.float32)
    inside = cv2.GaussianBlur(np.where(hole > 0, 1.0, 0.4).astype(np.float32), (0, 0), 4)
    reference = cv2.remap(portrait, columns, rows - 1.5 * inside, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    moved, _ = registered(covered(portrait, hole), reference, hole, EVERYWHERE, None)
    before, after = (np.square((picture - portrait)[hole > 0]).mean() for picture in (reference, moved))
    assert after < 0.2 * before
    monkeypatch.setattr(rim, "GAIN", 1.0)
    timid, _ = registered(covered(portrait, hole), reference, hole, EVERYWHERE, None)
    assert after < 0.5 * np.square((timid - portrait)[hole > 0]).mean()


def test_a_reference_that_fits_or_shows_nothing_beside_the_hole_stays(portrait: np.ndarray, hole: np.ndarray) -> None:
    fits, _ = registered(covered(portrait, hole), portrait, hole, EVERYWHERE, None)
    assert np.abs(fits - portrait).mean() < 1e-3
    other = shifted(portrait, 2, 2)
    stays, evidence = registered(covered(portrait, hole), other, hole, hole > 0, None)
    assert np.allclose(stays, other, atol=1e-4) and not evidence.information.any()


def test_frames_are_averaged_and_old_ones_forgotten(portrait: np.ndarray, hole: np.ndarray) -> None:
    frame, evidence = covered(portrait, hole), None
    found = []
    for reference in [shifted(portrait, 1, 0)] * 4 + [shifted(portrait, -1, 0)] * 20:
        _, evidence = registered(frame, reference, hole, EVERYWHERE, evidence)
        found.append(SIDE * evidence.displacement[0, 0, 0])
    assert found[3] == pytest.approx(1, abs=0.125)
    assert all(a > b - 0.025 for a, b in zip(found[3:], found[4:], strict=False))  # no jump, and one way
    assert 0 < found[4] < 1 and found[-1] < -0.6


@pytest.mark.parametrize("fps", [8, 240])
def test_old_frames_are_forgotten_in_as_many_seconds_whatever_the_frame_rate(
    portrait: np.ndarray, hole: np.ndarray, fps: int
) -> None:
    def after(rate: float) -> float:
        """Where the reference belongs after a quarter of a second in which it belonged elsewhere, from a second on."""
        frame, evidence, pace = covered(portrait, hole), None, 25 / rate
        for reference, seconds in ((shifted(portrait, 1, 0), 1.0), (shifted(portrait, -1, 0), 0.25)):
            for _ in range(round(seconds * rate)):
                _, evidence = registered(frame, reference, hole, EVERYWHERE, evidence, pace)
        return float(SIDE * evidence.displacement[0, 0, 0])

    assert after(fps) == pytest.approx(after(25), abs=0.2)


def test_what_is_not_certain_moves_less_and_never_far() -> None:
    certain, vague, much = (
        Evidence(scale * np.eye(6)[None], by * np.ones((1, 6)), np.ones(1, bool))
        for scale, by in ((1e7, 1e5), (1e3, 10.0), (1e7, 1e7))
    )
    assert np.allclose(certain.displacement, 0.01, rtol=0.01) and (vague.displacement < 0.002).all()
    assert much.displacement.max() == rim.FARTHEST


def test_the_eyes_of_a_wearer_come_nearer_to_the_truth(
    monkeypatch: pytest.MonkeyPatch,
    wearer: tuple[np.ndarray, np.ndarray],
    talking_head: np.ndarray,
    talking_head_track: FaceTrack,
) -> None:
    frames, masks = wearer
    reference = make_reference([talking_head[0]], talking_head_track.points[:1])
    track = track_clip(frames, frames.shape[1:3], masks=masks, reference=reference)
    clip = torch.from_numpy(frames).float() / 255, torch.from_numpy(masks).float(), track, reference

    def error() -> float:
        result = deocclude_clip(*clip, method="warp").numpy()
        return float(np.square(result - talking_head / np.float32(255))[masks > 0].mean())

    with_it = error()
    monkeypatch.setattr(warp, "registered", lambda frames, *_: (torch.zeros_like(frames[:, :, :2]), None))
    assert with_it < 0.98 * error()


def test_scenes_looked_at_together_are_as_those_looked_at_alone(portrait: np.ndarray, hole: np.ndarray) -> None:
    """Also where one of them has begun before, and one shows next to nothing beside its hole."""

    def one(x: float, shown: np.ndarray) -> tuple[torch.Tensor, ...]:
        pictures = (covered(portrait, hole), shifted(portrait, x, 0.4))
        frame, picture = (torch.from_numpy(p.astype(np.float32)).permute(2, 0, 1)[None, None] for p in pictures)
        return frame, picture, *(torch.from_numpy(m.astype(np.float32))[None, None, None] for m in (hole, shown))

    scenes = [one(0.7, EVERYWHERE), one(-0.5, EVERYWHERE), one(0.2, hole > 0)]
    befores = [Evidence.none(), rim.registered(*scenes[0], None)[1], Evidence.none()]
    alone = [rim.registered(*scene, before) for scene, before in zip(scenes, befores, strict=True)]
    steps, evidence = rim.registered(*(torch.cat(x) for x in zip(*scenes, strict=True)), Evidence.joined(befores))
    for k, (its_steps, its_evidence) in enumerate(alone):
        assert torch.allclose(steps[k], its_steps[0], atol=1e-5)
        assert np.allclose(evidence.of(k).information, its_evidence.information, rtol=1e-3, atol=1.0)
