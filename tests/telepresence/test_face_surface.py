"""The face as a surface: closed, flattened without folds, of a sane size and the right way round."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from faces_of import turned

from hmd_removal.telepresence.face_surface import Shapes, face_surface, morphs
from hmd_removal.tracking.geometry import FACE_OVAL, mesh_triangles
from hmd_removal.tracking.track import FaceTrack

NOSE_TIP, CHIN, FOREHEAD = 4, 152, 10


def faces(*angles: tuple[float, float, float]) -> np.ndarray:
    """Canonical faces with pupils, turned by yaw, pitch and roll."""
    points = np.stack([turned(*one) for one in angles])
    points[:, 468], points[:, 473] = points[:, [33, 133]].mean(1), points[:, [263, 362]].mean(1)
    return points


def test_nothing_is_open_but_the_outline_of_the_face():
    surface = face_surface()
    corners = surface.points[surface.triangles]
    edges = Counter(frozenset((a, b)) for tri in corners.tolist() for a, b in zip(tri, tri[1:] + tri[:1], strict=True))
    outline = {frozenset(edge) for edge in zip(FACE_OVAL, FACE_OVAL[1:] + FACE_OVAL[:1], strict=True)}
    assert {edge for edge, count in edges.items() if count == 1} == outline and max(edges.values()) == 2


def test_eyes_and_mouth_have_vertices_of_their_own():
    """So that their texture lies apart from that of the lids and lips."""
    surface = face_surface()
    of_opening = (surface.triangles >= 468).any(1)
    assert of_opening.sum() == 14 + 14 + 18
    assert (surface.triangles[of_opening] >= 468).all()


def test_no_place_of_the_texture_is_used_twice():
    surface = face_surface()
    a, b, c = surface.places[surface.triangles].transpose(1, 2, 0)
    areas = ((b - a)[0] * (c - a)[1] - (b - a)[1] * (c - a)[0]) / 2
    assert (areas < 0).all()  # none is folded over
    disc = np.pi * 0.49**2
    skin = (surface.triangles < 468).all(1)
    assert 0.95 * disc < -areas.sum() < 1.06 * disc
    away = np.linalg.norm(surface.places[surface.triangles[~skin]] - 0.5, axis=2)
    assert away.min() > 0.49 and surface.places.min() >= 0 and surface.places.max() <= 1


def test_a_head_is_as_large_as_heads_are_and_looks_along_z():
    shapes = Shapes.of(faces((20, -10, 5), (0, 0, 0)))
    for points in shapes.points:
        assert np.allclose(points, shapes.points[1], atol=1e-6)  # the turn is not in the shape
        assert points[NOSE_TIP, 2] == points[:, 2].max()
        assert 0.15 < points[FOREHEAD, 1] - points[CHIN, 1] < 0.2
    right, left = (shapes.points[1][list(lids)].mean(0) for lids in ((33, 133), (263, 362)))
    assert left[0] - right[0] == pytest.approx(0.063, abs=1e-4)  # the wearer's left is to the image's right


def test_heads_turn_as_they_did():
    shapes = Shapes.of(faces((0, 0, 0), (30, 0, 0), (0, 0, 170), (0, 0, -170)))
    angles = np.degrees(2 * np.arccos(np.abs(shapes.rotation[:, 3]).clip(max=1)))
    assert np.allclose(angles, [0, 30, 170, 170], atol=0.1)
    steps = (shapes.rotation[1:] * shapes.rotation[:-1]).sum(1)
    assert (steps > 0).all()  # the short way


def test_few_targets_move_every_landmark_to_within_a_pixel_and_a_millimetre(talking_head_track: FaceTrack):
    shapes = Shapes.of(talking_head_track.points)
    found = morphs(shapes)
    again = found.base + np.einsum("tk,kvc->tvc", found.weights, found.targets)
    off = np.linalg.norm(again - shapes.points, axis=2)
    assert off.max() <= 0.001 and (off * shapes.pixels[:, None]).max() <= 1
    assert 0 < len(found.targets) < 24
    assert np.allclose(found.weights.std(0), 1, atol=0.01)


def test_normals_point_out_of_the_face():
    points = Shapes.of(faces((0, 0, 0))).points[0]
    a, b, c = points[mesh_triangles()].transpose(1, 0, 2)
    assert (np.cross(b - a, c - a)[:, 2] > 0).mean() > 0.95
