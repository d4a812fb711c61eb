"""Frames per second of `deocclude --method warp`, end to end, with the share of each stage."""

import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial, wraps
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from ...demo import demo_clip
from ...headset.draw import HeadsetArtist, preset
from ...headset.sources import GivenMask, SimulatedHeadset
from ...restore import engine, warp
from ...restore.align import ReferenceAligner
from ...restore.video import deocclude_video
from ...tracking.calibration import PersonalCalibration
from ...tracking.enrol import load_reference
from ...tracking.heads import HeadDetector
from ...video import VideoReader, VideoWriter
from .footage import write_footage

SIZES = ((640, 360), (1280, 720))
# Where each stage's time is measured; none of them calls another.
STAGES: dict[str, tuple[object, str]] = {
    "landmarks": (HeadDetector, "detect"),
    "calibration": (PersonalCalibration, "push"),
    "reference under the mask": (ReferenceAligner, "__call__"),
    "colour and light": (warp, "match_colours"),
    "composite": (engine, "paste"),
    "encode": (VideoWriter, "write"),
}


def run(length: int, runs: int) -> None:
    """Print a line for each size and task: median fps of `runs`, and each stage's time."""
    reference = load_reference(demo_clip())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for width, height in SIZES:
            clip, covered, out = folder / "clip.mp4", folder / "covered.mp4", folder / "out.mp4"
            write_footage(clip, width, height, length)
            simulated = SimulatedHeadset(HeadsetArtist(preset("quest")), oracle=True)
            deocclude_video(clip, out, mask=simulated, reference=reference, covered_target=covered)
            given = GivenMask(_difference(clip, covered))
            common = {"target": out, "reference": reference}
            tasks: dict[str, dict[str, Any]] = {
                "headset footage with a mask": {"source": covered, "mask": given, **common},
                "simulated headset, oracle": {"source": clip, "mask": simulated, **common},
            }
            for task, arguments in tasks.items():
                job = partial(deocclude_video, **arguments)
                speed = statistics.median(length / _seconds(job) for _ in range(runs))
                print(f"{width}x{height}, {task}: {speed:.1f} fps ({_shares(job, clip)})", flush=True)


def _difference(clip: Path, covered: Path) -> np.ndarray:
    """(T, H, W) bool: where the two videos differ, which is where the headset was drawn."""
    pairs = zip(VideoReader(clip), VideoReader(covered), strict=True)
    return np.stack([np.abs(a.pixels.astype(np.int16) - b.pixels).max(2) > 24 for a, b in pairs])


def _seconds(job: Callable[[], object]) -> float:
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def _shares(job: Callable[[], object], clip: Path) -> str:
    """Milliseconds a frame that each stage takes, by the clock of the thread it runs in, in one run more.

    The stages run in two threads, so that the frame rate is higher than their sum suggests.
    """
    spent = dict.fromkeys(("decode", *STAGES), 0.0)
    frames = 0
    start = time.perf_counter()
    for _ in VideoReader(clip):
        frames += 1
    spent["decode"] = time.perf_counter() - start
    with ExitStack() as stack:
        for stage, (owner, name) in STAGES.items():
            stack.enter_context(patch.object(owner, name, _timed(getattr(owner, name), stage, spent)))
        job()
    total = sum(spent.values())
    return ", ".join(f"{stage} {1000 * s / frames:.1f} ms = {s / total:.0%}" for stage, s in spent.items())


def _timed(function: Callable[..., object], stage: str, spent: dict[str, float]) -> Callable[..., object]:
    @wraps(function)
    def timed(*arguments: object, **named: object) -> object:
        start = time.perf_counter()
        try:
            return function(*arguments, **named)
        finally:
            spent[stage] += time.perf_counter() - start

    return timed
