"""Inpaint Baseline: every method it offers, and what it says when one lacks something."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from examples import Upload, example
from samples import FRAMES, carphone_frames
from scenarios import assert_one_sentence, last_event

from hmd_removal.comfyui.client import ComfyClient, Event, Workflow

NODE = "HMD_InpaintBaseline"


def workflow(node_type: str = NODE, **widgets: str) -> Workflow:
    """An example with another node in the place of Warp Reference, or with that as it is, and with the result as
    pictures: an encoder would change what lies outside the mask."""
    graph = example("remove_headset_with_mask")
    (filler,) = [id for id, node in graph.items() if node["class_type"] == "HMD_WarpReference"]
    (video,) = [id for id, node in graph.items() if node["class_type"] == "CreateVideo"]
    (save,) = [node for node in graph.values() if node["class_type"] == "SaveVideo"]
    graph[filler]["class_type"] = node_type
    graph[filler]["inputs"] |= widgets
    del graph[video]
    save |= {"class_type": "SaveImage", "inputs": {"images": [filler, 0], "filename_prefix": "filled"}}
    return graph


def without_reference(graph: Workflow) -> Workflow:
    for node in graph.values():
        if node["class_type"] == NODE:
            del node["inputs"]["reference"]
    return graph


@pytest.fixture
def filled(
    comfy: Callable, upload: Upload, inputs: dict[str, Path], tmp_path: Path
) -> Callable[[Workflow], np.ndarray]:
    """Run a workflow and return the frames that it saves, (T, H, W, 3)."""

    def run(graph: Workflow) -> np.ndarray:
        async def scenario(client: ComfyClient) -> list[Path]:
            outputs = await client.run(await upload(client, graph, inputs))
            return await client.download(outputs, tmp_path)

        files = sorted(file for file in comfy(scenario) if file.name.startswith("filled"))
        assert len(files) == FRAMES
        return np.concatenate([carphone_frames(file, 1) for file in files]).astype(int)

    return run


def test_each_method_fills_the_mask_in_its_own_way(filled: Callable, inputs: dict[str, Path]):
    warp = filled(workflow("HMD_WarpReference"))
    np.testing.assert_array_equal(filled(workflow(method="warp")), warp)
    masks = np.stack(carphone_frames(inputs["mask.mp4"], FRAMES))[..., 0]
    for other in (without_reference(workflow(method="telea")), workflow(method="static")):
        apart = np.abs(filled(other) - warp).max(3)
        assert apart[masks > 127].mean() > 10
        assert apart[~_feathered(masks)].max() == 0


@pytest.mark.parametrize(
    ("widgets", "words"),
    [
        ({"method": "static"}, "'static' needs a reference .* connect Pick Reference Frame"),
        ({"method": "lgtsm", "weights": "mine.safetensors"}, "out of telea, static, warp, got 'lgtsm'; .* lab"),
    ],
)
def test_what_a_method_lacks_is_one_sentence(
    widgets: dict[str, str], words: str, comfy: Callable, upload: Upload, inputs: dict[str, Path]
):
    graph = without_reference(workflow(**widgets))

    async def scenario(client: ComfyClient) -> Event:
        return await last_event(client, await upload(client, graph, inputs))

    assert_one_sentence(comfy(scenario), words)


def _feathered(masks: np.ndarray) -> np.ndarray:
    """Where (T, H, W) masks or their feather are, bool."""
    return np.stack([cv2.dilate(mask, np.ones((9, 9))) for mask in masks]) > 127
