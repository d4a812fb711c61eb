"""A client of ComfyUI's HTTP and websocket interface."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

Workflow = dict[str, dict[str, Any]]
"""A graph in API format: node id -> {"class_type", "inputs"}."""


QUIET = 10.0  # seconds without an event after which the history is asked
HEARTBEAT = 20.0  # seconds
RETRIES = (0.5, 1, 2, 4, 8, 16)  # seconds between attempts to connect again
_LOST = {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}
_ENDINGS = {"execution_success", "execution_error", "execution_interrupted"}


class ComfyError(RuntimeError):
    """ComfyUI refused a workflow or failed to run it. The message names node, class and reason."""


class Interrupted(ComfyError):
    """The workflow was cancelled."""


@dataclass(frozen=True)
class Event:
    """One websocket message, for instance `progress` with {"node", "value", "max", "prompt_id"}."""

    type: str
    data: dict[str, Any]


class ComfyClient:
    """One connection to a ComfyUI. Follow one workflow at a time.

    Example:
        async with ComfyClient("http://127.0.0.1:8188") as client:
            workflow["1"]["inputs"]["video"] = await client.upload(Path("clip.mp4"))
            outputs = await client.run(workflow)
            files = await client.download(outputs, Path("out"))
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._id = uuid.uuid4().hex
        self._session: aiohttp.ClientSession
        self._socket: aiohttp.ClientWebSocketResponse

    async def __aenter__(self) -> ComfyClient:
        # A workflow may run for hours: no limit on the whole of a request.
        self._session = aiohttp.ClientSession(self.url, timeout=aiohttp.ClientTimeout(sock_connect=30))
        try:
            await self._connect()  # before the first workflow is queued, so no event is missed
        except BaseException:
            await self._session.close()
            raise
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._socket.close()
        await self._session.close()

    async def object_info(self, node_id: str | None = None) -> dict[str, Any]:
        """The schemas of all nodes, or of one: node id -> schema."""
        return await self._get("/object_info" if node_id is None else f"/object_info/{node_id}")

    async def upload(self, path: Path) -> str:
        """Send a file of any kind to the input folder; return the name ComfyUI gave it, which may differ."""
        with path.open("rb") as file:
            # Quoted, a space in the name would arrive as %20.
            form = aiohttp.FormData(quote_fields=False)
            form.add_field("image", file, filename=path.name)
            form.add_field("type", "input")
            async with self._session.post("/upload/image", data=form) as response:
                if response.status == 413:
                    raise ComfyError(
                        f"{path.name} is larger than this ComfyUI accepts; start it with a higher "
                        "--max-upload-size or copy the file into its input folder."
                    )
                response.raise_for_status()
                answer = await response.json()
        return f"{answer['subfolder']}/{answer['name']}" if answer["subfolder"] else answer["name"]

    async def queue(self, workflow: Workflow) -> str:
        """Queue a workflow and return its prompt id.

        Raises:
            ComfyError: an input is refused. ComfyUI alone would still run the sound parts of the graph.
        """
        request = {"prompt": workflow, "client_id": self._id}
        async with self._session.post("/prompt", json=request) as response:
            answer = await response.json()
        if answer.get("node_errors") or not response.ok:
            if response.ok:
                await self.interrupt(answer["prompt_id"])
            raise ComfyError(_refusal(answer))
        return answer["prompt_id"]

    async def follow(self, prompt_id: str) -> AsyncIterator[Event]:
        """Yield the events of a queued workflow; the last is execution_success, _error or _interrupted.

        The outputs are in the history once this has ended. Where no event comes for a while, or the connection is
        lost, the history is asked.

        Raises:
            ComfyError: ComfyUI cannot be reached any more, or no longer knows the workflow.
        """
        ended = False
        while True:
            try:
                message = await self._socket.receive(timeout=QUIET)
            except asyncio.TimeoutError:
                message = None
            if message is None or message.type in _LOST:
                if message is not None:
                    await self._reconnect()
                if (ending := await self._ending(prompt_id)) is not None:
                    yield ending
                    return
                continue
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            content = message.json()
            event = Event(content["type"], content.get("data") or {})
            if event.data.get("prompt_id") != prompt_id:
                continue
            if event.type == "executing" and event.data["node"] is None:
                # Comes after the ending has been written to the history.
                if not ended and (ending := await self._ending(prompt_id)) is not None:
                    yield ending  # it was announced while the connection was broken
                return
            ended = event.type in _ENDINGS
            yield event

    async def _ending(self, prompt_id: str) -> Event | None:
        """The event with which a workflow ended, by the history; None while it waits or runs."""
        for _ in range(2):  # between the two questions it may move from the queue to the history
            try:
                kept = (await self._get(f"/history/{prompt_id}", QUIET)).get(prompt_id)
                queue = await self._get("/queue", QUIET)
            except (aiohttp.ClientError, asyncio.TimeoutError):
                await self._reconnect()  # or it cannot be reached, which that says
                return None
            if kept is not None:
                for name, data in kept["status"]["messages"]:
                    if name in _ENDINGS:
                        return Event(name, data)
                return Event("execution_success", {"prompt_id": prompt_id})
            if any(entry[1] == prompt_id for part in ("queue_running", "queue_pending") for entry in queue[part]):
                return None
        raise ComfyError(
            "ComfyUI no longer knows the workflow: it was restarted, or the workflow was deleted; queue it again."
        )

    async def _connect(self) -> None:
        # Previews can be large. A heartbeat notices a connection that is dead without having been closed.
        self._socket = await self._session.ws_connect(
            "/ws", params={"clientId": self._id}, max_msg_size=0, heartbeat=HEARTBEAT
        )

    async def _reconnect(self) -> None:
        for pause in RETRIES:
            try:
                return await self._connect()
            except (aiohttp.ClientError, OSError):
                await asyncio.sleep(pause)
        raise ComfyError(f"ComfyUI at {self.url} cannot be reached any more; its log says why.")

    async def run(self, workflow: Workflow, on_event: Callable[[Event], None] | None = None) -> dict[str, Any]:
        """Queue a workflow, wait for its end, return its outputs: node id -> what the node shows and saved.

        Raises:
            ComfyError: refused or failed.
            Interrupted: cancelled.
        """
        prompt_id = await self.queue(workflow)
        async for event in self.follow(prompt_id):
            if on_event:
                on_event(event)
        if event.type == "execution_error":
            raise ComfyError(_failure(event.data))
        if event.type == "execution_interrupted":
            raise Interrupted(f"Cancelled in {_node(event.data['node_id'], event.data['node_type'])}.")
        return (await self.history(prompt_id))["outputs"]

    async def history(self, prompt_id: str) -> dict[str, Any]:
        """What ComfyUI kept of a finished workflow: `prompt`, `outputs`, `status`. Raises ComfyError where it kept
        nothing."""
        kept = (await self._get(f"/history/{prompt_id}")).get(prompt_id)
        if kept is None:
            raise ComfyError(f"ComfyUI has kept nothing of the workflow {prompt_id}; queue it again.")
        return kept

    async def download(self, outputs: dict[str, Any], folder: Path) -> list[Path]:
        """Copy every file that the outputs of a workflow name into `folder`; return the copies."""
        folder.mkdir(parents=True, exist_ok=True)
        copies = []
        for shown in outputs.values():
            for file in (entry for entries in shown.values() for entry in entries):
                if isinstance(file, dict) and "filename" in file:
                    copies.append(await self._download(file, folder))
        return copies

    async def interrupt(self, prompt_id: str) -> None:
        """Cancel a workflow, running or still queued."""
        await self._post("/queue", {"delete": [prompt_id]})
        await self._post("/interrupt", {"prompt_id": prompt_id})

    async def free(self) -> None:
        """Have ComfyUI drop its models and cached results."""
        await self._post("/free", {"unload_models": True, "free_memory": True})

    async def _download(self, file: dict[str, str], folder: Path) -> Path:
        copy = folder / Path(file["filename"]).name
        part = copy.with_name(copy.name + ".part")
        query = {key: file[key] for key in ("filename", "subfolder", "type")}
        async with self._session.get("/view", params=query) as response:
            response.raise_for_status()
            with part.open("wb") as target:
                async for chunk in response.content.iter_chunked(1 << 20):
                    target.write(chunk)
        os.replace(part, copy)
        return copy

    async def _get(self, path: str, seconds: float | None = None) -> dict[str, Any]:
        limit = aiohttp.ClientTimeout(total=seconds, sock_connect=30)
        async with self._session.get(path, timeout=limit) as response:
            response.raise_for_status()
            return await response.json()

    async def _post(self, path: str, content: dict[str, Any]) -> None:
        async with self._session.post(path, json=content) as response:
            response.raise_for_status()


def _refusal(answer: dict[str, Any]) -> str:
    """One line from /prompt's `error` and `node_errors`."""
    reasons = [
        f"{_node(node_id, node['class_type'])}: {_reason(error)}"
        for node_id, node in (answer.get("node_errors") or {}).items()
        for error in node["errors"]
    ]
    # A node's own check is reported once for each input it looked at.
    unique = dict.fromkeys(reasons or [_reason(answer["error"])])
    return "ComfyUI refused the workflow: " + "; ".join(unique)


def _reason(error: dict[str, str]) -> str:
    if error["type"] == "custom_validation_failed":
        return error["details"].partition(" - ")[2] or error["details"]
    return f"{error['message']} ({error['details']})" if error["details"] else error["message"]


def _failure(data: dict[str, Any]) -> str:
    """One line from an `execution_error` event."""
    return f"{_node(data['node_id'], data['node_type'])} failed: {data['exception_message'].strip()}"


def _node(node_id: str, class_type: str) -> str:
    return f"node {node_id} ({class_type})"
