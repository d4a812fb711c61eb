"""Frames per second of `deocclude --method warp`, end to end, with the share of each stage."""

import argparse
import cProfile
import pstats
import tempfile
import time
from pathlib import Path

from hmd_removal.demo import demo_clip
from hmd_removal.deocclusion.enrol import load_reference
from hmd_removal.deocclusion.masks import GivenMask, SimulatedHeadset
from hmd_removal.deocclusion.video import deocclude_video
from hmd_removal.faces.headset import HeadsetArtist, preset

from .footage import write_footage

SIZES = ((640, 360), (1280, 720))
# (stage, file, function): cumulative times of functions that do not call each other
STAGES = (
    ("decode", "reader.py", "_frames"),
    ("detect", "detector.py", "detect"),
    ("fill", "engine.py", "process"),
    ("encode", "writer.py", "write"),
)


def measure(width: int, height: int, length: int, runs: int) -> None:
    """Print one line: median fps over `runs`, and each stage's share of one profiled run."""
    reference = load_reference(demo_clip())
    with tempfile.TemporaryDirectory() as folder:
        clip, covered, out = (Path(folder) / name for name in ("clip.mp4", "covered.mp4", "out.mp4"))
        write_footage(clip, width, height, length)
        artist = HeadsetArtist(preset("band"))

        def run() -> float:
            start = time.perf_counter()
            deocclude_video(clip, out, mask=SimulatedHeadset(artist), reference=reference, landmarks="oracle")
            return length / (time.perf_counter() - start)

        def run_visible() -> float:
            start = time.perf_counter()
            deocclude_video(clip, out, mask=SimulatedHeadset(artist), reference=reference, landmarks="visible")
            return length / (time.perf_counter() - start)

        for name, job in (("oracle", run), ("visible", run_visible)):
            speeds = sorted(job() for _ in range(runs))
            profile = cProfile.Profile()
            profile.runcall(job)
            shares = ", ".join(f"{stage} {share:.0%}" for stage, share in _shares(profile))
            print(f"{width}x{height} {name}: {speeds[len(speeds) // 2]:.1f} fps ({shares})", flush=True)
    _ = GivenMask, covered


def _shares(profile: cProfile.Profile) -> list[tuple[str, float]]:
    stats = pstats.Stats(profile)
    times = {
        (Path(file).name, function): cumulative for (file, _, function), (_, _, _, cumulative, _) in stats.stats.items()
    }
    return [(stage, times.get((file, function), 0.0) / stats.total_tt) for stage, file, function in STAGES]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--length", type=int, default=150)
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    for size in SIZES:
        measure(*size, args.length, args.runs)
