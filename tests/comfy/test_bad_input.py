"""What a user reads when the input cannot be used: one clear sentence, whichever node finds out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from examples import Upload, api_workflows, example, saved
from samples import BLINK, EYES, FRAMES, carphone_frames, write_giant, write_image, write_sound, write_video
from scenarios import assert_one_sentence, last_event, with_value

from hmd_removal.comfyui.client import ComfyClient, ComfyError, Event, Workflow

GREY = np.full((144, 176, 3), 128, np.uint8)

Maker = Callable[[Path, Path], Path]
"""(folder to write to, the clip `carphone`) -> file."""


def empty(folder: Path, _: Path) -> Path:
    path = folder / "empty.mp4"
    path.touch()
    return path


def truncated(folder: Path, carphone: Path) -> Path:
    path = write_video(folder / "truncated.mp4", carphone_frames(carphone, FRAMES))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def sound_only(folder: Path, _: Path) -> Path:
    return write_sound(folder / "sound.m4a")


def giant(folder: Path, _: Path) -> Path:
    return write_giant(folder / "giant.mp4", 20_000, 3840, 2160)


def video(value: int, *, height: int = 144, width: int = 176) -> Maker:
    """Maker of a clip of one grey."""
    frame = np.full((height, width, 3), value, np.uint8)
    return lambda folder, _: write_video(folder / "plain.mp4", [frame] * FRAMES)


def mask_too_short(folder: Path, _: Path) -> Path:
    mask = np.zeros_like(GREY)
    mask[EYES] = 255
    return write_video(folder / "short.mp4", [mask] * (FRAMES - 3))


def photo_without_face(folder: Path, _: Path) -> Path:
    return write_image(folder / "grey.png", GREY)


def photo_with_shut_eyes(folder: Path, carphone: Path) -> Path:
    return write_image(folder / "blink.png", carphone_frames(carphone, BLINK + 1)[BLINK])


def workflows_naming(file: str) -> list[Workflow]:
    """The example workflows that read a file of that name, and an older one that streams a mask from a file."""
    workflows = [json.loads(path.read_text()) for path in api_workflows()] + [saved("api/video_to_video")]
    return [workflow for workflow in workflows if any(file in node["inputs"].values() for node in workflow.values())]


@pytest.mark.parametrize(
    ("file", "make", "words"),
    [
        pytest.param("clip.mp4", empty, "is empty|cannot be read", id="empty file"),
        pytest.param("clip.mp4", truncated, "cut off|cannot be read", id="truncated file"),
        pytest.param("clip.mp4", sound_only, "holds only sound", id="sound only"),
        pytest.param("clip.mp4", giant, "take 1990.7 GB .* Deocclude Video", id="more frames than memory"),
        pytest.param("clip.mp4", video(128), "No face was found", id="no face in the whole clip"),
        pytest.param("clip.mp4", video(128, height=48, width=48), "at least 64 x 64", id="smaller than 64 px"),
        pytest.param("reference.png", photo_without_face, "no face", id="reference without a face"),
        pytest.param("reference.png", photo_with_shut_eyes, "open eyes", id="reference with closed eyes"),
        pytest.param("mask.mp4", video(255, width=192), "mask must have the frames' size", id="mask of another size"),
        pytest.param("mask.mp4", mask_too_short, "one mask for", id="mask of another length"),
        pytest.param("mask.mp4", video(0), "mask is empty", id="empty mask"),
        pytest.param("mask.mp4", video(255), "mask covers the whole", id="mask covering everything"),
    ],
)
def test_unusable_file_ends_in_one_sentence(
    file: str,
    make: Maker,
    words: str,
    comfy: Callable,
    upload: Upload,
    inputs: dict[str, Path],
    carphone: Path,
    tmp_path: Path,
):
    files = inputs | {file: make(tmp_path, carphone)}

    async def scenario(client: ComfyClient) -> list[Event]:
        return [await last_event(client, await upload(client, graph, files)) for graph in workflows_naming(file)]

    for end in comfy(scenario):
        assert_one_sentence(end, words)


def test_face_that_is_not_there_is_one_sentence(
    comfy: Callable, upload: Upload, inputs: dict[str, Path], carphone: Path, tmp_path: Path
):
    two_faces = [np.hstack([frame, frame]) for frame in carphone_frames(carphone, FRAMES)]
    files = inputs | {"clip.mp4": write_video(tmp_path / "two.mp4", two_faces)}

    async def scenario(client: ComfyClient) -> Event:
        workflow = example("simulate_and_restore")
        return await last_event(
            client, await upload(client, with_value(workflow, "HMD_DetectFaceLandmarks", face=2), files)
        )

    assert_one_sentence(comfy(scenario), "Face 2 was asked for, .* more than 2; choose a lower number")


def test_face_lost_for_thirty_frames_is_reported_and_stops_nothing(
    comfy: Callable, upload: Upload, inputs: dict[str, Path], carphone: Path, tmp_path: Path
):
    frames = carphone_frames(carphone, 50)
    for frame in frames[12:42]:
        frame[25:110, 45:125] = 90  # he is out of sight; a picture that is grey all over would be a scene of its own
    files = inputs | {"clip.mp4": write_video(tmp_path / "lost.mp4", frames)}

    async def scenario(client: ComfyClient) -> dict:
        workflow = example("simulate_and_restore")
        with_value(workflow, "HMD_ComputeMetrics", networks=False)
        track = next(id for id, node in workflow.items() if node["class_type"] == "HMD_DetectFaceLandmarks")
        workflow["report"] = {"class_type": "PreviewAny", "inputs": {"source": [track, 2]}}
        return await client.run(await upload(client, workflow, files))

    (report,) = comfy(scenario)["report"]["text"]
    assert report == (
        "20 of 50 frames have a found face, 30 interpolated (frames 12-41). The eyes are covered in 0 of 50 frames."
    )


@pytest.mark.parametrize("widget", ["video", "path"])
@pytest.mark.parametrize("outside", ["../../secret.mp4", "/etc/hostname", "no such file.mp4"])
def test_path_outside_the_folders_is_refused_before_anything_runs(
    outside: str, widget: str, comfy: Callable, upload: Upload, inputs: dict[str, Path]
):
    async def scenario(client: ComfyClient) -> None:
        workflow = example("simulate_and_restore")
        workflow = await upload(client, workflow, inputs)
        await client.queue(with_value(workflow, "HMD_LoadVideoFrames", **{widget: outside}))

    with pytest.raises(ComfyError, match=r"HMD_LoadVideoFrames\): .*" + re.escape(outside)):
        comfy(scenario)


@pytest.mark.parametrize("prefix", ["../metrics", "/tmp/metrics"])
def test_metrics_are_written_to_the_output_folder_only(
    prefix: str, comfy: Callable, upload: Upload, inputs: dict[str, Path]
):
    async def scenario(client: ComfyClient) -> Event:
        workflow = example("simulate_and_restore")
        workflow = with_value(workflow, "HMD_ComputeMetrics", filename_prefix=prefix)
        return await last_event(client, await upload(client, workflow, inputs))

    assert_one_sentence(comfy(scenario), "must stay inside ComfyUI's output folder")


def test_value_outside_a_choice_is_refused(comfy: Callable, upload: Upload, inputs: dict[str, Path]):
    """By the node, or by a ComfyUI that looks itself."""

    async def scenario(client: ComfyClient) -> None:
        workflow = example("simulate_and_restore")
        await client.run(await upload(client, with_value(workflow, "HMD_DrawHMDMask", preset="monocle"), inputs))

    with pytest.raises(ComfyError, match=r"HMD_DrawHMDMask\).*monocle"):
        comfy(scenario)


@pytest.mark.parametrize(
    ("footage", "values", "words"),
    [
        pytest.param("clip.mp4", {}, "No headset was found on the face", id="nobody wears one"),
        pytest.param("clip.mp4", {"detector": "uncovered"}, "No headset was found on the face", id="uncovered track"),
        pytest.param("headset.mp4", {"face_box": "60, 30"}, "x, y, width, height in pixels", id="half a box"),
        pytest.param("headset.mp4", {"face_box": "600, 0, 50, 50"}, "within 176 x 144 pixels", id="box off it"),
        pytest.param("headset.mp4", {"detector": "hidden"}, "out of auto, uncovered, covered", id="unknown detector"),
    ],
)
def test_headset_that_cannot_be_found_is_one_sentence(
    footage: str, values: dict[str, str], words: str, comfy: Callable, upload: Upload, inputs: dict[str, Path]
):
    files = inputs | {"headset.mp4": inputs[footage]}

    async def scenario(client: ComfyClient) -> Event:
        workflow = example("remove_real_headset")
        workflow = with_value(workflow, "HMD_DetectFaceLandmarks", **values)
        return await last_event(client, await upload(client, workflow, files))

    assert_one_sentence(comfy(scenario), words)


NO_REFERENCE = "A reference of the uncovered face is needed, .* this video itself does not show one"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"method": "telea"}, "Expected a method out of evi-hrnet, warp, personal, got 'telea'; .* Inpaint Baseline"),
        ({"method": "magic"}, "got 'magic'"),
        ({"mask_source": "headset preset"}, "mask_source out of .*, got 'headset preset'; .* 'detect headset'"),
        ({"mask_source": "given mask"}, "mask or mask_video must be connected, but neither is"),
        ({"method": "warp", "reference": None}, NO_REFERENCE),
        ({"reference": None}, NO_REFERENCE),
        ({"method": "personal"}, "'personal' needs the model of a person"),
        ({"method": "personal", "personal_model": "personal/nobody.safetensors"}, "There is no file 'personal/nobody"),
        ({"quality": "best"}, "quality out of high, small, lossless, got 'best'"),
        ({"on_missing": "wait"}, "not 'wait'"),
    ],
    ids=str,
)
def test_deocclude_video_says_in_one_sentence_what_it_lacks(
    values: dict[str, str | None], words: str, comfy: Callable, upload: Upload, inputs: dict[str, Path]
):
    async def scenario(client: ComfyClient) -> Event:
        workflow = with_value(example("video_to_video"), "HMD_DeoccludeVideo", **values)
        for node in workflow.values():
            node["inputs"] = {name: value for name, value in node["inputs"].items() if value is not None}
        return await last_event(client, await upload(client, workflow, inputs))

    assert_one_sentence(comfy(scenario), words)


def test_clip_of_one_frame_runs(
    comfy: Callable, upload: Upload, inputs: dict[str, Path], carphone: Path, tmp_path: Path
):
    files = inputs | {"clip.mp4": write_video(tmp_path / "one.mp4", carphone_frames(carphone, 1))}

    async def scenario(client: ComfyClient) -> dict:
        workflow = example("simulate_and_restore")
        return await client.run(await upload(client, workflow, files))

    assert comfy(scenario)
