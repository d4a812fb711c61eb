"""The mesh warp against scikit-image, and the completion of hidden points against known answers."""

import cv2
import numpy as np
import pytest
from faces_of import posed_face
from skimage.transform import AffineTransform

from hmd_removal.restore.align import complete_points
from hmd_removal.tracking.geometry import FACE_OVAL, head_pose, mesh_triangles
from hmd_removal.tracking.mesh import extend_points, extended_triangles, warp_mesh


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """(300, 400, 3) uint8, smooth, different everywhere."""
    y, x = np.mgrid[:300, :400]
    waves = [127 + 100 * np.sin(x / 30), 127 + 100 * np.cos(y / 25), 127 + 100 * np.sin((x + y) / 40)]
    return np.stack(waves, axis=2).astype(np.uint8)


def extended(**angles) -> np.ndarray:
    face = posed_face(**angles)
    return extend_points(face.points, face.pose)


def test_triangles_cover_the_face_without_holes():
    triangles = mesh_triangles()
    assert triangles.shape == (898, 3)
    # a disc: each edge has two triangles, except those of the outline, which have one
    edges = np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), axis=1)
    _, counts = np.unique(edges, axis=0, return_counts=True)
    assert (counts == 1).sum() == len(FACE_OVAL) and (counts == 2).sum() == len(counts) - len(FACE_OVAL)


def test_the_same_shape_gives_the_same_picture(picture):
    warped, kind = warp_mesh(picture, extended(), extended(), np.ones(picture.shape[:2], bool))
    assert np.abs(warped[kind > 0].astype(int) - picture[kind > 0]).max() <= 1
    assert (warped[kind == 0] == 0).all()


def test_a_shift_moves_the_picture(picture):
    warped, kind = warp_mesh(picture, extended(), extended() + (20, 10, 0), np.ones(picture.shape[:2], bool))
    moved = np.roll(picture, (10, 20), axis=(0, 1))
    assert np.abs(warped[kind == 2].astype(int) - moved[kind == 2]).max() <= 1


def test_only_the_region_is_drawn(picture):
    region = np.zeros(picture.shape[:2], bool)
    region[100:140, 150:250] = True
    whole, _ = warp_mesh(picture, extended(), extended(yaw=10), np.ones_like(region))
    warped, kind = warp_mesh(picture, extended(), extended(yaw=10), region)
    assert (kind[~region] == 0).all() and (warped[~region] == 0).all()
    assert np.abs(warped[region].astype(int) - whole[region]).max() <= 1


def test_triangles_agree_with_scikit_image(picture):
    source, target = extended(), extended(yaw=12, pitch=5, roll=8)
    warped, _ = warp_mesh(picture, source, target, np.ones(picture.shape[:2], bool))
    triangles = mesh_triangles()
    checked = 0
    for corners in triangles[:: len(triangles) // 60]:
        back = AffineTransform.from_estimate(target[corners, :2], source[corners, :2])
        x, y = target[corners, :2].mean(0).round()
        inside = cv2.pointPolygonTest(target[corners, :2].astype(np.float32), (float(x), float(y)), True) > 0.5
        if inside:
            u, v = back(np.array([[x, y]]))[0]
            expected = cv2.remap(picture, np.float32([[u]]), np.float32([[v]]), cv2.INTER_LINEAR)[0, 0]
            assert np.abs(warped[int(y), int(x)].astype(int) - expected).max() <= 2
            checked += 1
    assert checked > 20


def test_the_near_side_hides_the_far_side():
    source, target = extended(), extended(yaw=50)
    sides = np.zeros((300, 400, 3), np.uint8)
    sides[:, :200], sides[:, 200:] = 50, 200  # the face's two halves
    warped, kind = warp_mesh(sides, source, target, np.ones((300, 400), bool))
    # the face looks to the image's right: its left half turns to the camera and takes most of the picture
    values = warped[kind == 2][:, 0]
    assert (values < 60).sum() > 2 * (values > 190).sum()


class TestHiddenPoints:
    model = posed_face().points

    @staticmethod
    def visible_below(points: np.ndarray) -> np.ndarray:
        return (points[:, 1] > 160).astype(np.float32)

    def test_of_a_rigidly_moved_face_are_found_exactly(self):
        truth = posed_face(yaw=18, pitch=-8, roll=12).points.astype(np.float64) * 1.3 + (5, 9, 0)
        visibility = self.visible_below(self.model)
        seen = np.where(visibility[:, None] > 0, truth, 0)
        assert complete_points(seen, visibility, self.model) == pytest.approx(truth, abs=1e-3)

    def test_visible_points_stay_as_they_are(self):
        truth = posed_face(yaw=10).points + np.random.default_rng(0).normal(size=(478, 3))
        visibility = self.visible_below(self.model)
        completed = complete_points(truth, visibility, self.model)
        assert (completed[visibility > 0] == truth[visibility > 0]).all()

    def test_the_mouth_does_not_pull_the_eyes(self):
        seen = self.model.astype(np.float64).copy()
        mouth = np.hypot((seen[:, 0] - 200) / 35, (seen[:, 1] - 190) / 26) < 1
        seen[mouth, 1] += 8  # an open mouth
        visibility = self.visible_below(self.model)
        eyes = [33, 133, 159, 263, 362, 386]
        moved = complete_points(seen, visibility, self.model)[eyes] - self.model[eyes]
        assert np.abs(moved[:, :2]).max() < 8 / 4

    def test_nothing_to_do_when_all_is_visible(self):
        assert complete_points(self.model, np.ones(478), self.model) is self.model


def test_rings_lie_around_the_face():
    points = extended()
    assert len(points) == extended_triangles().max() + 1
    pose_centre = head_pose(posed_face().points)[:2, 3]
    radius = np.linalg.norm(points[468:, :2] - pose_centre, axis=1).reshape(-1, len(FACE_OVAL))
    assert (np.diff(radius, axis=0) > 0).all()
