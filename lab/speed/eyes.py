"""Processor time that eyes which move cost a frame, by picture size."""

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch

from ...demo import demo_clip
from ...driving.natural import natural
from ...headset.draw import HeadsetArtist, draw_headset, preset
from ...restore import engine, paste
from ...restore.engine import deocclude_clip
from ...tracking.enrol import load_reference
from ...tracking.follow import Wearer, track_clip
from ...tracking.track import USUAL_RATE
from ...video import VideoReader
from .footage import write_footage
from .throughput import timed

SIZES = ((640, 360), (1280, 720), (1920, 1080))
LENGTH = 48  # frames: two seconds, in which natural eyes blink
# None of them calls another.
STAGES: dict[str, tuple[object, str]] = {
    "lids' landmarks": (engine, "_with_lids"),
    "what is wanted": (engine, "driven"),
    "drawing": (paste, "draw_eye"),
}


def run() -> None:
    """Print a line for each size: milliseconds a frame of all cores together, so that other work does not count."""
    reference = load_reference(demo_clip())
    tracking = natural(np.arange(LENGTH) / USUAL_RATE)
    with tempfile.TemporaryDirectory() as name:
        for width, height in SIZES:
            clip = Path(name) / "clip.mp4"
            write_footage(clip, width, height, LENGTH)
            with VideoReader(clip) as reader:
                frames = np.stack([frame.pixels for frame in reader])
            track = track_clip(frames, (height, width), Wearer(detector="uncovered"))
            covered, masks = draw_headset(frames, track, HeadsetArtist(preset("quest")))
            pictures, holes = torch.from_numpy(covered).float() / 255, torch.from_numpy(masks).float()
            spent = dict.fromkeys(STAGES, 0.0)
            with ExitStack() as stack:
                for stage, (owner, function) in STAGES.items():
                    one = timed(getattr(owner, function), stage, spent, time.process_time)
                    stack.enter_context(patch.object(owner, function, one))
                deocclude_clip(pictures, holes, track, reference, tracking=tracking)
            parts = ", ".join(f"{stage} {1000 * seconds / LENGTH:.2f}" for stage, seconds in spent.items())
            print(f"{width}x{height}, eyes: {1000 * sum(spent.values()) / LENGTH:.2f} ms a frame ({parts})", flush=True)
