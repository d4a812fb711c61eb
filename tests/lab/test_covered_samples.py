"""Training samples of the covered-face landmarker."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from hmd_removal.headset.draw import HeadsetArtist, preset
from hmd_removal.lab.data.face_store import SIDE, FaceStore, cut
from hmd_removal.lab.training.covered_samples import (
    EXPRESSIONS,
    CoveredSamples,
    Placement,
    SampleMaker,
    Scene,
    expressions,
    face_shapes,
    framed,
    mirror,
    view,
)
from hmd_removal.models.covered_landmarks import CROP_CENTIMETRES, CROP_CENTRE, INPUT_SIDE
from hmd_removal.tracking.geometry import head_pose, pose_angles, transform
from hmd_removal.tracking.track import FaceTrack


@pytest.fixture(scope="module")
def store(talking_head: np.ndarray, talking_head_track: FaceTrack) -> FaceStore:
    """Every fourth frame of the talking head, as if of two people."""
    cuts = [cut(talking_head[t], talking_head_track.points[t]) for t in range(0, 48, 4)]
    images, points, inside = (np.stack(parts) for parts in zip(*cuts, strict=True))
    wall = np.full((2, 128, 128, 3), 90, np.uint8)
    return FaceStore.of_photographs(images, points, inside, np.arange(len(cuts)) % 2, wall)


@pytest.fixture(scope="module")
def maker(store: FaceStore) -> SampleMaker:
    return SampleMaker(store)


@pytest.fixture(scope="module")
def scene(maker: SampleMaker) -> Scene:
    return maker.scene(0, (20.0, 0.0, 0.0), HeadsetArtist(preset("quest")))


def test_a_stored_crop_shows_46_centimetres_around_the_head(store: FaceStore) -> None:
    pose = head_pose(store.points[0])
    assert np.allclose(transform(pose, np.array(CROP_CENTRE))[:2], SIDE / 2, atol=0.1)
    assert np.isclose(SIDE / np.cbrt(np.linalg.det(pose[:3, :3])), 46, rtol=1e-3)
    x0, y0, x1, y1 = store.inside[0]
    assert 0 <= x0 < x1 <= SIDE and 0 <= y0 < y1 <= SIDE


@pytest.mark.parametrize("factor", [0.7, 4.0])
def test_labels_stay_on_their_pixels_when_a_frame_is_cut(talking_head_track: FaceTrack, factor: float) -> None:
    """Four times as large, the frame is shrunk before it is resampled."""
    points = talking_head_track.points[0] * factor
    chin = points[152, :2]
    rows, columns = np.mgrid[: int(144 * factor), : int(176 * factor)]
    spot = np.exp(-((columns - chin[0]) ** 2 + (rows - chin[1]) ** 2) / (2 * (4 * factor) ** 2))
    picture, moved, _ = cut((255 * spot[..., None].repeat(3, 2)).astype(np.uint8), points)
    assert np.allclose(centroid(picture[..., 0]), moved[152, :2], atol=0.1)


def test_labels_stay_on_their_pixels_in_a_mirror(scene: Scene) -> None:
    (x, y), side = scene.points[61, :2], len(scene.picture)
    rows, columns = np.mgrid[:side, :side]
    spot = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 18)
    mirrored = mirror(replace(scene, picture=(255 * spot[..., None].repeat(3, 2)).astype(np.uint8)))
    # Point 61 is the right corner of the mouth; in the mirror it is the left one, 291.
    assert np.allclose(centroid(mirrored.picture[..., 0]), mirrored.points[291, :2], atol=0.1)


def centroid(picture: np.ndarray) -> np.ndarray:
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]]
    return np.array([(picture * columns).sum(), (picture * rows).sum()]) / picture.sum()


def test_the_ideal_crop_has_the_head_in_the_middle_at_its_size(scene: Scene) -> None:
    sample = view(scene, Placement())
    middle = transform(sample.pose.astype(np.float64), np.array(CROP_CENTRE))[:2]
    assert np.allclose(middle, 0.5, atol=1e-4)
    assert np.isclose(np.cbrt(np.linalg.det(sample.pose[:3, :3].astype(np.float64))), 1 / CROP_CENTIMETRES, rtol=1e-4)
    assert np.allclose(pose_angles(sample.pose.astype(np.float64)), (20, 0, 0), atol=0.1)


def test_a_misplaced_crop_moves_scales_and_rolls_the_labels(scene: Scene) -> None:
    straight, moved = view(scene, Placement()), view(scene, Placement(1.2, (0.1, -0.05), 15))
    centre = transform(moved.pose.astype(np.float64), np.array(CROP_CENTRE))[:2]
    assert np.allclose(centre, (0.6, 0.45), atol=1e-4)
    lengths = [np.linalg.norm(s.points[33, :2] - s.points[263, :2]) for s in (straight, moved)]
    assert np.isclose(lengths[1] / lengths[0], 1.2, rtol=1e-3)
    assert np.allclose(pose_angles(moved.pose.astype(np.float64))[2], 15, atol=0.1)


def test_points_under_the_device_are_hidden_and_the_mask_covers_them(scene: Scene) -> None:
    sample = view(scene, Placement())
    assert not sample.visible[[33, 263, 9, 168, 468, 473]].any()  # eyes, brow, nose bridge
    assert sample.visible[[13, 14, 152]].all()  # lips, chin
    cells = np.floor(sample.points[:, :2] * 64).astype(int)
    assert (sample.mask[cells[~sample.visible, 1], cells[~sample.visible, 0]] > 0).all()


def test_points_outside_the_crop_are_not_visible(scene: Scene) -> None:
    sample = view(scene, Placement(1.0, (0.5, 0.0), 0))
    outside = (sample.points[:, :2] >= 1).any(1)
    assert outside.any()
    assert not sample.visible[outside].any()


def test_what_the_photograph_does_not_show_can_have_any_colour(scene: Scene) -> None:
    inside = np.array([[60, 40], [130, 40], [130, 150], [60, 150]], float)
    sample = view(replace(scene, inside=inside), Placement(), beyond=np.array([10, 200, 30]))
    assert (sample.image[2, 2] == (10, 200, 30)).all()
    assert not (sample.image[64, 64] == (10, 200, 30)).all()


def test_beyond_the_edge_of_a_close_picture_the_edge_repeats_and_points_are_not_in_sight(scene: Scene) -> None:
    cut = [framed(scene, np.random.default_rng(seed)) for seed in range(12)]
    assert all(c.picture.shape == scene.picture.shape and (c.points == scene.points).all() for c in cut)
    tops = [int(np.argmax((c.picture[1:] != c.picture[:-1]).any((1, 2)))) for c in cut]  # rows that repeat
    forehead, chin = scene.points[[10, 152], 1]
    assert sum(top > 0 for top in tops) > 5 and max(tops) < chin
    low = cut[int(np.argmax(tops))]
    assert max(tops) > forehead and low.hidden[: max(tops) - 1].all()
    assert not view(low, Placement()).visible[10] and view(low, Placement()).visible[152]


def test_a_drawn_sample_depends_on_the_generator_alone(maker: SampleMaker) -> None:
    first, second = (CoveredSamples(maker, batch=5, steps=9, seed=4)[7] for _ in range(2))
    other = CoveredSamples(maker, batch=5, steps=9, seed=4)[8]
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["image"], other["image"])
    assert first["image"].shape == (5, 3, INPUT_SIDE, INPUT_SIDE)


def test_now_and_then_a_sample_has_no_head_but_perhaps_a_headset_that_nobody_wears(
    maker: SampleMaker, scene: Scene
) -> None:
    rng = np.random.default_rng(0)
    samples = [maker.draw(scene, rng) for _ in range(80)]
    absent = [s for s in samples if not s.present]
    assert 4 < len(absent) < 24
    assert not any(s.visible.any() for s in absent)
    assert 0 < sum(bool(s.mask.any()) for s in absent) < len(absent)


def test_expressions_are_how_a_person_differs_from_their_own_mean(store: FaceStore) -> None:
    """Two people with the same six frames: six frames and their mirror images differ in ten ways at most."""
    twice = FaceStore.of_photographs(
        store.images, np.concatenate([store.points[:6]] * 2), store.inside, np.repeat([0, 1], 6), store.elsewhere
    )
    found = expressions(twice)
    assert found.shape == (EXPRESSIONS, 478, 3)
    face = [transform(np.linalg.inv(head_pose(p)), p.astype(np.float64)) for p in store.points[:6]]
    change = face[2] - np.mean(face, axis=0)
    basis = found[:10].reshape(10, -1).T.astype(np.float64)
    weights, *_ = np.linalg.lstsq(basis, change.ravel(), rcond=None)
    assert np.abs(basis @ weights - change.ravel()).max() < 0.01


def test_without_a_second_frame_of_anybody_there_are_no_expressions(store: FaceStore) -> None:
    once = FaceStore.of_photographs(store.images, store.points, store.inside, np.arange(len(store)), store.elsewhere)
    assert not expressions(once).any()


def test_shapes_describe_the_faces_that_they_come_from(store: FaceStore) -> None:
    """12 faces and their mirror images need 23 shapes at most; with them each is exact."""
    shapes = face_shapes(store)
    face = transform(np.linalg.inv(head_pose(store.points[3])), store.points[3].astype(np.float64)) - shapes.mean
    basis = shapes.shapes[:23].reshape(23, -1).T.astype(np.float64)
    weights, *_ = np.linalg.lstsq(basis, face.ravel(), rcond=None)
    assert np.abs(basis @ weights - face.ravel()).max() < 0.01
