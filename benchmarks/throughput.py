"""Frames per second of `deocclude --method warp`, end to end, with the share of each stage."""

import cProfile
import pstats
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hmd_removal.demo import demo_clip
from hmd_removal.deocclusion.enrol import load_reference
from hmd_removal.deocclusion.masks import GivenMask, SimulatedHeadset
from hmd_removal.deocclusion.video import deocclude_video
from hmd_removal.faces.headset import HeadsetArtist, preset
from hmd_removal.video import VideoReader

from .footage import write_footage

SIZES = ((640, 360), (1280, 720))
# (stage, file, function): functions that do not call each other; "encode" includes packing the sound
STAGES = (
    ("decode", "reader.py", "_frames"),
    ("landmarks", "detector.py", "detect"),
    ("reference under the mask", "align.py", "__call__"),
    ("colour and light", "blend.py", "match_colours"),
    ("composite", "composite.py", "paste"),
    ("encode", "writer.py", "write"),
)


def run(length: int, runs: int) -> None:
    """Print a line for each size and task: median fps of `runs`, and the shares in one profiled run more."""
    reference = load_reference(demo_clip())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for width, height in SIZES:
            clip, covered, out = folder / "clip.mp4", folder / "covered.mp4", folder / "out.mp4"
            write_footage(clip, width, height, length)
            simulated = SimulatedHeadset(HeadsetArtist(preset("band")))
            deocclude_video(clip, out, mask=simulated, reference=reference, landmarks="oracle", covered_target=covered)
            given = GivenMask(_difference(clip, covered))
            common = {"target": out, "reference": reference}
            tasks: dict[str, dict[str, Any]] = {
                "headset footage with a mask": {"source": covered, "mask": given, **common},
                "simulated headset, oracle": {"source": clip, "mask": simulated, "landmarks": "oracle", **common},
            }
            for task, arguments in tasks.items():
                job = partial(deocclude_video, **arguments)
                speed = statistics.median(length / _seconds(job) for _ in range(runs))
                shares = ", ".join(f"{stage} {share:.0%}" for stage, share in _shares(job))
                print(f"{width}x{height}, {task}: {speed:.1f} fps ({shares})", flush=True)


def _difference(clip: Path, covered: Path) -> np.ndarray:
    """(T, H, W) bool: where the two videos differ, which is where the headset was drawn."""
    pairs = zip(VideoReader(clip), VideoReader(covered), strict=True)
    return np.stack([np.abs(a.pixels.astype(np.int16) - b.pixels).max(2) > 24 for a, b in pairs])


def _seconds(job: Callable[[], object]) -> float:
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def _shares(job: Callable[[], object]) -> list[tuple[str, float]]:
    """Share of the main thread's time that each stage takes, by one profiled run."""
    profile = cProfile.Profile()
    profile.runcall(job)
    stats = pstats.Stats(profile)
    cumulative = {(Path(file).name, function): row[3] for (file, _, function), row in stats.stats.items()}
    total = stats.total_tt
    return [(stage, cumulative.get((file, function), 0.0) / total) for stage, file, function in STAGES]
