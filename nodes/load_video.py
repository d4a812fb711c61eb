"""Load Video Frames: a video file's pictures and sound."""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

import torch
from comfy_api.latest import io

from ..errors import InputError
from ..video import VideoReader, read_audio
from ..video.views import FLAT, views_of
from .memory import require_memory
from .paths import State, listed_videos, state_of, video_file
from .progress import counted
from .schema import known
from .sockets import SEARCH_ALIASES

MOST = 2**31 - 1
SILENCE_RATE = 44100


class LoadVideoFrames(io.ComfyNode):
    """Decode a video, or a part of it, into IMAGE and AUDIO."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return known(
            io.Schema,
            node_id="HMD_LoadVideoFrames",
            display_name="Load Video Frames",
            category="HMD Removal/Load",
            description=(
                "Loads a video, or a part of it, as frames and sound. Counts every frame, turns phone videos upright, "
                "stretches pixels that are not square, and reads variable frame rates, odd sizes and 10-bit files. All "
                "frames are held in memory: for long videos use Deocclude Video."
            ),
            search_aliases=[
                *SEARCH_ALIASES,
                "LoadVideoFrames",
                "import video",
                "read video",
                "video to images",
                "footage",
            ],
            inputs=[
                io.Combo.Input(
                    "video",
                    options=listed_videos(),
                    upload=io.UploadType.video,
                    tooltip="A video in ComfyUI's input folder. Upload one, or copy it there.",
                ),
                known(
                    io.String.Input,
                    "path",
                    default="",
                    optional=True,
                    placeholder="path of a video (instead of the one above)",
                    tooltip=(
                        "Path of a video in ComfyUI's input, output or temp folder or a folder below, for files too "
                        "large to upload (over 100 MB). If given, it is used instead of the video above."
                    ),
                    advanced=True,
                ),
                io.Int.Input(
                    "start_frame",
                    default=0,
                    min=0,
                    max=MOST,
                    tooltip="Number of the first frame to load, counted from 0.",
                ),
                io.Int.Input(
                    "length",
                    default=0,
                    min=0,
                    max=MOST,
                    tooltip="How many frames to load at most; 0 loads all.",
                ),
                io.Int.Input(
                    "every_nth",
                    default=1,
                    min=1,
                    max=MOST,
                    tooltip="Load only every n-th frame. The frame rate that is handed out is lowered accordingly.",
                ),
                io.Int.Input(
                    "max_side",
                    default=0,
                    min=0,
                    max=16384,
                    tooltip=(
                        "Shrink the frames so that the longer side has at most this many pixels; 0 keeps the size."
                    ),
                ),
            ],
            outputs=[
                io.Image.Output("frames", display_name="frames", tooltip="The frames, upright."),
                io.Audio.Output(
                    "audio",
                    display_name="audio",
                    tooltip="The sound of the loaded part; silence where the video has none.",
                ),
                io.Float.Output(
                    "fps",
                    display_name="fps",
                    tooltip="Frames per second of the frames that were loaded. Connect it to Create Video.",
                ),
                io.Int.Output("frame_count", display_name="frame count", tooltip="How many frames were loaded."),
            ],
        )

    @classmethod
    def validate_inputs(cls, video: str = "", path: str = "") -> bool | str:
        try:
            video_file(path or video)
        except InputError as error:
            return str(error)
        return True

    @classmethod
    def fingerprint_inputs(cls, video: str = "", path: str = "", **others: Any) -> State | None:
        return state_of(video_file(path or video))

    @classmethod
    def execute(
        cls, video: str, start_frame: int, length: int, every_nth: int, max_side: int, path: str = ""
    ) -> io.NodeOutput:
        file = video_file(path or video)
        with VideoReader(file) as reader:
            info = reader.info
            wanted = reader.frames(start_frame, length, every_nth, max_side)
            count = ceil((info.frame_count - start_frame) / every_nth)
            count = min(count, length) if length else count
            shrunk = reader.size(max_side)[::-1]
            view = views_of(FLAT, shrunk, info.sample_aspect_ratio)[0]
            height, width = view.size(shrunk)
            require_memory(count, width, height)
            frames = torch.empty(count, height, width, 3)
            loaded, start_time = 0, Fraction(0)
            for loaded, frame in enumerate(counted(wanted, count), 1):
                start_time = frame.time if loaded == 1 else start_time
                torch.div(torch.from_numpy(view.take(frame.pixels)), 255, out=frames[loaded - 1])
        fps = info.fps / every_nth
        # Damaged frames are left out, so there may be fewer than counted.
        audio = _audio(file, start_time, loaded / fps)
        return io.NodeOutput(frames[:loaded], audio, float(fps), loaded)


def _audio(file: Path, start: Fraction, duration: Fraction) -> dict[str, Any]:
    """Sound of a stretch of the file as ComfyUI's AUDIO, silent where there is none."""
    audio = read_audio(file, float(start), float(duration))
    if audio is None:
        return {"waveform": torch.zeros(1, 1, round(duration * SILENCE_RATE)), "sample_rate": SILENCE_RATE}
    return {"waveform": audio.waveform, "sample_rate": audio.sample_rate}
