"""Frames a second of `deocclude` from file to file, beside those of a plain transcode; and the share of each stage."""

import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial, wraps
from itertools import product
from pathlib import Path
from unittest.mock import patch

import numpy as np

from ...demo import demo_clip
from ...headset.draw import HeadsetArtist, preset
from ...headset.mask import DeviceMasker
from ...headset.sources import DetectedHeadset, GivenMask, MaskSource, SimulatedHeadset
from ...restore import engine
from ...restore.engine import Scene
from ...restore.video import deocclude_video
from ...restore.warp import WarpFiller
from ...tracking.calibration import PersonalCalibration
from ...tracking.enrol import load_reference
from ...tracking.heads import HeadDetector
from ...tracking.reference import Reference
from ...video import VideoReader, VideoWriter
from .footage import write_footage

SIZES = ((640, 360), (1280, 720), (1920, 1080), (3840, 2160))
METHODS = ("warp", "evi-hrnet")
TRANSCODE = ("-preset", "veryfast", "-crf", "16")  # set like the product's own encoder
# Where each stage's time is measured; none of them calls another.
STAGES: dict[str, tuple[object, str]] = {
    "landmarks": (HeadDetector, "detect"),
    "calibration": (PersonalCalibration, "push"),
    "mask": (DeviceMasker, "push"),
    "reference, grid": (Scene, "window"),
    "warp": (WarpFiller, "fill"),
    "paste": (engine, "pasted"),
    "encode": (VideoWriter, "write"),
}


def run(length: int, runs: int) -> None:
    """Print a line for each size, mask and method: median fps of `runs`, seconds to the first result; for warp also
    each stage's time."""
    reference = load_reference(demo_clip())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for width, height in SIZES:
            covered, mask = _wearer(folder, width, height, length, reference)
            target = folder / "out.mp4"
            plain = length / _median(partial(_transcode, covered, target), runs)
            print(f"{width}x{height}, plain transcode: {plain:.1f} fps", flush=True)
            masks: dict[str, MaskSource] = {"mask given": GivenMask(mask), "auto": DetectedHeadset()}
            for (what, source), method in product(masks.items(), METHODS):
                job = partial(deocclude_video, covered, target, mask=source, reference=reference, method=method)
                fps = length / _median(job, runs)
                shares = f" ({_shares(job, covered)})" if method == "warp" else ""
                print(
                    f"{width}x{height}, {what}, {method}: {fps:.1f} fps, {plain / fps:.1f} times a transcode, first "
                    f"result after {_first_result(job):.1f} s{shares}",
                    flush=True,
                )


def _wearer(folder: Path, width: int, height: int, length: int, reference: Reference) -> tuple[Path, Path]:
    """A video of somebody under a drawn headset, and one of its mask."""
    clip, covered, mask = (folder / f"{name}.mp4" for name in ("clip", "covered", "mask"))
    write_footage(clip, width, height, length)
    drawn = SimulatedHeadset(HeadsetArtist(preset("quest")), oracle=True)
    deocclude_video(clip, folder / "out.mp4", mask=drawn, reference=reference, covered_target=covered)
    with VideoReader(clip) as before, VideoReader(covered) as after:
        with VideoWriter(mask, width=width, height=height, fps=before.info.fps, time_base=before.time_base) as writer:
            for a, b in zip(before, after, strict=True):
                hole = np.abs(a.pixels.astype(np.int16) - b.pixels).max(2) > 24
                writer.write(np.repeat(hole[..., None], 3, 2) * np.uint8(255), a.pts)
    return covered, mask


def _transcode(source: Path, target: Path) -> None:
    command = ["ffmpeg", "-v", "error", "-y", "-i", str(source), *TRANSCODE, str(target)]
    subprocess.run(command, check=True)


def _median(job: Callable[[], object], runs: int) -> float:
    """Seconds."""
    return statistics.median(_seconds(job) for _ in range(runs))


def _seconds(job: Callable[[], object]) -> float:
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def _first_result(job: Callable[..., object]) -> float:
    """Seconds from the call to the first frame that is written."""
    times: list[float] = []
    start = time.perf_counter()
    job(progress=lambda done, total: times.append(time.perf_counter() - start))
    return times[0]


def _shares(job: Callable[[], object], clip: Path) -> str:
    """Milliseconds a frame that each stage takes, by the clock of the thread it runs in, in one run more.

    The stages run in three threads, so that the frame rate is higher than their sum suggests; a thread that waits for a
    core or for the interpreter counts as busy.
    """
    spent = dict.fromkeys(("decode", *STAGES), 0.0)
    frames = 0
    start = time.perf_counter()
    for _ in VideoReader(clip):
        frames += 1
    spent["decode"] = time.perf_counter() - start
    with ExitStack() as stack:
        for stage, (owner, name) in STAGES.items():
            stack.enter_context(patch.object(owner, name, timed(getattr(owner, name), stage, spent)))
        job()
    total = sum(spent.values())
    return ", ".join(f"{stage} {1000 * s / frames:.1f} ms = {s / total:.0%}" for stage, s in spent.items())


def timed(
    function: Callable[..., object],
    stage: str,
    spent: dict[str, float],
    clock: Callable[[], float] = time.perf_counter,
) -> Callable[..., object]:
    """The function, which adds the seconds that it takes by the clock to a stage's."""

    @wraps(function)
    def measured(*arguments: object, **named: object) -> object:
        start = clock()
        try:
            return function(*arguments, **named)
        finally:
            spent[stage] += clock() - start

    return measured
