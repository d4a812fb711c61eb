"""Everything that is measured of a result: clip by clip, and of all clips of a system together."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...metrics.report import METRICS, ScoringNetworks, compute_metrics
from ...tracking.heads import HeadDetector
from ...weights import WeightsMissing
from ..metrics.eyes import eye_regions
from ..metrics.task import TASK_METRICS, TaskMetrics
from ..metrics.video_distance import Distance, VideoDistance, VideoFeatures
from ..networks.face_expression import FaceExpression

# Of the eyes' region, by what the same metric is of the whole hole.
EYE_SCORES = {"eyes_psnr": "hole_psnr", "eyes_lpips": "hole_lpips", "eyes_temporal": "temporal"}
SCORES = (*METRICS, *TASK_METRICS, *EYE_SCORES)
CURVES = ("hole_psnr", "temporal")  # whose values frame by frame are kept
System = tuple[str, str, str]  # preset, landmark mode and method


class Judge:
    """Scores the results of one clip after another.

    networks: with LPIPS, identity, the task metrics and those of the eyes' region. frechet: with the distances between
    sets of videos. device: of the networks, which are loaded once.
    not_computed: task metric or distance -> one sentence that says which weights are missing.
    """

    def __init__(self, *, networks: bool, frechet: bool, device: str | torch.device = "cpu") -> None:
        self.not_computed: dict[str, str] = {}
        self._networks = ScoringNetworks.load(device) if networks else None
        self._expression = self._load_expression(device) if networks else None
        self._landmarks = HeadDetector("uncovered") if networks else None
        self._features = VideoFeatures(device) if frechet else None
        self._sets: dict[System, VideoDistance] = {}
        self._found: list[tuple[System, Mapping[str, np.ndarray]]] = []  # of the clip
        if self._features is not None:
            self.not_computed |= self._features.not_computed

    def open(self, truth: Tensor, points: np.ndarray) -> None:
        """Go on to a clip. truth: (T, H, W, 3) in [0, 1], the frames that are scored; points: (T, 478, 3) pixels."""
        self._truth, self._points = truth, points
        self._task = TaskMetrics(truth, self._expression, self._landmarks) if self._networks else None
        self._truth_features = None if self._features is None else self._features(truth)
        self._found.clear()

    def score(self, system: System, result: Tensor, hole: Tensor) -> dict[str, Any]:
        """The scores by the names of SCORES, None where they are not defined, with the number of frames, the hole's
        share, and those of CURVES for each frame.

        result: (T, H, W, 3) in [0, 1]; hole: (T, H, W), 1 = hole.
        """
        report = compute_metrics(result, self._truth, hole, points=self._points, networks=self._networks)
        scores: dict[str, float] = dict(report.mean)
        if self._task is not None:
            scores |= self._task.score(result)
            eyes = hole * torch.from_numpy(eye_regions(self._points, tuple(hole.shape[1:])))
            of_eyes = compute_metrics(result, self._truth, eyes, networks=replace(self._networks, face=None)).mean
            scores |= {name: of_eyes.get(metric, np.nan) for name, metric in EYE_SCORES.items()}
        if self._features is not None:
            self._found.append((system, self._features(result)))
        found = {name: scores.get(name, np.nan) for name in SCORES}
        curves = {name: values for name, values in report.to_json()["per_frame"].items() if name in CURVES}
        return {"frames": report.frames, "hole_share": report.hole_share, "per_frame": curves} | {
            name: None if np.isnan(value) else value for name, value in found.items()
        }

    def finish(self) -> None:
        """The clip is done: what was found of it counts in the distances."""
        for system, features in self._found:
            self._sets.setdefault(system, VideoDistance()).add(features, self._truth_features)
        self._found.clear()

    def close(self) -> None:
        """Free what the judge holds; it is not used afterwards but for `distances`."""
        if self._landmarks is not None:
            self._landmarks.close()

    def distances(self, system: System) -> dict[str, Distance]:
        """The system's distances so far, by the names of lab.metrics.video_distance.DISTANCES."""
        return self._sets[system].distances() if system in self._sets else {}

    def _load_expression(self, device: str | torch.device) -> FaceExpression | None:
        try:
            return FaceExpression.pretrained().to(device)
        except WeightsMissing as missing:
            self.not_computed |= dict.fromkeys(("expression_l1", "expression_same"), str(missing))
            return None
