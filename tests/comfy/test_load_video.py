"""Load Video Frames on files whose frames are not what is to be shown."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from examples import Upload

from hmd_removal.comfyui.client import ComfyClient


def anamorphic(path: Path) -> Path:
    """Two frames of 120 x 96 pixels, each a third wider than high."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 120, 96, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        for _ in range(2):
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(np.full((96, 120, 3), 90, np.uint8), format="rgb24"))
            )
        container.mux(stream.encode())
    return path


def test_pixels_that_are_not_square_are_stretched(comfy: Callable, upload: Upload, tmp_path: Path) -> None:
    graph = {
        "1": {
            "class_type": "HMD_LoadVideoFrames",
            "inputs": {"video": "wide.mp4", "start_frame": 0, "length": 0, "every_nth": 1, "max_side": 0},
        },
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "wide"}},
    }

    async def scenario(client: ComfyClient) -> list[Path]:
        outputs = await client.run(await upload(client, graph, {"wide.mp4": anamorphic(tmp_path / "wide.mp4")}))
        return await client.download(outputs, tmp_path)

    sizes = []
    for file in comfy(scenario):
        with av.open(str(file)) as picture:
            sizes.append((picture.streams.video[0].width, picture.streams.video[0].height))
    assert sizes == [(160, 96)] * 2
