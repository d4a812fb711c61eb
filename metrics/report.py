"""Every metric of a restored clip in one report: per frame, as means, as JSON and as a plain-text table."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..files import written_whole
from ..models.face_embedding import FaceEmbedding
from ..models.lpips import LPIPS, SMALLEST_SIDE
from ..weights import WeightsMissing
from .identity import identity_cosine
from .image import hole_mean, psnr_from_mse, squared_error, ssim_from_map, ssim_map
from .inputs import check_frames, clip_mask, clip_points, finite_frames
from .perceptual import lpips
from .temporal import seam_ratio, temporal_error


@dataclass(frozen=True)
class Metric:
    """How a metric is shown: its title, the unit of its values and which way is better."""

    title: str
    unit: str
    better: str


# In the order in which every report lists them.
METRICS = {
    "psnr": Metric("PSNR", "dB", "higher"),
    "hole_psnr": Metric("PSNR, hole", "dB", "higher"),
    "ssim": Metric("SSIM", "", "higher"),
    "hole_ssim": Metric("SSIM, hole", "", "higher"),
    "lpips": Metric("LPIPS", "", "lower"),
    "hole_lpips": Metric("LPIPS, hole", "", "lower"),
    "mse": Metric("MSE", "", "lower"),
    "hole_mse": Metric("MSE, hole", "", "lower"),
    "identity": Metric("Identity cosine", "", "higher"),
    "temporal": Metric("Temporal error, hole", "", "lower"),
    "seam": Metric("Seam ratio", "", "near 1"),
}
HOLE_METRICS = ("hole_psnr", "hole_ssim", "hole_lpips", "hole_mse", "temporal", "seam")
NETWORK_METRICS = ("lpips", "hole_lpips", "identity")
PSNR_CAP = 100.0  # dB; stands for the infinite PSNR of identical frames in means, tables and JSON
CHUNK_PIXELS = 2**19  # frames worked on at once: 8 at 256x256, one from 720p on


@dataclass(frozen=True)
class MetricsReport:
    """The metrics of one clip.

    frames: number of frames. hole_share: the hole's mean share of the frame's area, 0 without a mask.
    per_frame: name -> (T,) float64, NaN where the metric is not defined on that frame (temporal on the
    first, hole metrics where the hole is empty) and infinite PSNR where a frame equals its truth.
    mean: name -> mean over the frames on which it is defined; PSNR is averaged in dB with each frame capped
    at 100 dB, so that identical frames count as very good ones instead of making the mean infinite.
    not_computed: name -> one sentence that says why. Each name of `METRICS` is either there or in the other
    two.
    """

    frames: int
    hole_share: float
    per_frame: dict[str, np.ndarray]
    mean: dict[str, float]
    not_computed: dict[str, str]

    def to_json(self) -> dict:
        """Plain dict for strict JSON: PSNR of at most 100 dB; None for NaN and for what was not computed."""
        return {
            "frames": self.frames,
            "hole_share": _json_number(self.hole_share),
            "mean": {name: _json_number(self.mean.get(name, np.nan)) for name in METRICS},
            "per_frame": {
                name: [_json_number(value) for value in capped(name, values)] for name, values in self.per_frame.items()
            },
            "not_computed": dict(self.not_computed),
        }

    def table(self) -> str:
        """Plain-text table: mean and worst frame of every metric, then what was not computed and why."""
        lines = [
            f"{self.frames} frames, hole {self.hole_share:.1%} of the area",
            f"{'metric':<22}{'mean':>11}{'worst':>11}{'at frame':>10}  better",
        ]
        for name, values in self.per_frame.items():
            metric, worst = METRICS[name], self.worst_frame(name)
            title = f"{metric.title} ({metric.unit})" if metric.unit else metric.title
            mean, at_worst = self.mean[name], capped(name, values)[worst]
            lines.append(f"{title:<22}{mean:>11.4g}{at_worst:>11.4g}{worst:>10}  {metric.better}")
        lines += [f"{METRICS[name].title}: not computed. {reason}" for name, reason in self.not_computed.items()]
        return "\n".join(lines)

    def listed(self) -> str:
        """The same for where columns and perhaps lines do not keep their places: a sentence for each metric."""
        lines = [f"{self.frames} frames, hole {self.hole_share:.1%} of the area."]
        for name, values in self.per_frame.items():
            metric, worst = METRICS[name], self.worst_frame(name)
            unit = f" {metric.unit}" if metric.unit else ""
            at_worst = capped(name, values)[worst]
            lines.append(f"{metric.title}: {self.mean[name]:.4g}{unit}, at worst {at_worst:.4g} (frame {worst}).")
        lines += [f"{METRICS[name].title}: not computed. {reason}" for name, reason in self.not_computed.items()]
        return "\n".join(lines)

    def worst_frame(self, name: str) -> int:
        """Index of the frame with the worst value of a computed metric."""
        values, better = self.per_frame[name], METRICS[name].better
        if better == "higher":
            return int(np.nanargmin(values))
        if better == "lower":
            return int(np.nanargmax(values))
        with np.errstate(divide="ignore"):
            return int(np.nanargmax(np.abs(np.log(values))))


@dataclass(frozen=True)
class ScoringNetworks:
    """The networks that scores come from, None for those whose weights are not at hand. missing: score -> the sentence
    that says which."""

    lpips: LPIPS | None = None
    face: FaceEmbedding | None = None
    missing: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def load(
        cls, device: torch.device | str = "cpu", wanted: Collection[str] = ("lpips", "identity")
    ) -> ScoringNetworks:
        """wanted: the scores to read networks for."""
        loaded, missing = {}, {}
        for field_name, network, scores in (
            ("lpips", LPIPS, ("lpips", "hole_lpips")),
            ("face", FaceEmbedding, ("identity",)),
        ):
            if scores[0] not in wanted:
                continue
            try:
                loaded[field_name] = network.pretrained().to(device)
            except WeightsMissing as why:
                missing |= dict.fromkeys(scores, str(why))
        return cls(**loaded, missing=missing)


def capped(name: str, values: np.ndarray) -> np.ndarray:
    """Values of a metric as they are shown and averaged: PSNR of at most 100 dB, everything else as it is."""
    return np.minimum(values, PSNR_CAP) if METRICS[name].unit == "dB" else values


def compute_metrics(
    result: Tensor,
    truth: Tensor,
    mask: Tensor | None = None,
    *,
    points: Tensor | np.ndarray | None = None,
    networks: bool | ScoringNetworks = True,
    device: torch.device | str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> MetricsReport:
    """Score `result` against `truth`.

    result, truth: (T,H,W,3) frames in [0, 1], RGB, at least 11x11 pixels.
    mask: (T,H,W), or one frame (1,H,W) or (H,W) for the whole clip; the hole is where it is above 0.5.
    points: (T,478,2 or more) face landmarks of the truth in pixels, for the identity; a frame whose points
    are not finite has no identity.
    networks: False leaves out LPIPS and identity, which need weights and most of the time; ScoringNetworks, where
    several clips are scored, saves reading them each time.
    device: where the networks run, if they are read here; everything else runs on the CPU.
    progress: called with (frames done, frames in all); an exception of its own passes through.

    The clip is worked through a few frames at a time, so the memory taken beyond the inputs does not grow
    with its length. A metric that cannot be computed (no mask, no points, weights not at hand) is named in
    `not_computed`. Raises InputError for frames, mask or points that do not fit each other and for values
    that are not finite.
    """
    check_frames(result, truth)
    mask = None if mask is None else clip_mask(mask, truth)
    points = None if points is None else clip_points(points, truth)
    frames, height, width = truth.shape[:3]
    not_computed = _not_possible(frames, min(height, width), mask, points, networks is not False)
    wanted = [name for name in NETWORK_METRICS if name not in not_computed]
    if networks is True:
        networks = ScoringNetworks.load(device, wanted)
    lpips_network = networks.lpips if networks and "lpips" in wanted else None
    face_network = networks.face if networks and "identity" in wanted else None
    if networks:
        not_computed = {name: why for name, why in networks.missing.items() if name in wanted} | not_computed
    per_frame = {name: np.full(frames, np.nan) for name in METRICS}
    hole_area = 0.0

    step = max(1, CHUNK_PIXELS // (height * width))
    for start in range(0, frames, step):
        stop = min(start + step, frames)
        # The frame before the chunk comes along for the change over time.
        first = max(start - 1, 0)
        own = slice(start - first, None)
        a, b = finite_frames(result, first, stop, "result"), finite_frames(truth, first, stop, "truth")
        hole = None if mask is None else mask[first:stop].cpu() > 0.5
        with torch.inference_mode():
            scores = _image_scores(a[own], b[own], None if hole is None else hole[own])
            if hole is not None:
                hole_area += hole[own].float().mean((1, 2)).sum().item()
                scores["temporal"] = temporal_error(a, b, hole)[own]
                scores["seam"] = seam_ratio(a[own], b[own], hole[own])
            if lpips_network is not None:
                in_hole = None if hole is None else hole[own]
                scores["lpips"], inside = lpips(lpips_network, a[own], b[own], in_hole)
                if inside is not None:
                    scores["hole_lpips"] = inside
            if face_network is not None and points is not None:
                scores["identity"] = identity_cosine(face_network, a[own], b[own], points[start:stop])
        for name, score in scores.items():
            per_frame[name][start:stop] = score.numpy()
        if progress is not None:
            progress(stop, frames)

    for name, values in per_frame.items():
        if np.isnan(values).all():
            not_computed.setdefault(name, _why_undefined(name, hole_area))
    per_frame = {name: values for name, values in per_frame.items() if name not in not_computed}
    mean = {name: float(np.nanmean(capped(name, values))) for name, values in per_frame.items()}
    return MetricsReport(frames, hole_area / frames, per_frame, mean, not_computed)


def write_json(path: str | Path, report: MetricsReport) -> None:
    """Write `report.to_json()` to `path`, whole or not at all."""
    with written_whole(Path(path)) as unfinished:
        unfinished.write_text(json.dumps(report.to_json(), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _image_scores(result: Tensor, truth: Tensor, hole: Tensor | None) -> dict[str, Tensor]:
    errors, similarity = squared_error(result, truth), ssim_map(result, truth)
    scores = {"mse": errors.mean((1, 2)), "ssim": ssim_from_map(similarity)}
    if hole is not None:
        scores |= {"hole_mse": hole_mean(errors, hole), "hole_ssim": hole_mean(similarity, hole)}
        scores["hole_psnr"] = psnr_from_mse(scores["hole_mse"])
    scores["psnr"] = psnr_from_mse(scores["mse"])
    return scores


def _not_possible(frames: int, side: int, mask: Tensor | None, points: Tensor | None, networks: bool) -> dict[str, str]:
    """Metric -> reason, for what the inputs rule out before any pixel is read."""
    reasons: dict[str, str] = {}
    if mask is None:
        reasons |= dict.fromkeys(HOLE_METRICS, "No mask was given.")
    elif frames == 1:
        reasons["temporal"] = "A single frame has no change over time."
    if points is None:
        reasons["identity"] = "No face landmarks of the truth were given."
    if side < SMALLEST_SIDE:
        reason = f"LPIPS needs frames of at least {SMALLEST_SIDE}x{SMALLEST_SIDE} pixels."
        reasons |= dict.fromkeys(("lpips", "hole_lpips"), reason)
    if not networks:
        reasons |= dict.fromkeys(NETWORK_METRICS, "Metrics that need a network were switched off.")
    return reasons


def _why_undefined(name: str, hole_area: float) -> str:
    """Why a metric has no value on any frame."""
    if name == "identity":
        return "No frame of the truth has face landmarks."
    if hole_area == 0:
        return "The mask is empty: no pixel of it is above 0.5."
    return "The mask has no contour inside the frame, or the truth is flat along it."


def _json_number(value: float) -> float | None:
    return None if np.isnan(value) else float(f"{value:.6g}")
