"""A real ComfyUI with this pack, started once, and what talks to it."""

from __future__ import annotations

import asyncio
import copy
import json
import os
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from examples import ARTEFACTS, ROOT, Upload
from samples import LONG, blank_model, example_inputs, write_eyes

from hmd_removal.comfyui.client import ComfyClient, Workflow
from hmd_removal.comfyui.server import ComfyServer
from hmd_removal.restore.personal import write_personal

Value = TypeVar("Value")


@pytest.fixture(scope="session")
def comfyui() -> Path:
    """Folder of the ComfyUI under test: the environment variable COMFYUI, else what `make setup` made."""
    folder = Path(os.environ.get("COMFYUI") or ROOT / ".comfyui")
    if not (folder / "main.py").is_file():
        pytest.exit(f"These tests need a ComfyUI in {folder}; `make setup` puts one there.", returncode=2)
    return folder.resolve()


@pytest.fixture(scope="session")
def server(comfyui: Path, carphone: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComfyServer]:
    """A running ComfyUI whose only pack is this one, with a personal model of the man in `carphone` that corrects
    nothing, and a recording of eyes; its log is kept in out/test."""
    # Threads that spin while they wait make a test many times slower where other processes want the cores too.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    base = tmp_path_factory.mktemp("comfyui")
    write_personal(base / "models" / "hmd_removal" / "personal" / "me.safetensors", blank_model(carphone))
    (base / "input").mkdir()
    write_eyes(base / "input" / "eyes.csv")
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")  # each has a ComfyUI of its own
    with ComfyServer(comfyui, base, log=ARTEFACTS / f"comfyui{worker}.log") as server:
        yield server


@pytest.fixture
def models(server: ComfyServer) -> Iterator[Path]:
    """The folder for the user's own weights; what a test puts there is gone after it."""
    folder = server.base / "models" / "hmd_removal"
    yield folder
    for file in folder.glob("*.safetensors"):
        file.unlink()


@pytest.fixture(scope="session")
def fetch(server: ComfyServer) -> Callable[[str], bytes]:
    """Body of a GET; raises urllib.error.HTTPError unless found."""

    straight = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def get(path: str) -> bytes:
        with straight.open(server.url + path) as response:
            return response.read()

    return get


@pytest.fixture(scope="session")
def object_info(fetch: Callable[[str], bytes]) -> dict[str, Any]:
    """The schema of every node the server knows, each input as [type, options]."""
    schemas = json.loads(fetch("/object_info"))
    for schema in schemas.values():
        for group in ("required", "optional"):
            for spec in schema["input"].get(group, {}).values():
                if len(spec) == 1:
                    spec.append({})
    return schemas


@pytest.fixture(scope="session")
def comfy(server: ComfyServer) -> Callable[[Callable[[ComfyClient], Awaitable[Value]]], Value]:
    """Run a coroutine function with a connected client and return its result."""

    def run(scenario: Callable[[ComfyClient], Awaitable[Value]]) -> Value:
        async def connected() -> Value:
            async with ComfyClient(server.url) as client:
                # Nothing here takes minutes, but on a busy machine; a hang must not eat the whole run.
                return await asyncio.wait_for(scenario(client), timeout=600)

        return asyncio.run(connected())

    return run


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory, carphone: Path) -> dict[str, Path]:
    """A short file for every name that the example workflows use."""
    return example_inputs(tmp_path_factory.mktemp("inputs"), carphone)


@pytest.fixture(scope="session")
def long_inputs(tmp_path_factory: pytest.TempPathFactory, carphone: Path) -> dict[str, Path]:
    """The same, long enough to be cancelled in the midst."""
    return example_inputs(tmp_path_factory.mktemp("long_inputs"), carphone, LONG)


@pytest.fixture(scope="session")
def upload(object_info: dict[str, Any]) -> Upload:
    """Upload those of the files that a workflow names; return the workflow with the names they got."""

    async def upload(client: ComfyClient, workflow: Workflow, files: dict[str, Path]) -> Workflow:
        workflow = copy.deepcopy(workflow)
        for node in workflow.values():
            schema = object_info[node["class_type"]]["input"]
            for name, (_, options) in (schema.get("required", {}) | schema.get("optional", {})).items():
                if options.get("video_upload") or options.get("image_upload"):
                    node["inputs"][name] = await client.upload(files[node["inputs"][name]])
        return workflow

    return upload
