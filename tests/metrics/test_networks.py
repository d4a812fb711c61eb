"""LPIPS and identity in the report: with the real weights where they are at hand, and without them."""

from pathlib import Path

import av
import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool2d

from hmd_removal import weights
from hmd_removal.metrics.identity import identity_cosine
from hmd_removal.metrics.perceptual import lpips
from hmd_removal.metrics.report import compute_metrics
from hmd_removal.models.face_embedding import FaceEmbedding
from hmd_removal.models.lpips import LPIPS
from hmd_removal.weights import WeightsMissing

BOX = (slice(40, 70), slice(50, 120))  # rows and columns over the driver's eyes
# Corners of the eyes and base of the nose in the first frame, under their numbers in MediaPipe's mesh.
FACE = {33: (72.5, 62.0), 133: (80.5, 61.0), 362: (93.5, 57.0), 263: (102.0, 56.0), 2: (90.5, 70.5)}


@pytest.fixture(scope="module")
def truth(carphone: Path) -> torch.Tensor:
    """The first frame of the carphone clip, twice (2,144,176,3)."""
    with av.open(str(carphone)) as video:
        frame = next(video.decode(video=0)).to_ndarray(format="rgb24")
    return torch.from_numpy(np.stack([frame, frame])).float() / 255


@pytest.fixture(scope="module")
def points() -> torch.Tensor:
    points = torch.zeros(2, 478, 3)
    for number, position in FACE.items():
        points[:, number, :2] = torch.tensor(position)
    return points


@pytest.fixture(scope="module")
def mask() -> torch.Tensor:
    mask = torch.zeros(1, 144, 176)
    mask[0][BOX] = 1
    return mask


@pytest.fixture(scope="module")
def damaged(truth: torch.Tensor) -> torch.Tensor:
    """Frame 0 with the eyes blurred, frame 1 with a grey box over them."""
    blurred = avg_pool2d(truth.permute(0, 3, 1, 2), 5, 1, 2, count_include_pad=False).permute(0, 2, 3, 1)
    damaged = truth.clone()
    damaged[0][BOX] = blurred[0][BOX]
    damaged[1][BOX] = 0.5
    return damaged


def pretrained(network: type) -> torch.nn.Module:
    try:
        return network.pretrained()
    except WeightsMissing as missing:
        pytest.skip(str(missing))


def test_lpips_of_equal_frames_is_zero_and_grows_with_the_damage(truth, damaged, mask):
    network, hole = pretrained(LPIPS), mask.expand(2, -1, -1) > 0.5
    assert [score.tolist() for score in lpips(network, truth, truth, hole)] == [[0, 0], [0, 0]]
    assert lpips(network, truth, truth)[1] is None
    blurred, boxed = lpips(network, damaged, truth)[0].tolist()
    assert 0.01 < blurred < boxed
    in_hole = lpips(network, damaged, truth, hole)[1]
    assert in_hole[0] < in_hole[1]
    assert (in_hole > torch.tensor([blurred, boxed])).all()  # the damage is there and not elsewhere


def test_a_covered_face_loses_its_identity(truth, damaged, points):
    network = pretrained(FaceEmbedding)
    blurred, boxed = identity_cosine(network, damaged, truth, points).tolist()
    assert boxed < blurred < 1


def test_identity_is_one_for_equal_frames_and_undefined_without_points(truth, points):
    """Holds for any weights, so for untrained ones."""
    network = FaceEmbedding().eval().requires_grad_(False)
    gap = points.clone()
    gap[1] = torch.nan
    cosine = identity_cosine(network, truth, truth, gap)
    assert cosine[0].item() == pytest.approx(1, abs=1e-5)
    assert cosine[1].isnan()


def test_the_report_carries_the_values_of_both_networks(truth, damaged, points, mask):
    networks = pretrained(LPIPS), pretrained(FaceEmbedding)
    report = compute_metrics(damaged, truth, mask, points=points.numpy())
    hole = mask.expand(2, -1, -1) > 0.5
    expected = {
        "lpips": lpips(networks[0], damaged, truth)[0],
        "hole_lpips": lpips(networks[0], damaged, truth, hole)[1],
        "identity": identity_cosine(networks[1], damaged, truth, points),
    }
    for name, values in expected.items():
        np.testing.assert_allclose(report.per_frame[name], values, atol=1e-5, err_msg=name)
        assert report.mean[name] == pytest.approx(values.mean().item(), abs=1e-5)
    assert report.not_computed == {}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_networks_give_the_same_on_another_device(truth, damaged, points, mask):
    for network in (LPIPS, FaceEmbedding):
        pretrained(network)
    expected = compute_metrics(damaged, truth, mask, points=points)
    report = compute_metrics(damaged, truth, mask, points=points, device="cuda")
    assert report.mean == pytest.approx(expected.mean, rel=1e-2)


def test_missing_weights_are_reported_in_their_own_words_and_never_replaced(truth, damaged, points, mask, monkeypatch):
    def missing(name: str) -> dict[str, torch.Tensor]:
        raise WeightsMissing(f"The weights {name} are not at hand.")

    monkeypatch.setattr(weights, "load_state", missing)
    report = compute_metrics(damaged, truth, mask, points=points)
    assert report.not_computed == {
        "lpips": "The weights lpips_alex are not at hand.",
        "hole_lpips": "The weights lpips_alex are not at hand.",
        "identity": "The weights face_embedding are not at hand.",
    }
    assert report.mean.keys() >= {"psnr", "hole_psnr", "ssim", "hole_ssim", "temporal", "seam"}


def test_weights_that_are_not_needed_are_not_asked_for(truth, points, mask, monkeypatch):
    monkeypatch.setattr(weights, "load_state", pytest.fail)
    report = compute_metrics(truth[:, :24], truth[:, :24], mask[:, :24], networks=True)
    assert "at least 32x32" in report.not_computed["lpips"]
    assert "No face landmarks" in report.not_computed["identity"]


def test_a_clip_without_any_face_has_no_identity(truth, points, mask, monkeypatch):
    monkeypatch.setattr(weights, "load_state", lambda name: FaceEmbedding().state_dict())
    report = compute_metrics(truth[:, :24], truth[:, :24], None, points=points * torch.nan)
    assert report.not_computed["identity"] == "No frame of the truth has face landmarks."
