"""How a covered head is tracked through a clip: error, shake and lag of the points, and the device's mask."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from ...headset.draw import HeadsetArtist, draw_headset, preset
from ...headset.mask import GENEROUS, DeviceMasker
from ...models.covered_landmarks import CoveredLandmarkNet
from ...tracking.follow import Wearer, track_clip
from ...tracking.geometry import MESH_POINT_COUNT, eye_distance
from ...tracking.heads import HeadDetector
from ...tracking.smoothing import FaceSmoother
from ...tracking.track import FaceTrack, FrameStatus, TrackedFace, visibility_under
from ...tracking.uncovered import require_mediapipe
from ...video import VideoReader
from .masks import flicker, mask_iou
from .steadiness import jitter, lag

RIGID = (6, 168, 197, 234, 454, 127, 356, 152)  # nose bridge, temples and chin, which move with the head
SCORES = ("found", "visible_nme", "hole_nme", "jitter", "lag", "mask_iou", "mask_flicker")


def evaluate_tracking(clip: Path, name: str, net: CoveredLandmarkNet, *, limit: int = 0) -> Iterator[dict[str, Any]]:
    """Scores of each way to track a clip with the headset `name` drawn on it; errors and jitter in % of eye distance.

    Ways: "truth" (the detector "uncovered" on the uncovered clip, which has some jitter of its own), the same detector
    on the covered clip, "covered" as the landmarker gives it, frame by frame, and "covered, smoothed". The device's
    mask is measured for the last two: as the network draws it, and refined, without the margin that it is given in use;
    its flicker is beside that of the exact mask in "truth".
    limit: most frames, 0 for all. Raises InputError for a clip without a face.
    """
    require_mediapipe()
    with VideoReader(clip) as reader:
        frames = np.stack([frame.pixels for frame in reader.frames(length=limit or None)])
    size = frames.shape[1:3]
    truth = track_clip(frames, size, Wearer(detector="uncovered"))
    covered, masks = draw_headset(frames, truth, HeadsetArtist(preset(name)))
    exact = {"mask_iou": 1.0, "mask_flicker": float(np.median(flicker(masks, truth.pose)))}
    yield {"clip": clip.name, "way": "truth", **_scores(truth, truth, masks), **exact}

    plain, raw = (_unsmoothed(covered, HeadDetector(mode, net=net)) for mode in ("uncovered", "covered"))
    if plain is not None:
        yield {"clip": clip.name, "way": "uncovered", **_scores(plain, truth, masks)}
    if raw is None:
        return
    smoother = FaceSmoother()
    smooth = FaceTrack.stack((smoother.push(raw[t]) for t in range(len(raw))), size)
    coarse = np.stack([_coarse(raw, t) for t in range(len(raw))])
    yield {"clip": clip.name, "way": "covered", **_scores(raw, truth, masks), **_mask_scores(coarse, masks, truth)}
    masker = DeviceMasker(grow=-GENEROUS)  # the margin is meant, not an error
    fine = np.stack([masker.push(covered[t], smooth[t], raw[t].device) for t in range(len(raw))])
    yield {
        "clip": clip.name,
        "way": "covered, smoothed",
        **_scores(smooth, truth, masks),
        **_mask_scores(fine, masks, truth),
    }


def _unsmoothed(frames: np.ndarray, detector: HeadDetector) -> FaceTrack | None:
    """The largest face of each frame as the detector, which is closed, gives it; None where no frame shows one."""
    faces = []
    with closing(detector):
        for frame in frames:
            found = max(detector.detect(frame), key=lambda face: face.size, default=None)
            faces.append(TrackedFace.missing() if found is None else TrackedFace.of(found, FrameStatus.FOUND))
    nobody = all(face.status == FrameStatus.MISSING for face in faces)
    return None if nobody else FaceTrack.stack(faces, frames.shape[1:3])


def _scores(track: FaceTrack, truth: FaceTrack, masks: np.ndarray) -> dict[str, float | None]:
    there = (track.status != FrameStatus.MISSING) & (truth.status == FrameStatus.FOUND)
    visible, hidden = [], []
    for t in np.flatnonzero(there):
        error = np.linalg.norm((track.points[t] - truth.points[t])[:, :2], axis=1) / eye_distance(truth.points[t])
        seen = visibility_under(truth.points[t], masks[t]) > 0.5
        visible.append(error[seen].mean())
        hidden.append(error[~seen].mean())
    unit = float(np.median(eye_distance(truth.points)))
    steady = len(track) >= 24 and there.all()
    moving = steady and np.ptp(truth.points[:, 1, :2], axis=0).max() > 0.05 * unit
    return {
        "found": float((track.status == FrameStatus.FOUND).mean()),
        "visible_nme": 100 * float(np.mean(visible)),
        "hole_nme": 100 * float(np.mean(hidden)),
        "jitter": jitter(track.points[:, :MESH_POINT_COUNT], unit) if steady else None,
        "lag": lag(track.points[:, RIGID], truth.points[:, RIGID]) if moving else None,
    }


def _coarse(track: FaceTrack, t: int) -> np.ndarray:
    device = track.devices[t]
    return np.zeros(track.size, bool) if device is None else device.mask(track.size)


def _mask_scores(found: np.ndarray, exact: np.ndarray, truth: FaceTrack) -> dict[str, float]:
    ious = [mask_iou(f, e) for f, e in zip(found, exact, strict=True) if e.any()]
    return {"mask_iou": float(np.mean(ious)), "mask_flicker": float(np.median(flicker(found, truth.pose)))}
