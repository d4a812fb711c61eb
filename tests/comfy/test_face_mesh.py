"""Face Mesh over the API: a GLB file that Preview 3D shows, and what it cannot make refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from examples import Upload, example
from samples import FRAMES
from scenarios import assert_one_sentence, last_event, with_value

from hmd_removal.comfyui.client import ComfyClient, Event
from hmd_removal.comfyui.server import ComfyServer

NODE = "HMD_FaceMesh"


def test_the_example_saves_a_face_that_preview_3d_shows(
    comfy: Callable, upload: Upload, inputs: dict[str, Path], server: ComfyServer
) -> None:
    async def scenario(client: ComfyClient) -> dict[str, Any]:
        return await client.run(await upload(client, example("face_mesh"), inputs))

    outputs = comfy(scenario)
    (shown,) = [output["result"][0] for output in outputs.values() if "result" in output]
    file = server.output / shown
    assert shown.startswith("3d/face_") and file.read_bytes().startswith(b"glTF")
    assert b'"animations"' in file.read_bytes()
    assert f"A face that moves in {FRAMES} of {FRAMES} frames" in json.dumps(outputs)


@pytest.mark.parametrize(
    ("video", "values", "words"),
    [
        ("clip.mp4", {"animated": False, "frame": FRAMES}, "Expected a frame from 0 to 23, or -1 for the best, got 24"),
        ("headset.mp4", {}, "a headset is before it in every frame"),
    ],
)
def test_what_it_cannot_make_is_refused(
    video: str, values: dict[str, Any], words: str, comfy: Callable, upload: Upload, inputs: dict[str, Path]
) -> None:
    async def scenario(client: ComfyClient) -> Event:
        workflow = with_value(example("face_mesh"), NODE, **values)
        workflow = with_value(workflow, "HMD_LoadVideoFrames", video=video)
        return await last_event(client, await upload(client, workflow, inputs))

    assert_one_sentence(comfy(scenario), words)
