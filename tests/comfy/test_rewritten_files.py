"""ComfyUI keeps the results of nodes whose inputs are unchanged; a file that is written anew under its name is none of
those."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from examples import Upload, example
from scenarios import assert_one_sentence, with_value

from hmd_removal.comfyui.client import ComfyClient, Event, Workflow
from hmd_removal.comfyui.server import ComfyServer
from hmd_removal.weights import BUNDLED

VIDEO, PERSONAL, EVI = "HMD_DeoccludeVideo", "HMD_PersonalDeocclude", "HMD_EVIHRnetInpaint"
SHIPPED = BUNDLED / "evi_hrnet.safetensors"


def with_evi(name: str) -> Workflow:
    """A short example with EVI-HRnet Inpaint in the place of Warp Reference."""
    graph = example("remove_headset_with_mask")
    for node in graph.values():
        if node["class_type"] == "HMD_WarpReference":
            node |= {"class_type": EVI, "inputs": node["inputs"] | {"weights": name}}
            node["inputs"]["precision"] = "auto"
    return graph


def with_person() -> Workflow:
    graph = with_value(example("video_to_video"), VIDEO, method="personal", personal_model="personal/me.safetensors")
    for node in graph.values():
        if node["class_type"] == VIDEO:
            del node["inputs"]["reference"]
    return graph


Run = Callable[[Workflow], tuple[set[str], Event]]


@pytest.fixture
def run(comfy: Callable, upload: Upload, inputs: dict[str, Path]) -> Run:
    """Run a workflow; gives the classes of the nodes that were not taken from the cache, and the last event."""

    def run(workflow: Workflow) -> tuple[set[str], Event]:
        async def scenario(client: ComfyClient) -> tuple[set[str], Event]:
            prompt_id = await client.queue(await upload(client, workflow, inputs))
            events = [event async for event in client.follow(prompt_id)]
            ran = {workflow[event.data["node"]]["class_type"] for event in events if event.type == "executing"}
            return ran, events[-1]

        return comfy(scenario)

    return run


@pytest.fixture
def me(server: ComfyServer) -> Iterator[Path]:
    """The file of a personal model, whole again after the test."""
    path = server.base / "models" / "hmd_removal" / "personal" / "me.safetensors"
    content = path.read_bytes()
    yield path
    path.write_bytes(content)


@pytest.mark.parametrize("kind", [PERSONAL, VIDEO])
def test_a_personal_model(kind: str, run: Run, me: Path):
    graph = with_person()
    if kind == PERSONAL:  # alone: Detect Face Landmarks reads the model as well
        graph = with_value(example("use_personal_model"), "HMD_DetectFaceLandmarks", personal_model="none")
    ran, end = run(graph)
    assert kind in ran and end.type == "execution_success"
    assert kind not in run(graph)[0]
    me.write_bytes(b"\0" * 100)
    ran, end = run(graph)
    assert ran == {kind}
    assert_one_sentence(end, "Expected a personal model in .* cannot be read")


def test_own_weights(run: Run, models: Path):
    file, graph = models / "mine.safetensors", with_evi("mine.safetensors")
    shutil.copy(SHIPPED, file)
    assert EVI in run(graph)[0]
    assert EVI not in run(graph)[0]
    file.write_bytes(b"\0" * 100)
    assert_one_sentence(run(graph)[1], "Expected weights of EVI-HRnet in .* cannot be read")


@pytest.mark.parametrize("kind", [EVI, VIDEO])
def test_the_weights_that_come_with_the_pack(kind: str, run: Run, models: Path):
    """A copy of them in ComfyUI's folder is taken instead."""
    graph = with_evi("evi_hrnet") if kind == EVI else example("video_to_video")
    file = models / SHIPPED.name
    shutil.copy(SHIPPED, file)
    assert kind in run(graph)[0]
    assert kind not in run(graph)[0]
    os.utime(file, (1, 1))
    assert kind in run(graph)[0]
