"""EVI-HRnet Inpaint with a user's own weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from examples import Upload, example
from safetensors.torch import save_file
from samples import FRAMES, carphone_frames
from scenarios import assert_one_sentence, last_event, with_value

from hmd_removal.comfyui.client import ComfyClient, Event, Workflow
from hmd_removal.models.aligned_generator import AlignedGenerator, GeneratorConfig

NODE = "HMD_EVIHRnetInpaint"


def workflow(node_type: str = NODE) -> Workflow:
    """An example, with the network in the place of the warp unless it is wanted as it is, and with its frames as
    pictures: an encoder may make fifty levels out of one."""
    graph = example("remove_headset_with_mask")
    for node in graph.values():
        if node["class_type"] == "HMD_WarpReference" and node_type == NODE:
            node["class_type"] = NODE
            node["inputs"] |= {"weights": "evi_hrnet", "precision": "auto"}
        if node["class_type"] == "CreateVideo":
            frames = node["inputs"]["images"]
        if node["class_type"] == "SaveVideo":
            node |= {"class_type": "SaveImage", "inputs": {"images": frames, "filename_prefix": "filled"}}
    return {name: node for name, node in graph.items() if node["class_type"] != "CreateVideo"}


def untrained(path: Path) -> Path:
    """A network as it starts, which leaves the reference as it is."""
    net = AlignedGenerator(GeneratorConfig((4, 8, 8, 8)))
    save_file(net.state_dict(), path, metadata=net.config.metadata())
    return path


def test_own_weights_are_offered_and_used(
    models: Path,
    comfy: Callable,
    fetch: Callable[[str], bytes],
    upload: Upload,
    inputs: dict[str, Path],
    tmp_path: Path,
):
    untrained(models / "mine.safetensors")
    offered = json.loads(fetch(f"/object_info/{NODE}"))[NODE]["input"]["required"]["weights"][1]["options"]
    assert offered == ["evi_hrnet", "mine.safetensors"]

    async def restored(client: ComfyClient, graph: Workflow, folder: Path) -> np.ndarray:
        outputs = await client.run(await upload(client, graph, inputs))
        files = [file for file in await client.download(outputs, folder) if file.name.startswith("filled")]
        assert len(files) == FRAMES
        return np.concatenate([carphone_frames(file, 1) for file in sorted(files)]).astype(int)

    async def scenario(client: ComfyClient) -> tuple[np.ndarray, ...]:
        warp = workflow("HMD_WarpReference")
        own = with_value(workflow(), NODE, weights="mine.safetensors", precision="float32")
        graphs = (warp, own, workflow())
        return tuple([await restored(client, graph, tmp_path / str(k)) for k, graph in enumerate(graphs)])

    warp, own, shipped = comfy(scenario)
    # But for what is remembered of the room.
    assert np.abs(own - warp).mean() < 0.2 < np.abs(shipped - warp).mean()


def foreign(path: Path) -> None:
    save_file({"weight": torch.zeros(3)}, path)


def damaged(path: Path) -> None:
    path.write_bytes(b"\0" * 100)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(foreign, "Expected weights of EVI-HRnet, whose header names", id="another network"),
        pytest.param(damaged, "Expected weights of EVI-HRnet in .* cannot be read", id="damaged"),
        pytest.param(lambda path: None, "There is no file 'bad.safetensors'", id="not there"),
    ],
)
def test_weights_that_cannot_be_used_are_one_sentence(
    make: Callable[[Path], None], words: str, models: Path, comfy: Callable, upload: Upload, inputs: dict[str, Path]
):
    make(models / "bad.safetensors")

    async def scenario(client: ComfyClient) -> Event:
        graph = with_value(workflow(), NODE, weights="bad.safetensors")
        return await last_event(client, await upload(client, graph, inputs))

    assert_one_sentence(comfy(scenario), words)
