"""Make the pictures of the template browser, example_workflows/*.jpg: each example run in ComfyUI on a real clip.

    python tools/make_thumbnails.py .comfyui [EXAMPLE ...]

Without names it makes all of them. use_personal_model needs the model of train_personal_model: name that before it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pygltflib
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

SHOWN = 70  # frame of the clip in which a 3-D face is shown
VIEW = (528, 432)  # pixels of a picture of a 3-D face, of the shape of the demo clip's frames
FACE_HEIGHT, BEHIND = 0.86, 60  # of such a picture's height, and the grey behind the face

# Rows of (beginning of a file's name, frame number; or degrees by which a 3-D face is turned). The files are what the
# workflow reads, what it saves, and what a node shows, which is called hmd_removal.
PICTURES = {
    "simulate_and_restore": [[("with_headset", 70), ("restored", 70)]],
    "compare_methods": [[("comparison", 70)]],
    "remove_real_headset": [[("headset", 12), ("hmd_removal", 12), ("restored", 12)]],
    "remove_headset_with_mask": [[("headset", 88), ("mask", 88), ("restored", 88)]],
    "train_personal_model": [[("person", number) for number in (8, 40, 88, 110)]],
    "use_personal_model": [[("headset", 12), ("restored", 12)]],
    "animate_reference": [[(name, number) for number in (16, 48, 88, 96)] for name in ("headset", "animated")],
    "face_mesh": [[("clip", SHOWN), ("face", -35), ("face", 0), ("face", 35)]],
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
    (file,) = [file for file in files if file.suffix in (".mp4", ".glb") and file.name.startswith(name)]
    picture = Image.fromarray(turned_face(file, number) if file.suffix == ".glb" else frame_of(file, number))
    height = round(width * picture.height / picture.width)
    return np.asarray(picture.resize((width, height), Image.Resampling.LANCZOS))


def frame_of(file: Path, number: int) -> np.ndarray:
    with VideoReader(file) as reader:
        return next(reader.frames(number)).pixels


def turned_face(file: Path, yaw: float) -> np.ndarray:
    """(H, W, 3) uint8: the moving face of a GLB file, turned by degrees; the nearest triangles are drawn last."""
    glb = pygltflib.GLTF2.load_binary(str(file))
    mesh, blob = glb.meshes[0].primitives[0], glb.binary_blob()

    def content(view: int) -> bytes:
        one = glb.bufferViews[view]
        return blob[one.byteOffset : one.byteOffset + one.byteLength]

    def array(accessor: int, kind: type, width: int) -> np.ndarray:
        return np.frombuffer(content(glb.accessors[accessor].bufferView), kind).reshape(-1, width)

    texture = np.asarray(Image.open(BytesIO(content(glb.images[0].bufferView))))
    places = array(mesh.attributes.TEXCOORD_0, np.float32, 2) * np.float32(len(texture))
    cos, sin = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
    targets = [array(target["POSITION"], np.float32, 3) for target in mesh.targets]
    (animation,) = glb.animations
    (channel,) = [one for one in animation.channels if one.target.path == "weights"]
    weights = array(animation.samplers[channel.sampler].output, np.float32, len(targets))[SHOWN]
    points = array(mesh.attributes.POSITION, np.float32, 3) + np.tensordot(weights, targets, 1)
    points = points @ np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]])
    low, high = points.min(0), points.max(0)
    scale = FACE_HEIGHT * VIEW[1] / (high - low)[1]
    at = ((points - (low + high) / 2)[:, :2] * (scale, -scale) + np.array(VIEW) / 2).astype(np.float32)
    triangles = array(mesh.indices, np.uint16, 3)
    drawn = np.full((*VIEW[::-1], 3), BEHIND, np.uint8)
    for corners in triangles[points[triangles, 2].mean(1).argsort()]:
        (ux, uy), (vx, vy) = at[corners[1]] - at[corners[0]], at[corners[2]] - at[corners[0]]
        if ux * vy >= uy * vx:  # seen from behind
            continue
        inside = cv2.fillConvexPoly(np.zeros(VIEW[::-1], np.uint8), np.round(at[corners]).astype(np.int32), 1) > 0
        skin = cv2.warpAffine(texture, cv2.getAffineTransform(places[corners], at[corners]), VIEW)
        drawn[inside] = skin[inside]
    return drawn


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
