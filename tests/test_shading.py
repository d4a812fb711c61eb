"""Pictures of a person shaded as they are on average."""

from __future__ import annotations

import cv2
import numpy as np

from hmd_removal.faces.reference import make_reference
from hmd_removal.faces.shading import mean_shading
from hmd_removal.faces.topology import FACE_OVAL
from hmd_removal.faces.track import FaceTrack


def test_a_shadow_that_other_frames_do_not_show_goes_and_the_fine_structure_stays(
    talking_head: np.ndarray, talking_head_track: FaceTrack
) -> None:
    points = talking_head_track.points
    picture = talking_head[0]
    oval = np.round(points[0][list(FACE_OVAL), :2]).astype(np.int32)
    middle = int(oval[:, 0].mean())
    face = cv2.fillConvexPoly(np.zeros(picture.shape[:2], np.uint8), oval, 1)
    inner = cv2.erode(face, np.ones((15, 15))) > 0
    # The left half of the face lies in the shadow, with a soft edge.
    light = 1 - 0.3 / (1 + np.exp((np.arange(picture.shape[1]) - middle) / 4))
    shadowed = np.round(picture * light[None, :, None]).astype(np.uint8)
    others = range(4, 28, 3)
    found = mean_shading(
        make_reference([shadowed], points[:1]), [talking_head[t] for t in others], points[list(others)]
    ).images[0]

    def imbalance(image: np.ndarray) -> float:
        """Left by right half of the face."""
        left = inner & (np.arange(image.shape[1]) < middle)
        return float(image[left].mean() / image[inner & ~left].mean())

    true = imbalance(picture)
    assert abs(imbalance(found) - true) < 0.4 * abs(imbalance(shadowed) - true)
    fine, before = (x - cv2.GaussianBlur(x, (0, 0), 2) for x in (found.astype(float), shadowed.astype(float)))
    assert np.corrcoef(fine[inner].ravel(), before[inner].ravel())[0, 1] > 0.95
    outside = cv2.dilate(face, np.ones((5, 5))) == 0
    assert np.array_equal(found[outside], shadowed[outside])


def test_a_face_that_is_like_all_others_stays_nearly_as_it_is(
    talking_head: np.ndarray, talking_head_track: FaceTrack
) -> None:
    reference = make_reference([talking_head[0]], talking_head_track.points[:1])
    found = mean_shading(reference, list(talking_head[:3]), talking_head_track.points[:3]).images[0]
    assert np.abs(found.astype(int) - talking_head[0]).mean() < 1
