"""What `hmd-removal demo` leaves."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import av
from samples import FRAMES

from hmd_removal import demo
from hmd_removal.comfyui.server import ComfyServer


def test_demo_leaves_videos_pictures_and_metrics(server: ComfyServer, inputs: dict[str, Path], tmp_path: Path):
    table = asyncio.run(demo.simulate_and_restore(server.url, inputs["clip.mp4"], tmp_path))
    assert {file.name for file in tmp_path.iterdir()} == {
        "input_with_headset.mp4",
        "result.mp4",
        "side_by_side.mp4",
        "contact_sheet.png",
        "metrics.json",
    }
    for name in ("input_with_headset.mp4", "result.mp4", "side_by_side.mp4"):
        with av.open(str(tmp_path / name)) as container:
            assert container.streams.video[0].codec_context.name == "h264"
            assert sum(1 for _ in container.decode(video=0)) == FRAMES
    assert json.loads((tmp_path / "metrics.json").read_text())["mean"]["hole_psnr"] > 0
    assert "PSNR" in table
