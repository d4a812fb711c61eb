"""The landmarks of the paper: MTCNN finds the face, and dlib its 68 points. For uncovered faces, to compare with.

EVI-HRnet (section 3.2) cites Zhang et al. 2016 for the one, Kazemi and Sullivan 2014 and King 2009 for the other.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from ... import weights
from ...errors import InputError
from ...restore.network_inputs import DLIB_68
from ...tracking.geometry import EYE_LIDS, canonical_points
from ...tracking.heads import HeadDetector
from ...tracking.track import Face

if TYPE_CHECKING:
    import dlib

    from ..networks.mtcnn import MTCNN

# dlib's points were learnt in the boxes of dlib's own face detector, squares from the brows to the chin. By a box of
# MTCNN: their side in widths, and how far their centre lies lower, in heights. On 61 frames of 17 people the points
# then are as near to MediaPipe's as in dlib's boxes (3.4 and 3.3 % of the eye distance, without the jaw; 3.7 % in
# MTCNN's own).
SIDE, LOWER = 1.1, 0.05
REACH = 3.0  # centimetres on the face over which a point's displacement fades to a third
IRISES = {"right": slice(468, 473), "left": slice(473, 478)}


class PaperDetector:
    """Sees what the paper's landmarks see, where tracking.follow takes a HeadDetector.

    MediaPipe's mesh is moved so that 68 of its points lie where dlib has them; what lies between them follows, and
    depth stays MediaPipe's. So a contour image (restore.network_inputs) is drawn through dlib's points, as in the
    paper. A face is found where MTCNN and MediaPipe both find it.

    Raises InputError as `networks`.
    """

    def __init__(self) -> None:
        self._finder, self._predictor = networks()
        self._mesh = HeadDetector("uncovered")

    def restart(self) -> None:
        """As HeadDetector.restart."""
        self._mesh.restart()

    def detect(
        self,
        frame: np.ndarray,
        mask: np.ndarray | None = None,
        upcoming: Sequence[np.ndarray] = (),
        *,
        others: bool = False,
    ) -> list[Face]:
        """The faces in an (H, W, 3) uint8 frame, see HeadDetector.detect."""
        faces = self._mesh.detect(frame, mask, upcoming, others=others)
        boxes, _ = self._finder.detect(frame)
        found = []
        for face in faces:
            inside = ((boxes[:, :2] < face.centre) & (face.centre < boxes[:, 2:])).all(1)
            if inside.any():
                box = boxes[inside.argmax()]  # the surest
                found.append(replace(face, points=through(face.points, self._points_in(frame, box))))
        return found

    def close(self) -> None:
        """Free what the detector holds."""
        self._mesh.close()

    def _points_in(self, frame: np.ndarray, box: np.ndarray) -> np.ndarray:
        """dlib's points of the face in MTCNN's box, (68, 2) pixels."""
        import dlib

        left, top, right, bottom = np.round(dlib_box(box)).astype(int).tolist()
        shape = self._predictor(np.ascontiguousarray(frame), dlib.rectangle(left, top, right - 1, bottom - 1))
        return np.array([(point.x, point.y) for point in shape.parts()], np.float32)


@lru_cache(maxsize=1)
def networks() -> "tuple[MTCNN, dlib.shape_predictor]":
    """What PaperDetector needs, once for all. Raises InputError, and WeightsMissing, for what is not at hand."""
    try:
        import dlib
    except ImportError as error:
        raise InputError(
            "The paper's landmarks need dlib, which is not installed: run `pip install dlib-bin` and `hmd-removal "
            "weights fetch mtcnn dlib_68`, unless your use is commercial, which the data that dlib's 68 points were "
            "trained on, 300-W, excludes."
        ) from error
    from ..networks.mtcnn import MTCNN

    return MTCNN.pretrained(), dlib.shape_predictor(str(weights.resolve("dlib_68")))


def dlib_box(box: np.ndarray) -> np.ndarray:
    """The square in which dlib looks for the points of a face that MTCNN found in `box`: left, top, right, bottom."""
    width, height = box[2:] - box[:2]
    centre = (box[:2] + box[2:]) / 2 + (0, LOWER * height)
    return np.concatenate([centre - SIDE * width / 2, centre + SIDE * width / 2])


def through(points: np.ndarray, dlib_points: np.ndarray) -> np.ndarray:
    """MediaPipe's points, (478, 3) pixels, moved so that those of contour.DLIB_68 lie at dlib's, (68, 2).

    The others follow their neighbours on the mean face, by interpolation with an exponential kernel; the irises follow
    the lids around them.
    """
    moved = points.copy()
    moved[:, :2] += _follow() @ (dlib_points - points[list(DLIB_68), :2])
    return moved


@lru_cache(maxsize=1)
def _follow() -> np.ndarray:
    """(478, 68): how far every point follows each of the 68."""
    mean = canonical_points()
    distance = np.linalg.norm(mean[:, None] - mean[None, list(DLIB_68)], axis=2)
    kernel = np.exp(-distance / REACH)
    follow = np.zeros((478, 68))
    follow[: len(mean)] = np.linalg.solve(kernel[list(DLIB_68)], kernel.T).T  # the kernel is symmetric
    for eye, iris in IRISES.items():
        pairs, corners = EYE_LIDS[eye]
        follow[iris] = follow[[*sum(pairs, ()), *corners]].mean(0)
    return follow
