"""The covered-face landmarker's network and its shipped weights."""

from __future__ import annotations

import numpy as np
import torch

from hmd_removal.headset.draw import HeadsetArtist, preset
from hmd_removal.models import covered_landmarks
from hmd_removal.models.covered_landmarks import CoveredLandmarkNet, Refinement, fuse, locate
from hmd_removal.tracking.crop import Crop
from hmd_removal.tracking.geometry import eye_distance, head_pose, pose_angles
from hmd_removal.tracking.sighting import head_crop, look
from hmd_removal.tracking.track import FaceTrack, visibility_under
from hmd_removal.weights.manifest import find_weight


def test_it_is_small() -> None:
    net = CoveredLandmarkNet()
    assert sum(p.numel() for p in net.parameters()) == 4_360_889
    assert find_weight("covered_landmarks").bytes < 20e6


def test_what_it_gives_has_the_shapes_and_ranges_that_it_says() -> None:
    net = covered_landmarks.load()
    with torch.inference_mode():
        seen = net(torch.rand(2, 3, 128, 128))
    assert seen.points.shape == (2, 478, 3)
    assert seen.mask.shape == (2, 64, 64)
    assert (seen.spread[..., [0, 2]] > 0).all()
    axes = seen.pose[:, :3, :3] / torch.linalg.vector_norm(seen.pose[:, :3, :1], dim=1, keepdim=True)
    assert torch.allclose(axes.transpose(1, 2) @ axes, torch.eye(3).expand(2, 3, 3), atol=1e-4)
    assert torch.allclose(torch.linalg.det(axes), torch.ones(2), atol=1e-4)


def test_folding_the_normalisation_changes_nothing() -> None:
    torch.manual_seed(0)
    net, crops = CoveredLandmarkNet(), torch.rand(4, 3, 128, 128)
    net(crops)  # in training mode: gives the running statistics other values than 0 and 1
    with torch.inference_mode():
        before = net.eval()(crops)
        after = fuse(net)(crops)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in net.modules())
    assert torch.allclose(before.points, after.points, atol=1e-4)
    assert torch.allclose(before.mask, after.mask, atol=1e-3)


def test_a_refinement_sees_the_features_where_the_points_are_and_nothing_else() -> None:
    torch.manual_seed(0)
    refinement, code = Refinement(2, 3), torch.zeros(1, 3)
    points = torch.full((1, 478, 3), 0.75)  # all in the lower right quarter
    features = torch.zeros(1, 2, 8, 8)
    nothing = refinement(features, code, points)
    features[..., :4, :4] = 1
    elsewhere = refinement(features, code, points)
    features[..., 4:, 4:] = 1
    there = refinement(features, code, points)
    assert all(torch.equal(a, b) for a, b in zip(nothing, elsewhere, strict=True))
    assert not torch.equal(nothing[0], there[0])


def test_heat_maps_give_the_mean_place_and_its_share() -> None:
    heat = torch.full((1, 2, 4, 4), -30.0)
    heat[0, 0, 1, 2] = 30  # row 1, column 2 of 4
    heat[0, 1, 0, 0] = heat[0, 1, 0, 3] = 30
    places, shares = locate(heat)
    assert torch.allclose(places, torch.tensor([[[0.625, 0.375], [0.5, 0.125]]]), atol=1e-4)
    assert torch.allclose(shares, torch.tensor([[1.0, 0.5]]), atol=1e-4)


def test_it_sees_the_face_under_a_device_that_hides_eyes_brows_and_nose_bridge(
    talking_head: np.ndarray, talking_head_track: FaceTrack
) -> None:
    net = covered_landmarks.load()
    for name in ("quest", "psvr", "visionpro"):
        for t in (0, 24, 47):
            truth = talking_head_track[t]
            covered, mask = HeadsetArtist(preset(name)).draw(talking_head[t], truth)
            (first,) = look(net, covered, [head_crop(truth.pose)])
            (seen,) = look(net, covered, [first.crop])
            error = np.linalg.norm((seen.points - truth.points)[:, :2], axis=1) / eye_distance(truth.points)
            hidden = visibility_under(truth.points, mask) < 0.5
            assert seen.presence > 0.8
            assert error[~hidden].mean() < 0.08
            assert error[hidden].mean() < 0.12
            assert np.abs(pose_angles(seen.pose) - pose_angles(head_pose(truth.points))).max() < 10
            assert ((seen.visibility < 0.5) == hidden).mean() > 0.9


def test_a_crop_without_a_head_is_known_for_one(talking_head: np.ndarray) -> None:
    net = covered_landmarks.load()
    curtain = Crop(15, 30, 30)  # a corner of the car
    (seen,) = look(net, talking_head[0], [curtain])
    assert seen.presence < 0.5
