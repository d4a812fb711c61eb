"""Make the pictures of the template browser, example_workflows/*.jpg: each example run in ComfyUI on a real clip.

    python tools/make_thumbnails.py .comfyui [EXAMPLE ...]

Without names it makes all of them. use_personal_model needs the model of train_personal_model: name that before it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from build_workflows import title
from PIL import Image

from hmd_removal.comfyui.client import ComfyClient
from hmd_removal.comfyui.server import PACK, ComfyServer
from hmd_removal.demo import demo_clip
from hmd_removal.driving.eye_tracking import EyeTracking, Recording
from hmd_removal.driving.plain import write_plain
from hmd_removal.headset.draw import HeadsetArtist, preset
from hmd_removal.headset.sources import SimulatedHeadset
from hmd_removal.tracking.follow import Wearer
from hmd_removal.video import VideoReader, VideoWriter

EXAMPLES = PACK / "example_workflows"
WIDTH = 600  # pixels
QUALITY = 88
ENROLMENT = 72  # first frame of the clip without headset; what is shown lies before it
TRAINING = 1.0  # minutes of a personal model
SHUT_EVERY, SHUT_FOR = 30, 6  # frames, of the recorded eyes
HEADSET = "quest"  # on what the workflows for footage get

# Rows of (beginning of a file's name, frame number). The files are what the workflow reads, what it saves, and what a
# node shows, which is called hmd_removal.
PICTURES = {
    "simulate_and_restore": [[("with_headset", 70), ("restored", 70)]],
    "compare_methods": [[("comparison", 70)]],
    "remove_real_headset": [[("headset", 12), ("hmd_removal", 12), ("restored", 12)]],
    "remove_headset_with_mask": [[("headset", 88), ("mask", 88), ("restored", 88)]],
    "train_personal_model": [[("person", number) for number in (8, 40, 88, 110)]],
    "use_personal_model": [[("headset", 12), ("restored", 12)]],
    "animate_reference": [[(name, number) for number in (16, 48, 88, 96)] for name in ("headset", "animated")],
    "drive_eyes": [[(name, number) for number in (16, 30, 88, 96)] for name in ("headset", "restored")],
    "video_to_video": [[(name, number) for number in (16, 48, 88, 96)] for name in ("headset", "restored")],
}


def main(comfyui: Path, wanted: list[str]) -> None:
    with tempfile.TemporaryDirectory() as base, ComfyServer(comfyui, base) as server:
        write_inputs(server.input)
        for name in wanted or PICTURES:
            folder = Path(base) / name
            asyncio.run(run(server.url, name, folder))
            files = [*server.input.iterdir(), *folder.iterdir()]
            Image.fromarray(grid(PICTURES[name], files)).save(
                EXAMPLES / f"{title(name)}.jpg", quality=QUALITY, optimize=True
            )


def write_inputs(folder: Path) -> None:
    """Every file that the examples name: the clip, the same with a headset, its mask, a photo, and a clip to enrol."""
    reader = VideoReader(demo_clip())
    info = reader.info
    look = {"width": info.width, "height": info.height, "fps": info.fps}
    frames = [frame.pixels for frame in reader]
    artist = SimulatedHeadset(HeadsetArtist(preset(HEADSET)))
    with (
        VideoWriter(folder / "clip.mp4", **look) as clip,
        VideoWriter(folder / "headset.mp4", **look) as headset,
        VideoWriter(folder / "mask.mp4", **look) as mask,
        VideoWriter(folder / "enrolment.mp4", **look) as enrolment,
        VideoWriter(folder / "person.mp4", **look) as person,
    ):
        for number, frame in enumerate(frames[ENROLMENT:]):
            enrolment.write(frame, number)
        covered = artist.cover(iter(frames), Wearer(on_missing="error"))
        for number, (frame, cover) in enumerate(zip(frames, covered, strict=True)):
            clip.write(frame, number)
            person.write(frame, number)
            headset.write(cover.pixels, number)
            mask.write(np.repeat(255 * cover.mask[..., None], 3, axis=2), number)
    Image.fromarray(frames[0]).save(folder / "reference.png")
    eyes = EyeTracking.unknown(np.arange(len(frames)) / float(info.fps))
    eyes.openness[:] = np.where(np.arange(len(frames)) % SHUT_EVERY < SHUT_FOR, 0.0, 1.0)[:, None]
    write_plain(folder / "eyes.csv", Recording(eyes, "made up"))


async def run(url: str, name: str, folder: Path) -> None:
    """Run one example and leave what it saved in `folder`."""
    async with ComfyClient(url) as client:
        workflow = json.loads((EXAMPLES / "api" / f"{name}.json").read_text())
        for node in workflow.values():
            if node["class_type"] == "HMD_TrainPersonal":
                node["inputs"]["minutes"] = TRAINING
        outputs = await client.run(workflow)
        await client.download(outputs, folder)


def grid(rows: list[list[tuple[str, int]]], files: list[Path]) -> np.ndarray:
    """(H, WIDTH, 3) uint8: frames of the clips whose names begin so."""
    return np.vstack([np.hstack([tile(*cell, files, WIDTH // len(row)) for cell in row]) for row in rows])


def tile(name: str, number: int, files: list[Path], width: int) -> np.ndarray:
    (file,) = [file for file in files if file.suffix == ".mp4" and file.name.startswith(name)]
    with VideoReader(file) as reader:
        picture = Image.fromarray(next(reader.frames(number)).pixels)
    height = round(width * picture.height / picture.width)
    return np.asarray(picture.resize((width, height), Image.Resampling.LANCZOS))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
