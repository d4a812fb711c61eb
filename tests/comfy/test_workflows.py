"""The example workflows: sound, complete, and they run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import av
import cv2
import numpy as np
import pytest
from examples import EXAMPLES, SUBGRAPHS, Upload, api_workflows, example, twin_of, ui_workflows
from faces_of import inside_oval
from graphs import faults
from samples import BLINK_ENDS, EYES, FRAMES, LONG, RATE, carphone_frames, worn

from hmd_removal.comfyui.client import ComfyClient, Event
from hmd_removal.comfyui.server import ComfyServer

every_api_workflow = pytest.mark.parametrize("path", api_workflows(), ids=lambda path: path.stem)
every_restoring_workflow = pytest.mark.parametrize(
    "path", [path for path in api_workflows() if "SaveVideo" in path.read_text()], ids=lambda path: path.stem
)
every_ui_workflow = pytest.mark.parametrize("path", ui_workflows(), ids=lambda path: path.stem)


SLOWEST = (
    "HMD_WarpReference",
    "HMD_EVIHRnetInpaint",
    "HMD_DeoccludeVideo",
    "HMD_PersonalDeocclude",
    "HMD_TrainPersonal",
    "HMD_AnimateReference",
    "HMD_FaceMesh",
)


def frame_count(file: Path) -> int:
    """Frames of a video or image, each decoded."""
    with av.open(str(file)) as container:
        return sum(1 for _ in container.decode(video=0))


def files_below(*folders: Path) -> set[Path]:
    return {file for folder in folders for file in folder.rglob("*") if file.is_file()}


def test_each_ui_workflow_has_a_twin_and_a_picture():
    assert len(ui_workflows()) >= 4
    assert {twin_of(path) for path in ui_workflows()} == set(api_workflows())
    assert {path.stem for path in ui_workflows()} == {path.stem for path in EXAMPLES.glob("*.jpg")}


def test_template_browser_lists_them(fetch: Callable[[str], bytes]):
    listed = json.loads(fetch("/api/workflow_templates"))["hmd-removal"]
    assert sorted(listed) == [path.stem for path in ui_workflows()]
    for name in map(quote, listed):
        assert json.loads(fetch(f"/api/workflow_templates/hmd-removal/{name}.json"))["nodes"]
        assert fetch(f"/api/workflow_templates/hmd-removal/{name}.jpg").startswith(b"\xff\xd8")


def test_blueprints_are_served_and_hold_what_their_twins_say(fetch: Callable[[str], bytes]):
    """The front end inserts and runs them in test_browser."""
    served = json.loads(fetch("/global_subgraphs"))
    ours = {e["name"]: id for id, e in served.items() if e["info"]["node_pack"] == "custom_nodes.hmd-removal"}
    twins = {path.stem: json.loads(path.read_text()) for path in (SUBGRAPHS / "api").glob("*.json")}
    assert ours.keys() == twins.keys() != set()
    for name, id in ours.items():
        graph = json.loads(json.loads(fetch(f"/global_subgraphs/{id}"))["data"])
        (node,), (inside,) = graph["nodes"], graph["definitions"]["subgraphs"]
        assert node["type"] == inside["id"]
        assert len(node["inputs"]) <= 5
        assert {str(n["id"]): n["type"] for n in inside["nodes"]} == {
            i: n["class_type"] for i, n in twins[name].items()
        }


@every_ui_workflow
def test_loaders_name_their_models_and_our_nodes_their_pack(path: Path):
    ours = [node for node in json.loads(path.read_text())["nodes"] if node["type"].startswith("HMD_")]
    assert ours
    for node in ours:
        assert node["properties"]["cnr_id"] == "hmd-removal"
        for model in node["properties"].get("models", []):
            assert {"name", "url", "hash", "hash_type", "directory"} <= model.keys()


@every_api_workflow
def test_inputs_and_links_are_what_the_nodes_ask_for(path: Path, object_info: dict[str, Any]):
    assert faults(json.loads(path.read_text()), object_info) == []


@every_restoring_workflow
def test_runs_and_keeps_every_frame(
    path: Path, comfy: Callable, upload: Upload, inputs: dict[str, Path], tmp_path: Path
):
    async def scenario(client: ComfyClient) -> list[Path]:
        outputs = await client.run(await upload(client, json.loads(path.read_text()), inputs))
        return await client.download(outputs, tmp_path)

    videos = [file for file in comfy(scenario) if file.suffix == ".mp4"]
    assert videos
    assert [frame_count(video) for video in videos] == [FRAMES] * len(videos)


def test_methods_are_shown_side_by_side_and_measured(
    comfy: Callable, upload: Upload, inputs: dict[str, Path], carphone: Path, tmp_path: Path
):
    workflow = example("compare_methods")

    async def scenario(client: ComfyClient) -> list[Path]:
        outputs = await client.run(await upload(client, workflow, inputs))
        return await client.download(outputs, tmp_path)

    files = {file.name.partition("_0")[0]: file for file in comfy(scenario)}
    pictures = np.stack(carphone_frames(files["comparison"], FRAMES)).astype(float)
    assert pictures.shape[1:3] == (2 * 144 + 4, 3 * 176 + 2 * 4)
    rows = [pictures[:, y : y + 144, x : x + 176] for y in (0, 148) for x in (0, 180, 360)]
    truth = np.stack(carphone_frames(carphone, FRAMES))
    errors = [np.square(panel - truth).mean() for panel in rows]
    assert errors[0] == min(errors) and errors[1] == max(errors)  # the truth itself, and with the headset
    scores = {name: json.loads(file.read_text())["mean"]["psnr"] for name, file in files.items() if "metrics" in name}
    shown = [f"metrics_{method}" for method in ("telea", "static", "warp", "evi_hrnet")]
    assert scores.keys() == set(shown)
    assert [scores[name] for name in shown] == sorted(scores.values())  # each better than the one before
    assert errors[2:] == sorted(errors[2:], reverse=True)  # and so they stand


def test_face_behind_a_headset_comes_back_without_a_mask(
    comfy: Callable, upload: Upload, inputs: dict[str, Path], carphone: Path, tmp_path: Path
):
    """The reference is from another clip. Nearer to the truth than inpainting by 2 dB, on the face."""
    workflow = example("remove_real_headset")

    async def scenario(client: ComfyClient) -> list[Path]:
        outputs = await client.run(await upload(client, workflow, inputs))
        return await client.download(outputs, tmp_path)

    (restored,) = [file for file in comfy(scenario) if file.name.startswith("restored")]
    truth = np.stack(carphone_frames(carphone, FRAMES))
    covered, masks, track = worn(truth)
    face = (masks & inside_oval(track)) > 0
    inpainted = [cv2.inpaint(frame, mask, 3, cv2.INPAINT_TELEA) for frame, mask in zip(covered, masks, strict=True)]
    error, floor = (
        np.square(np.stack(result).astype(float) - truth)[face].mean()
        for result in (carphone_frames(restored, FRAMES), inpainted)
    )
    assert 10 * np.log10(floor / error) > 2


def test_video_to_video_finds_the_headset_itself(
    comfy: Callable, upload: Upload, inputs: dict[str, Path], tmp_path: Path
):
    workflow = example("video_to_video")

    async def scenario(client: ComfyClient) -> list[Path]:
        outputs = await client.run(await upload(client, workflow, inputs))
        return await client.download(outputs, tmp_path)

    (restored,) = [file for file in comfy(scenario) if file.name.startswith("restored")]
    frames = zip(carphone_frames(restored, FRAMES), carphone_frames(inputs["headset.mp4"], FRAMES), strict=True)
    changed = [(np.abs(after.astype(int) - before).mean(2) > 40).mean() for after, before in frames]
    assert len(changed) == FRAMES and 0.02 < min(changed) and max(changed) < 0.25


def test_driven_eyes_shut_when_the_recording_says_so(
    comfy: Callable, upload: Upload, inputs: dict[str, Path], tmp_path: Path
):
    async def scenario(client: ComfyClient) -> list[Path]:
        outputs = await client.run(await upload(client, example("drive_eyes"), inputs))
        return await client.download(outputs, tmp_path)

    (restored,) = [file for file in comfy(scenario) if file.name.startswith("restored")]
    eyes = np.stack(carphone_frames(restored, FRAMES)).astype(int)[(slice(None), *EYES)]
    change, opening = np.abs(np.diff(eyes, axis=0)).mean((1, 2, 3)), round(BLINK_ENDS * RATE)
    assert abs(change.argmax() - opening) <= 1 and change.max() > 1.5 * np.median(change)


@every_api_workflow
def test_cancel_leaves_nothing_half_written(
    path: Path, comfy: Callable, upload: Upload, server: ComfyServer, long_inputs: dict[str, Path]
):
    """Cancelled amid the slowest node. What other nodes had finished by then stays, and is whole."""

    async def scenario(client: ComfyClient) -> Event:
        # Else results of earlier runs would be taken from the cache.
        await client.free()
        workflow = await upload(client, json.loads(path.read_text()), long_inputs)
        slowest = next(id for id, node in workflow.items() if node["class_type"] in SLOWEST)
        prompt_id = await client.queue(workflow)
        async for event in client.follow(prompt_id):
            if event.type == "progress" and event.data["node"] == slowest and event.data["value"] >= 2:
                await client.interrupt(prompt_id)
        return event

    before = files_below(server.output, server.temp)
    end = comfy(scenario)
    assert (end.type, end.data["node_type"] in SLOWEST) == ("execution_interrupted", True)
    for file in files_below(server.output, server.temp) - before:
        if file.suffix == ".json":
            json.loads(file.read_text())
        else:
            assert frame_count(file) == (LONG if file.suffix == ".mp4" else 1), file
