"""What a user reads when the input cannot be used: one clear sentence, whichever node finds out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Upload, api_workflows
from samples import FRAMES, carphone_frames, write_image, write_sound, write_video

from hmd_removal.comfyui.client import ComfyClient, ComfyError, Event, Workflow

GREY = np.full((144, 176, 3), 128, np.uint8)


def truncated(folder: Path, inputs: dict[str, Path]) -> Path:
    whole = inputs["clip.mp4"].read_bytes()
    path = folder / "truncated.mp4"
    path.write_bytes(whole[: len(whole) // 2])
    return path


def empty(folder: Path, _: dict[str, Path]) -> Path:
    path = folder / "empty.mp4"
    path.touch()
    return path


def sound_only(folder: Path, _: dict[str, Path]) -> Path:
    return write_sound(folder / "sound.m4a")


def video(value: int, *, frames: int = FRAMES, height: int = 144, width: int = 176) -> Callable[..., Path]:
    """Maker of a clip of one colour."""

    def make(folder: Path, _: dict[str, Path]) -> Path:
        frame = np.full((height, width, 3), value, np.uint8)
        return write_video(folder / "plain.mp4", [frame] * frames)

    return make


def photo_without_face(folder: Path, _: dict[str, Path]) -> Path:
    return write_image(folder / "grey.png", GREY)


def workflow_naming(file: str) -> Workflow:
    """The first example workflow that reads a file of that name."""
    for path in api_workflows():
        workflow = json.loads(path.read_text())
        if any(file in node["inputs"].values() for node in workflow.values()):
            return workflow
    raise LookupError(f"No example workflow reads {file}.")


@pytest.mark.parametrize(
    ("file", "make", "word"),
    [
        pytest.param("clip.mp4", empty, "empty|no frame|not a video|cannot be read", id="empty file"),
        pytest.param("clip.mp4", truncated, "truncated|cut off|damaged|cannot be read", id="truncated file"),
        pytest.param("clip.mp4", sound_only, "sound|audio|picture|no video", id="sound only"),
        pytest.param("clip.mp4", video(128), "face", id="no face in the whole clip"),
        pytest.param("clip.mp4", video(128, height=48, width=48), "64", id="smaller than 64 px"),
        pytest.param("reference.png", photo_without_face, "face", id="reference without a face"),
        pytest.param("mask.mp4", video(255, width=192), "mask", id="mask of another size"),
        pytest.param("mask.mp4", video(255, frames=FRAMES - 3), "mask", id="mask of another length"),
        pytest.param("mask.mp4", video(0), "mask", id="empty mask"),
        pytest.param("mask.mp4", video(255), "mask", id="mask covering everything"),
    ],
)
def test_unusable_file_ends_in_one_sentence(
    file: str,
    make: Callable[..., Path],
    word: str,
    comfy: Callable,
    upload: Upload,
    inputs: dict[str, Path],
    tmp_path: Path,
):
    async def scenario(client: ComfyClient) -> Event:
        files = inputs | {file: make(tmp_path, inputs)}
        prompt_id = await client.queue(await upload(client, workflow_naming(file), files))
        return [event async for event in client.follow(prompt_id)][-1]

    end = comfy(scenario)
    assert end.type == "execution_error"
    assert end.data["exception_type"].endswith("errors.InputError"), end.data["exception_message"]
    message = end.data["exception_message"].strip()
    assert re.fullmatch(r"[A-Z].*\.", message)
    assert re.search(word, message, flags=re.IGNORECASE)


@pytest.mark.parametrize("outside", ["../../secret.mp4", "/etc/hostname", "no such file.mp4"])
def test_path_outside_the_input_folder_is_refused_before_anything_runs(
    outside: str, comfy: Callable, upload: Upload, inputs: dict[str, Path]
):
    async def scenario(client: ComfyClient) -> None:
        workflow = await upload(client, workflow_naming("clip.mp4"), inputs)
        for node in workflow.values():
            if node["class_type"] == "HMD_LoadVideoFrames":
                node["inputs"]["video"] = outside
        await client.queue(workflow)

    with pytest.raises(ComfyError, match=r"HMD_LoadVideoFrames\): .*" + re.escape(outside)):
        comfy(scenario)


def test_value_outside_a_choice_is_refused(comfy: Callable, upload: Upload, inputs: dict[str, Path]):
    """This ComfyUI does not check the choices of V3 nodes itself."""

    async def scenario(client: ComfyClient) -> None:
        workflow = await upload(client, workflow_naming("clip.mp4"), inputs)
        for node in workflow.values():
            if node["class_type"] == "HMD_DrawHMDMask":
                node["inputs"]["preset"] = "monocle"
        await client.run(workflow)

    with pytest.raises(ComfyError, match=r"HMD_DrawHMDMask\).*monocle"):
        comfy(scenario)


def test_clip_of_one_frame_runs(comfy: Callable, upload: Upload, inputs: dict[str, Path], tmp_path: Path):
    async def scenario(client: ComfyClient) -> dict:
        one = write_video(tmp_path / "one.mp4", carphone_frames(inputs["clip.mp4"], 1))
        workflow = workflow_naming("clip.mp4")
        return await client.run(await upload(client, workflow, inputs | {"clip.mp4": one}))

    assert comfy(scenario)
