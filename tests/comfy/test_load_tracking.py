"""Load Tracking over the API: a recording read, shown and reported, and what is none refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples import carphone_frames
from scenarios import assert_one_sentence, last_event

from hmd_removal.comfyui.client import ComfyClient, ComfyError, Workflow
from hmd_removal.comfyui.server import ComfyServer
from hmd_removal.driving.eye_tracking import EyeTracking, Recording
from hmd_removal.driving.plain import write_plain

NODE = "HMD_LoadTracking"


@pytest.fixture
def recording(server: ComfyServer) -> Iterator[Path]:
    """Four seconds with two blinks, in ComfyUI's input folder."""
    tracking = EyeTracking.unknown(np.arange(240) / 60)
    tracking.openness[:] = np.where((np.arange(240) // 12 == 5) | (np.arange(240) // 12 == 15), 0.1, 0.9)[:, None]
    tracking.gaze[:] = 0.1 * np.sin(tracking.times)[:, None, None]
    write_plain(server.input / "take.csv", Recording(tracking, "a test"))
    yield server.input / "take.csv"
    (server.input / "take.csv").unlink()


def graph(**values: Any) -> Workflow:
    widgets = {"file": "take.csv", "timing": "automatic", "offset": 0.0, "mirror": False}
    return {
        "1": {"class_type": NODE, "inputs": widgets | values},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 1], "filename_prefix": "tracking"}},
        "3": {"class_type": "PreviewAny", "inputs": {"source": ["1", 2]}},
    }


def test_a_recording_is_shown_and_reported(comfy: Callable, recording: Path, tmp_path: Path) -> None:
    async def scenario(client: ComfyClient) -> tuple[list[Path], dict[str, Any]]:
        outputs = await client.run(graph(timing="by offset", offset=2.5, mirror=True))
        return await client.download(outputs, tmp_path), outputs

    files, outputs = comfy(scenario)
    (picture,) = [file for file in files if file.name.startswith("tracking")]  # beside what the node shows
    assert carphone_frames(picture, 1)[0].shape[1] == 1000
    report = json.dumps(outputs)
    assert "plain CSV: 4.0 s at 60 a second, with lids, gaze, without brows, jaw." in report
    assert "Blinks: 2 of the right eye, 2 of the left." in report


def test_the_file_is_offered(fetch: Callable[[str], bytes], recording: Path) -> None:
    schema = json.loads(fetch(f"/object_info/{NODE}"))[NODE]["input"]["required"]
    assert "take.csv" in schema["file"][1]["options"]


def test_a_file_that_is_no_recording_gets_a_sentence(comfy: Callable, server: ComfyServer) -> None:
    (server.input / "cities.csv").write_text("city,people\nRome,3\n")

    async def scenario(client: ComfyClient):
        return await last_event(client, graph(path="cities.csv"))

    assert_one_sentence(comfy(scenario), r"'cities.csv' is no eye or face tracking.*city, people")


def test_a_missing_file_is_refused_before_anything_runs(comfy: Callable) -> None:
    async def scenario(client: ComfyClient) -> str:
        with pytest.raises(ComfyError) as error:
            await client.queue(graph(path="nowhere.csv"))
        return str(error.value)

    assert "There is no file of tracking data nowhere.csv" in comfy(scenario)
