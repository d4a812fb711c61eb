"""What a headset hides and a restored face has to show: expression and eyes, measured clip by clip."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ...errors import InputError
from ...metrics.report import Metric
from ...tracking.follow import Wearer, track_clip
from ...tracking.heads import HeadDetector
from ...tracking.track import FrameStatus
from ..networks.face_expression import FaceExpression
from .expression import expression_agreement, expression_difference, expressions
from .eyes import aperture_correlation, blink_f1, eye_nme, gaze_error

# In the order in which reports list them.
TASK_METRICS = {
    "expression_l1": Metric("Expression, difference of probabilities", "", "lower"),
    "expression_same": Metric("Expression, same likeliest class", "", "higher"),
    "eye_nme": Metric("Eye landmarks, error", "% of the eye distance", "lower"),
    "aperture": Metric("Eye aperture, correlation", "", "higher"),
    "blink_f1": Metric("Blinks, F1", "", "higher"),
    "gaze": Metric("Gaze, error", "degrees", "lower"),
    "face_found": Metric("Frames in which a face is found", "", "higher"),
}


class TaskMetrics:
    """Scores results against one truth, of which everything is read once.

    truth: (T,H,W,3) in [0, 1]. expression: the classifier, which stands in for the papers'; None leaves it out.
    detector: see find_points.
    """

    def __init__(self, truth: Tensor, expression: FaceExpression | None, detector: HeadDetector | None = None) -> None:
        self._network, self._detector = expression, detector
        self._points = find_points(truth, detector)
        self._expressions = self._read(truth)

    def score(self, result: Tensor) -> dict[str, float]:
        """The scores of a result (T,H,W,3) in [0, 1] by the names of TASK_METRICS, means over the frames on which they
        are defined; NaN without any."""
        points = find_points(result, self._detector)
        scores = dict.fromkeys(TASK_METRICS, float("nan"))
        if self._expressions is not None:
            found = self._read(result)
            scores["expression_l1"] = expression_difference(found, self._expressions).nanmean().item()
            scores["expression_same"] = expression_agreement(found, self._expressions).nanmean().item()
        for name, measure in (("eye_nme", eye_nme), ("gaze", gaze_error)):
            errors = measure(points, self._points)
            if np.isfinite(errors).any():
                scores[name] = float(np.nanmean(errors))
        scores["aperture"] = aperture_correlation(points, self._points)
        scores["blink_f1"] = blink_f1(points, self._points)
        scores["face_found"] = float(np.isfinite(points[:, 0, 0]).mean())
        return scores

    def _read(self, frames: Tensor) -> Tensor | None:
        if self._network is None:
            return None
        with torch.inference_mode():
            return expressions(self._network, frames, torch.from_numpy(self._points))


def find_points(frames: Tensor, detector: HeadDetector | None = None) -> np.ndarray:
    """(T,478,3) pixels of the face that is found in (T,H,W,3) frames in [0, 1]; NaN where there is none.

    detector: for uncovered faces, which stays open; None for one that is made for these frames.
    """
    pictures = (frames.clamp(0, 1) * 255).round().to("cpu", torch.uint8).numpy()
    if detector is not None:
        detector.restart()
    try:
        uncovered = Wearer(detector="uncovered", on_missing="untouched")
        track = track_clip(pictures, pictures.shape[1:3], uncovered, detector=detector)
    except InputError:  # there is none in any of them
        return np.full((len(frames), 478, 3), np.nan, np.float32)
    return np.where((track.status == FrameStatus.FOUND)[:, None, None], track.points, np.float32(np.nan))
