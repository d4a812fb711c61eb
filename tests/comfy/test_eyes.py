"""Eyes that move, over the API: tracking data of Load Tracking, and those that are made up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from examples import Upload, example
from samples import FRAMES, RATE, carphone_frames

from hmd_removal.comfyui.client import ComfyClient, Workflow
from hmd_removal.comfyui.server import ComfyServer
from hmd_removal.driving.eye_tracking import EyeTracking, Recording
from hmd_removal.driving.plain import write_plain

FILLING = "HMD_WarpReference"
SHUT = slice(10, 14)  # frames


@pytest.fixture
def recording(server: ComfyServer) -> Iterator[Path]:
    """Of the clip's length, with one blink, in ComfyUI's input folder."""
    times = np.arange(120) / 60
    tracking = EyeTracking.unknown(times)
    frame = times * float(RATE)
    tracking.openness[:] = np.where((frame > SHUT.start - 0.4) & (frame < SHUT.stop - 0.6), 0.0, 1.0)[:, None]
    write_plain(server.input / "blink.csv", Recording(tracking, "a test"))
    yield server.input / "blink.csv"
    (server.input / "blink.csv").unlink()


def graph(**widgets: Any) -> Workflow:
    """An example with its frames as pictures, as an encoder may make fifty levels out of one."""
    workflow = example("remove_headset_with_mask")
    for node in workflow.values():
        if node["class_type"] == FILLING:
            node["inputs"] |= {"fps": float(RATE)} | widgets
        if node["class_type"] == "CreateVideo":
            frames = node["inputs"]["images"]
        if node["class_type"] == "SaveVideo":
            node |= {"class_type": "SaveImage", "inputs": {"images": frames, "filename_prefix": "filled"}}
    workflow = {name: node for name, node in workflow.items() if node["class_type"] != "CreateVideo"}
    loaded = {"file": "blink.csv", "timing": "by offset", "offset": 0.0, "mirror": False}
    return workflow | {"tracking": {"class_type": "HMD_LoadTracking", "inputs": loaded}}


def test_eyes_blink_as_the_data_say(
    comfy: Callable, upload: Upload, inputs: dict[str, Path], recording: Path, tmp_path: Path
) -> None:
    async def restored(client: ComfyClient, workflow: Workflow, folder: Path) -> np.ndarray:
        outputs = await client.run(await upload(client, workflow, inputs))
        files = [file for file in await client.download(outputs, folder) if file.name.startswith("filled")]
        assert len(files) == FRAMES
        return np.concatenate([carphone_frames(file, 1) for file in sorted(files)]).astype(int)

    async def scenario(client: ComfyClient) -> list[np.ndarray]:
        graphs = (graph(), graph(tracking=["tracking", 0]), graph(eyes="natural", fps=2.0))  # twelve seconds
        return [await restored(client, one, tmp_path / str(k)) for k, one in enumerate(graphs)]

    still, driven, made_up = comfy(scenario)
    changed = np.abs(still - driven).max((1, 2, 3))
    assert changed[SHUT].min() > 40 and np.delete(changed, np.r_[SHUT.start - 1 : SHUT.stop + 1]).max() < 40
    assert np.abs(still - made_up).max() > 40
