"""Starting a ComfyUI and talking to it, where things go wrong."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hmd_removal.comfyui.client import ComfyClient, ComfyError
from hmd_removal.comfyui.server import ComfyServer, ServerError


def stand_in(folder: Path, script: str) -> ComfyServer:
    """A server whose ComfyUI is this script."""
    folder.mkdir()
    (folder / "main.py").write_text(script)
    return ComfyServer(folder, folder / "base")


def test_folder_without_comfyui_is_named(tmp_path: Path):
    with pytest.raises(ServerError, match=f"Expected a ComfyUI in {tmp_path}"):
        ComfyServer(tmp_path, tmp_path / "base").start()


def test_comfyui_that_ends_shows_its_last_words(tmp_path: Path):
    server = stand_in(tmp_path / "comfyui", "print('no luck today'); raise SystemExit(3)")
    with pytest.raises(ServerError, match=r"ended with code 3:\n.*no luck today"):
        server.start()


def test_comfyui_that_never_answers_is_ended_with_its_children(tmp_path: Path):
    server = stand_in(
        tmp_path / "comfyui",
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print('child', child.pid)\n"
        "time.sleep(600)\n",
    )
    with pytest.raises(ServerError, match="did not answer within 2 s") as error:
        server.start(timeout=2)
    child = int(str(error.value).rsplit("child ", 1)[1])
    deadline = time.monotonic() + 10  # a killed process is gone soon, not at once
    while running(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not running(child)


def running(pid: int) -> bool:
    """Whether a process lives; one that has ended but was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_upload_keeps_the_name_and_never_overwrites(comfy: Callable, server: ComfyServer, tmp_path: Path):
    file = tmp_path / "my clip.bin"

    async def scenario(client: ComfyClient) -> list[str]:
        names = []
        for content in (b"one", b"one", b"two"):
            file.write_bytes(content)
            names.append(await client.upload(file))
        return names

    names = comfy(scenario)
    assert names[0] == names[1] == "my clip.bin" != names[2]
    assert [(server.input / name).read_bytes() for name in names] == [b"one", b"one", b"two"]


@pytest.mark.parametrize(
    ("workflow", "reason"),
    [
        ({}, "Prompt has no outputs"),
        ({"7": {"class_type": "NoSuchNode", "inputs": {}}}, "NoSuchNode"),
        (
            {"7": {"class_type": "PreviewImage", "inputs": {}}},
            r"node 7 \(PreviewImage\): Required input is missing \(images\)",
        ),
    ],
)
def test_refused_workflow_says_where_and_why(workflow: dict, reason: str, comfy: Callable):
    with pytest.raises(ComfyError, match="^ComfyUI refused the workflow: .*" + reason):
        comfy(lambda client: client.run(workflow))


def test_workflow_half_refused_does_not_run_at_all(comfy: Callable, server: ComfyServer):
    """ComfyUI would run node 2, whose output is sound, and only note that node 3 is not."""
    workflow = {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": 0}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "half"}},
        "3": {"class_type": "SaveImage", "inputs": {"filename_prefix": "half"}},
    }
    with pytest.raises(ComfyError, match=r"node 3 \(SaveImage\)"):
        comfy(lambda client: client.run(workflow))
