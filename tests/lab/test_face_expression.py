"""The expression classifier, on real faces."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import pytest
import torch
from skimage import data

from hmd_removal.lab.networks.face_expression import LABELS, FaceExpression, face_squares
from hmd_removal.tracking.heads import HeadDetector
from hmd_removal.tracking.track import FaceTrack
from hmd_removal.weights import WeightsMissing


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
    with closing(HeadDetector("uncovered")) as detector:
        points = torch.from_numpy(detector.detect(photo)[0].points)[None]
    frame = torch.from_numpy(photo.copy()).permute(2, 0, 1)[None].float() / 255
    chances = network(face_squares(frame, points))[0]
    assert LABELS[int(chances.argmax())] == "happy" and chances.max() > 0.9
    assert chances.sum().item() == pytest.approx(1)


def test_a_man_who_talks_does_not_smile(network: FaceExpression, talking_head, talking_head_track: FaceTrack) -> None:
    frames = torch.from_numpy(talking_head[:4].copy()).permute(0, 3, 1, 2).float() / 255
    chances = network(face_squares(frames, torch.from_numpy(talking_head_track.points[:4])))
    assert (chances[:, LABELS.index("happy")] < 0.5).all()


def test_a_face_square_shows_the_face_and_a_tenth_more_on_each_side() -> None:
    picture = torch.zeros(1, 3, 100, 200)
    picture[..., 30:71, 120:161] = 1  # pixels whose middles are from 120 to 160 and from 30 to 70
    points = torch.tensor([[[120.0, 30.0], [160.0, 70.0], [140.0, 50.0]]])
    square = face_squares(picture, points, side=48)[0, 0]  # 40 pixels and a fifth: each pixel is one of the picture's
    rows, columns = np.flatnonzero(square[24] > 0.5), np.flatnonzero(square[:, 24] > 0.5)
    for inside in (rows, columns):
        assert list(inside[[0, -1]]) == [4, 44] or list(inside[[0, -1]]) == [3, 43]
    assert square.sum() == pytest.approx(41 * 41, rel=0.01)
