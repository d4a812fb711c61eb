"""A shaky track gets steady: without trailing, without pumping, with a mouth that keeps up."""

from dataclasses import replace

import numpy as np
import pytest
from faces_of import posed_face, turned

from hmd_removal.lab.tracking.steadiness import jitter, lag
from hmd_removal.tracking.geometry import EYES_AND_BROWS, head_pose, pose_angles, pose_scale
from hmd_removal.tracking.smoothing import FaceSmoother
from hmd_removal.tracking.track import FrameStatus, TrackedFace

EYES = 90.0  # pixels, about, between the outer corners of the eyes of test_pose.turned
LIPS = (13, 14)


def tracked(points: np.ndarray, deviation: float = 5.0) -> TrackedFace:
    """A face in sight but for the eyes and brows, which are five times as uncertain as the rest."""
    visibility, deviations = np.ones(478, np.float32), np.full(478, deviation, np.float32)
    visibility[list(EYES_AND_BROWS)] = 0
    deviations[list(EYES_AND_BROWS)] *= 5
    return TrackedFace(points.astype(np.float32), FrameStatus.FOUND, visibility, head_pose(points), deviations)


def moving(count: int) -> np.ndarray:
    """(count, 478, 3): a head that sways and nods."""
    t = np.arange(count)
    return np.stack(
        [
            turned(15 * np.sin(k / 13), 8 * np.sin(k / 9), 5 * np.sin(k / 15))
            + (40 * np.sin(k / 14), 15 * np.cos(k / 11), 0)
            for k in t
        ]
    )


def shaken(points: np.ndarray, seed: int = 0) -> np.ndarray:
    """As a landmarker shakes: the whole face in place, size and rotation, and each point a little by itself."""
    rng = np.random.default_rng(seed)
    out = []
    for p in points:
        yaw, pitch, roll = rng.normal(scale=0.6, size=3)
        turn = head_pose(turned(yaw, pitch, roll))[:3, :3] / 10 * np.exp(rng.normal(scale=0.01))
        out.append((p - p.mean(0)) @ turn.T + p.mean(0) + (*rng.normal(scale=0.6, size=2), 0))
    return np.stack(out) + rng.normal(scale=0.2, size=points.shape)


def smoothed(points: np.ndarray) -> list[TrackedFace]:
    smoother = FaceSmoother()
    return [smoother.push(tracked(p)) for p in points]


def test_a_track_without_deviation_comes_back_as_it_is():
    smoother = FaceSmoother()
    for face in (posed_face(yaw) for yaw in (0, 3, 9, -5)):
        assert smoother.push(face) is face


def test_shaking_stops_and_motion_is_followed_without_delay():
    truth = moving(200)
    raw = shaken(truth)
    out = np.stack([f.points for f in smoothed(raw)])
    assert jitter(out, EYES) < 0.6 * jitter(raw, EYES)
    assert abs(lag(out, truth)) < 0.5
    error = [np.linalg.norm((p - truth)[..., :2], axis=2)[20:].mean() for p in (raw, out)]
    assert error[1] < 0.9 * error[0]


def test_size_does_not_pump_nor_the_head_shake():
    still = np.stack([turned(10)] * 150)
    raw, out = shaken(still), smoothed(shaken(still))
    poses = np.stack([head_pose(p) for p in raw]), np.stack([f.pose for f in out])
    sizes = [np.diff([np.log(pose_scale(pose)) for pose in track], n=2).std() for track in poses]
    assert sizes[1] < 0.15 * sizes[0]
    before, after = (np.diff(pose_angles(track), n=2, axis=0).std(0) for track in poses)
    assert (after < 0.35 * before).all()


def test_the_mouth_opens_at_once_and_hidden_brows_hardly_move():
    shut, opened = turned(), turned()
    opened[LIPS[1], 1] += 10
    opened[list(EYES_AND_BROWS), 1] -= 10
    out = smoothed(np.stack([shut] * 20 + [opened] * 3))[-1].points - shut
    assert out[LIPS[1], 1] > 8
    assert np.abs(out[list(EYES_AND_BROWS), 1]).max() < 2


def test_what_is_in_sight_does_not_flicker():
    smoother = FaceSmoother()
    for k in range(30):
        face = tracked(turned())
        face.visibility[61] = k % 2
        out = smoother.push(face)
    assert 0.3 < out.visibility[61] < 0.7


def test_the_present_does_not_depend_on_the_future():
    raw = shaken(moving(40))
    whole, part = smoothed(raw), smoothed(raw[:25])
    assert all((a.points == b.points).all() for a, b in zip(whole, part, strict=False))


@pytest.mark.parametrize("jump", [(90, 0, 0), (0, -70, 0)])
def test_a_jump_starts_anew(jump):
    smoother = FaceSmoother()
    for p in shaken(np.stack([turned()] * 20)):
        smoother.push(tracked(p))
    elsewhere = tracked(turned() + jump)
    assert smoother.push(elsewhere).points == pytest.approx(elsewhere.points, abs=1e-3)


def test_a_missing_face_is_left_alone_and_forgotten():
    smoother = FaceSmoother()
    smoother.push(tracked(turned()))
    missing = replace(tracked(turned()), status=FrameStatus.MISSING)
    assert smoother.push(missing) is missing
    after = tracked(turned(8) + 3)
    assert smoother.push(after).points == pytest.approx(after.points, abs=1e-3)
