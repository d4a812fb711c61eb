"""The expression classifier, on real faces."""

from __future__ import annotations

import pytest
import torch
from skimage import data

from hmd_removal.faces.detector import MediaPipeDetector
from hmd_removal.faces.track import FaceTrack
from hmd_removal.models.face_expression import LABELS, FaceExpression
from hmd_removal.models.weights import WeightsMissing
from hmd_removal.training.losses import face_squares


@pytest.fixture(scope="module")
def network() -> FaceExpression:
    try:
        return FaceExpression.pretrained()
    except WeightsMissing as missing:
        pytest.skip(str(missing))


def test_it_has_the_parameters_of_the_published_model(network: FaceExpression) -> None:
    """329,468 bytes: one a weight, four a bias."""
    biases = sum(p.numel() for p in network.parameters() if p.ndim == 1)
    assert sum(p.numel() for p in network.parameters()) + 3 * biases == 329_468


def test_a_smile_is_a_smile(network: FaceExpression) -> None:
    photo = data.astronaut()
    with MediaPipeDetector(still=True) as detector:
        points = torch.from_numpy(detector.detect(photo)[0].points)[None]
    frame = torch.from_numpy(photo.copy()).permute(2, 0, 1)[None].float() / 255
    chances = network(face_squares(frame, points))[0]
    assert LABELS[int(chances.argmax())] == "happy" and chances.max() > 0.9
    assert chances.sum().item() == pytest.approx(1)


def test_a_man_who_talks_does_not_smile(network: FaceExpression, talking_head, talking_head_track: FaceTrack) -> None:
    frames = torch.from_numpy(talking_head[:4].copy()).permute(0, 3, 1, 2).float() / 255
    chances = network(face_squares(frames, torch.from_numpy(talking_head_track.points[:4])))
    assert (chances[:, LABELS.index("happy")] < 0.5).all()
