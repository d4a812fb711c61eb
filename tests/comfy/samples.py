"""The files that the example workflows name, made short, and broken ones."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np

from hmd_removal.driving.eye_tracking import EyeTracking, Recording
from hmd_removal.driving.plain import write_plain
from hmd_removal.headset.draw import HeadsetArtist, draw_headset, preset
from hmd_removal.models.aligned_generator import AlignedGenerator
from hmd_removal.restore.personal import PersonalModel, in_use
from hmd_removal.tracking.enrol import reference_from_frames
from hmd_removal.tracking.follow import Wearer, track_clip
from hmd_removal.tracking.track import FaceTrack

FRAMES = 24
LONG = 120
ENROLMENT = slice(72, 120)  # frames of `carphone`
RATE = Fraction(30000, 1001)

# Covers both eyes of `carphone` in each of its first 24 frames: rows and columns in pixels.
EYES = (slice(49, 68), slice(58, 112))
BLINK_ENDS = 0.25  # seconds from each whole one on for which the recorded eyes are shut
BLINK = 42  # number of a frame of `carphone` with both eyes shut


def carphone_frames(clip: Path, count: int) -> list[np.ndarray]:
    """The first frames of a clip, each (H, W, 3) uint8 RGB."""
    with av.open(str(clip)) as container:
        frames = (frame.to_ndarray(format="rgb24") for frame in container.decode(video=0))
        return list(islice(frames, count))


def write_video(path: Path, frames: Iterable[np.ndarray]) -> Path:
    """Encode (H, W, 3) uint8 RGB frames as H.264, nearly lossless."""
    with av.open(str(path), "w") as container:
        stream = None
        for frame in frames:
            if stream is None:
                stream = container.add_stream("libx264", rate=RATE, options={"crf": "10"})
                stream.height, stream.width = frame.shape[:2]
                stream.pix_fmt = "yuv420p"
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


def write_giant(path: Path, count: int, width: int, height: int) -> Path:
    """A file of a few hundred kB that promises many large frames: one picture, then "no change" again and again."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"preset": "ultrafast", "tune": "zerolatency"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        grey = av.VideoFrame.from_ndarray(np.full((height, width, 3), 90, np.uint8), format="rgb24")
        picture, no_change = (bytes(packet) for _ in range(2) for packet in stream.encode(grey))
        for number in range(count):
            packet = av.Packet(no_change if number else picture)
            packet.stream, packet.time_base, packet.is_keyframe = stream, Fraction(1, 30), number == 0
            packet.pts = packet.dts = number
            packet.duration = 1
            container.mux(packet)
    return path


def write_image(path: Path, frame: np.ndarray) -> Path:
    """Write one (H, W, 3) uint8 RGB frame as PNG."""
    with av.open(str(path), "w", format="image2") as container:
        stream = container.add_stream("png", rate=1)
        stream.height, stream.width = frame.shape[:2]
        stream.pix_fmt = "rgb24"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
    return path


def write_sound(path: Path, seconds: float = 1.0) -> Path:
    """A file with a 440 Hz tone and no picture."""
    rate = 48000
    wave = 0.1 * np.sin(2 * np.pi * 440 * np.arange(int(rate * seconds)) / rate, dtype=np.float64)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(wave.astype(np.float32)[None], format="fltp", layout="mono")
        frame.sample_rate = rate
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def example_inputs(folder: Path, clip: Path, count: int = FRAMES) -> dict[str, Path]:
    """Every file that an example workflow names, by that name.

    clip.mp4 shows a face, headset.mp4 the same with a headset drawn on it, mask.mp4 is white where that is,
    reference.png and enrolment.mp4 show the uncovered face at other times, person.mp4 for as long as there is.
    """
    frames = carphone_frames(clip, LONG)
    covered, masks, _ = worn(np.stack(frames[:count]))
    return {
        "clip.mp4": write_video(folder / "clip.mp4", frames[:count]),
        "headset.mp4": write_video(folder / "headset.mp4", covered),
        "mask.mp4": write_video(folder / "mask.mp4", np.repeat(255 * masks[..., None], 3, axis=3)),
        "enrolment.mp4": write_video(folder / "enrolment.mp4", frames[ENROLMENT]),
        "person.mp4": write_video(folder / "person.mp4", frames),
        "reference.png": write_image(folder / "reference.png", frames[ENROLMENT][0]),
    }


def write_eyes(path: Path) -> Path:
    """The recording that the examples name, as long as `carphone`: eyes that shut at each second."""
    tracking = EyeTracking.unknown(np.arange(60 * LONG / float(RATE)) / 60)
    tracking.openness[:] = np.where(tracking.times % 1 < BLINK_ENDS, 0.0, 1.0)[:, None]
    write_plain(path, Recording(tracking, "a test"))
    return path


def worn(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray, FaceTrack]:
    """(T, H, W, 3) uint8 frames of a face with a headset drawn on it, its (T, H, W) uint8 masks, and the face."""
    track = track_clip(frames, frames.shape[1:3], Wearer(detector="uncovered"))
    return *draw_headset(frames, track, HeadsetArtist(preset("quest"))), track


def blank_model(clip: Path) -> PersonalModel:
    """Of the man in `carphone`, a personal model as it starts: it corrects nothing."""
    frames = carphone_frames(clip, LONG)[ENROLMENT]
    reference = reference_from_frames(frames[:3], still=True)[0]
    return PersonalModel(in_use(AlignedGenerator()), reference, None, {})
