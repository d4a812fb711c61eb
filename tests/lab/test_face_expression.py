"""The expression classifier, on real faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data
from torchvision.models import efficientnet_b0

from hmd_removal.errors import InputError
from hmd_removal.lab.networks.face_expression import LABELS, FaceExpression, SuppliedExpression, face_squares
from hmd_removal.lab.training.losses import InpaintingLosses
from hmd_removal.tracking.detector import MediaPipeDetector
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


def test_a_face_square_shows_the_face_and_a_tenth_more_on_each_side() -> None:
    picture = torch.zeros(1, 3, 100, 200)
    picture[..., 30:71, 120:161] = 1  # pixels whose middles are from 120 to 160 and from 30 to 70
    points = torch.tensor([[[120.0, 30.0], [160.0, 70.0], [140.0, 50.0]]])
    square = face_squares(picture, points, side=48)[0, 0]  # 40 pixels and a fifth: each pixel is one of the picture's
    rows, columns = np.flatnonzero(square[24] > 0.5), np.flatnonzero(square[:, 24] > 0.5)
    for inside in (rows, columns):
        assert list(inside[[0, -1]]) == [4, 44] or list(inside[[0, -1]]) == [3, 43]
    assert square.sum() == pytest.approx(41 * 41, rel=0.01)


@pytest.fixture(scope="module")
def supplied(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, torch.nn.Module]:
    """An EfficientNet-B0 of eight classes, as the paper's, with random weights, and its file."""
    torch.manual_seed(0)
    network = efficientnet_b0(num_classes=8).eval()
    path = tmp_path_factory.mktemp("expression") / "enet_b0_8.ts"
    torch.jit.trace(network, torch.rand(1, 3, 224, 224)).save(path)
    return path, network


def test_a_classifier_can_be_supplied_and_gradients_pass_through_it(supplied: tuple[Path, torch.nn.Module]) -> None:
    path, network = supplied
    classifier = SuppliedExpression(path)
    faces = torch.rand(2, 3, 224, 224, requires_grad=True)
    found = classifier(faces)
    mean, spread = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    expected = network((faces - mean[:, None, None]) / spread[:, None, None]).softmax(1)
    assert classifier.NAME == "enet_b0_8.ts" and torch.allclose(found, expected, atol=1e-5)
    found[:, 0].sum().backward()
    assert faces.grad.abs().sum() > 0 and not any(p.requires_grad for p in classifier.parameters())


def test_other_files_are_no_classifiers(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Expected a TorchScript file"):
        SuppliedExpression(tmp_path / "none.ts")
    (tmp_path / "text.ts").write_text("no network")
    with pytest.raises(InputError, match="Expected a TorchScript file"):
        SuppliedExpression(tmp_path / "text.ts")
    torch.jit.trace(torch.nn.Conv2d(3, 2, 3), torch.rand(1, 3, 224, 224)).save(tmp_path / "maps.ts")
    with pytest.raises(InputError, match=r"gives \(N, classes\)"):
        SuppliedExpression(tmp_path / "maps.ts")


def test_the_losses_name_the_classifier_that_they_use(
    supplied: tuple[Path, torch.nn.Module], network: FaceExpression
) -> None:
    path, _ = supplied
    assert InpaintingLosses(SuppliedExpression(path)).expression.NAME == "enet_b0_8.ts"
    assert "face-api" in InpaintingLosses().expression.NAME
