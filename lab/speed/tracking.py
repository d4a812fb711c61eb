"""Milliseconds a frame that the covered-face landmarker and the headset mask take while a head is tracked."""

import time
from collections.abc import Callable
from contextlib import closing

import cv2
import numpy as np

from ...demo import demo_clip
from ...headset.draw import HeadsetArtist, draw_headset, preset
from ...headset.mask import DeviceMasker
from ...tracking.follow import Wearer, follow, track_clip
from ...tracking.heads import HeadDetector
from ...tracking.uncovered import UncoveredLandmarker
from ...video import VideoReader

SIZES = ((440, 360), (880, 720))


def run() -> None:
    """Print a line for each size: acquisition once, then median and 95th percentile of tracking and of masking."""
    with VideoReader(demo_clip()) as reader:
        clip = np.stack([frame.pixels for frame in reader])
    for size in SIZES:
        frames = np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_CUBIC) for frame in clip])
        truth = track_clip(frames, frames.shape[1:3], Wearer(detector="uncovered"))
        covered, _ = draw_headset(frames, truth, HeadsetArtist(preset("quest")))
        with closing(UncoveredLandmarker()) as plain:
            mediapipe = _times(plain.find, covered)
        with closing(HeadDetector("covered")) as detector:
            tracking = _times(detector.detect, covered)
        masking = _mask_times(covered)
        print(
            f"{size[0]}x{size[1]}: finding the covered head {tracking[0]:.0f} ms, tracking {_spread(tracking[1:])}, "
            f"MediaPipe on the same frames {_spread(mediapipe[1:])}, headset mask {_spread(masking[1:])}",
            flush=True,
        )


def _mask_times(covered: np.ndarray) -> list[float]:
    masker = DeviceMasker()
    with closing(follow(((frame, None) for frame in covered), Wearer(detector="covered"))) as followed:
        faces = iter([face for _, _, face in followed])

    def mask(frame: np.ndarray) -> np.ndarray:
        face = next(faces)
        return masker.push(frame, face, face.device)

    return _times(mask, covered)


def _times(work: Callable[[np.ndarray], object], frames: np.ndarray) -> list[float]:
    times = []
    for frame in frames:
        start = time.perf_counter()
        work(frame)
        times.append(1000 * (time.perf_counter() - start))
    return times


def _spread(times: list[float]) -> str:
    return f"{np.median(times):.1f} ms (p95 {np.percentile(times, 95):.1f})"
