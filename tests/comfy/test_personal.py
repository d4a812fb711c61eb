"""Train Personal and Personal Deocclude, one after the other and with what can go wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from examples import Upload, example
from samples import FRAMES, blank_model, carphone_frames
from scenarios import assert_one_sentence, last_event, with_value

from hmd_removal.comfyui.client import ComfyClient, Event, Workflow
from hmd_removal.comfyui.server import ComfyServer
from hmd_removal.restore.personal import read_personal, write_personal

TRAIN, USE = "HMD_TrainPersonal", "HMD_PersonalDeocclude"


@pytest.fixture
def folder(server: ComfyServer) -> Path:
    """Where personal models lie."""
    return server.base / "models" / "hmd_removal" / "personal"


def trained_and_used(name: str) -> Workflow:
    """Both examples in one: the model goes straight from one node to the other."""
    train = {f"9{id}": node for id, node in example("train_personal_model").items()}
    for node in train.values():
        for key, value in node["inputs"].items():
            if isinstance(value, list):
                node["inputs"][key] = [f"9{value[0]}", value[1]]
    graph = with_value(train | example("use_personal_model"), TRAIN, name=name, minutes=0.1)
    (trainer,) = [id for id, node in graph.items() if node["class_type"] == TRAIN]
    return with_value(graph, USE, model="connected model", trained_model=[trainer, 0])


def test_a_model_is_trained_used_at_once_and_offered_later(
    comfy: Callable,
    upload: Upload,
    inputs: dict[str, Path],
    folder: Path,
    server: ComfyServer,
    fetch: Callable[[str], bytes],
    tmp_path: Path,
) -> None:
    async def scenario(client: ComfyClient) -> list[Path]:
        outputs = await client.run(await upload(client, trained_and_used("him"), inputs))
        return await client.download(outputs, tmp_path)

    files = comfy(scenario)
    assert len([file for file in files if file.suffix == ".png"]) == 2  # results on held-out footage; the footage
    (restored,) = [file for file in files if file.name.startswith("restored")]
    before, after = (np.stack(carphone_frames(file, FRAMES)) for file in (inputs["headset.mp4"], restored))
    assert (np.abs(before.astype(int) - after).mean(3) > 40).mean() > 0.03
    model = read_personal(folder / "him.safetensors")
    assert model.about["frames"] == "120" and len(model.reference) >= 1
    assert not list(server.output.rglob("*_training"))  # gigabytes of no further use
    offered = json.loads(fetch(f"/object_info/{USE}"))[USE]["input"]["required"]["model"][1]["options"]
    assert "personal/him.safetensors" in offered


def test_a_cancelled_training_leaves_what_it_has_and_goes_on_from_there(
    comfy: Callable, upload: Upload, inputs: dict[str, Path], folder: Path, server: ComfyServer
) -> None:
    graph = with_value(example("train_personal_model"), TRAIN, name="quitter", minutes=60.0, recipe="paper")

    async def cancelled(client: ComfyClient) -> Event:
        prompt_id = await client.queue(await upload(client, graph, inputs))
        async for event in client.follow(prompt_id):
            # The first tenth of the bar is for reading and covering; then the first look is taken.
            if event.type == "progress" and (folder / "quitter.safetensors").is_file():
                await client.interrupt(prompt_id)
        return event

    assert comfy(cancelled).type == "execution_interrupted"
    assert float(read_personal(folder / "quitter.safetensors").about["hole_psnr"]) > 10
    assert (server.output / "hmd_removal" / "quitter_training" / "checkpoint.pt").is_file()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"name": "../me"}, "Expected a plain name for the model, such as 'me', got '../me'", id="name"),
    ],
)
def test_training_that_cannot_be_is_one_sentence(
    change: dict, words: str, comfy: Callable, upload: Upload, inputs: dict[str, Path]
) -> None:
    graph = with_value(example("train_personal_model"), TRAIN, **change)

    async def scenario(client: ComfyClient) -> Event:
        return await last_event(client, await upload(client, graph, inputs))

    assert_one_sentence(comfy(scenario), words)


def test_nothing_connected_and_foreign_files_are_one_sentence(
    comfy: Callable, upload: Upload, inputs: dict[str, Path], folder: Path
) -> None:
    (folder / "bad.safetensors").write_bytes(b"\0" * 100)

    def event(**change: str) -> Event:
        async def scenario(client: ComfyClient) -> Event:
            graph = with_value(example("use_personal_model"), USE, **change)
            return await last_event(client, await upload(client, graph, inputs))

        return comfy(scenario)

    assert_one_sentence(event(model="connected model"), "trained_model must be plugged in, but it is not")
    assert_one_sentence(event(model="personal/bad.safetensors"), "Expected a personal model in .* cannot be read")


def test_whole_videos_need_no_reference(
    comfy: Callable, upload: Upload, inputs: dict[str, Path], folder: Path, carphone: Path, tmp_path: Path
) -> None:
    write_personal(folder / "me.safetensors", blank_model(carphone))
    graph = with_value(
        example("video_to_video"), "HMD_DeoccludeVideo", method="personal", personal_model="personal/me.safetensors"
    )
    (node,) = [node for node in graph.values() if node["class_type"] == "HMD_DeoccludeVideo"]
    del node["inputs"]["reference"]

    async def scenario(client: ComfyClient) -> list[Path]:
        outputs = await client.run(await upload(client, graph, inputs))
        return await client.download(outputs, tmp_path)

    (video,) = [file for file in comfy(scenario) if file.name.startswith("restored")]
    before, after = (np.stack(carphone_frames(file, 999)) for file in (inputs["headset.mp4"], video))
    assert len(before) == len(after) == FRAMES
    assert (np.abs(before.astype(int) - after).mean(3) > 40).mean() > 0.03
