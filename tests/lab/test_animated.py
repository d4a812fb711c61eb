"""A driven picture beside H.264."""

import numpy as np

from hmd_removal.lab.evaluation.animated import SIDE, Truth, _as_good, _coded, _head
from hmd_removal.tracking.track import FaceTrack


def test_fewer_bytes_of_h264_are_farther_from_the_truth(
    talking_head: np.ndarray, talking_head_track: FaceTrack
) -> None:
    frames = np.stack([np.kron(frame[:128, :128], np.ones((3, 3, 1), np.uint8)) for frame in talking_head[:6]])
    assert frames.shape[1] == SIDE
    truth = Truth(frames, talking_head_track, 25.0)
    (good, much), (bad, little) = (_coded(truth, *way) for way in ((28, 1), (51, 4)))
    errors = [np.abs(shown.astype(int) - frames).mean() for shown in (good, bad)]
    assert good.shape == frames.shape and much > 4 * little and errors[0] < errors[1]


def test_h264_that_is_nowhere_as_good_says_so(talking_head: np.ndarray, talking_head_track: FaceTrack) -> None:
    frames = np.stack([np.kron(frame[:128, :128], np.ones((3, 3, 1), np.uint8)) for frame in talking_head[:3]])
    truth = Truth(frames, talking_head_track, 25.0)
    errors: list[float] = []

    def good(shown: np.ndarray) -> bool:
        errors.append(np.abs(shown.astype(int) - frames).mean())
        return len(errors) == 2

    assert _as_good(truth, good)[0] == "H.264, crf 44, 1/4 size"
    way, shown, _ = _as_good(truth, lambda _: False)
    assert way == "H.264, crf 28, 1/1 size (not as good yet)"
    assert np.abs(shown.astype(int) - frames).mean() < min(errors)


def test_the_heads_region_holds_the_face(talking_head_track: FaceTrack) -> None:
    points = talking_head_track.points[0]
    x, y = points[:468, :2].round().astype(int).T
    assert _head(points, talking_head_track.size)[y, x].all()
