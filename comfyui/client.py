"""A client of ComfyUI's HTTP and websocket interface."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import aiohttp
from yarl import URL

from ..files import written_whole

Value = TypeVar("Value")
Workflow = dict[str, dict[str, Any]]
"""A graph in API format: node id -> {"class_type", "inputs"}."""


QUIET = 10.0  # seconds without an event after which the history is asked, and that an answer to that may take
HEARTBEAT = 20.0  # seconds
RETRIES = (0.5, 1, 2, 4, 8, 16)  # seconds between attempts to connect again
ANSWER = 120.0  # seconds for any other answer: checking a large workflow takes a busy ComfyUI a while
STALLED = 60.0  # seconds in which nothing of a file moves
_LOST = {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}
_ENDINGS = {"execution_success", "execution_error", "execution_interrupted"}


class ComfyError(RuntimeError):
    """ComfyUI refused a workflow or failed to run it. The message names node, class and reason."""


class Interrupted(ComfyError):
    """The workflow was cancelled."""


class Lost(ComfyError):
    """ComfyUI does not answer, or no longer knows the workflow, which another may run."""


@dataclass(frozen=True)
class Event:
    """One websocket message, for instance `progress` with {"node", "value", "max", "prompt_id"}."""

    type: str
    data: dict[str, Any]


class ComfyClient:
    """One connection to a ComfyUI. Follow one workflow at a time; files may be sent and fetched meanwhile.

    Args:
        url: of the ComfyUI, such as "http://127.0.0.1:8188" or, below a path of a web server, "https://host/comfy".
        headers: sent with every request, such as {"Authorization": "Bearer ..."}. No message shows them.

    Every method raises Lost where ComfyUI does not answer, and ComfyError where it refuses.

    Example:
        async with ComfyClient("http://127.0.0.1:8188") as client:
            workflow["1"]["inputs"]["file"] = await client.upload(Path("clip.mp4"))
            outputs = await client.run(workflow)
            files = await client.download(outputs, Path("out"))
    """

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        self._address = url.rstrip("/")
        self.url = public_url(url)
        self._headers = dict(headers or {})
        self._id = uuid.uuid4().hex
        self._session: aiohttp.ClientSession
        self._socket: aiohttp.ClientWebSocketResponse

    async def __aenter__(self) -> ComfyClient:
        # A workflow may run for hours: no limit on the whole of a request.
        self._session = aiohttp.ClientSession(
            headers=self._headers, timeout=aiohttp.ClientTimeout(sock_connect=30, sock_read=STALLED)
        )
        try:
            with self._reaching():
                await self._connect()  # before the first workflow is queued, so no event is missed
        except BaseException:
            await self._session.close()
            raise
        return self

    async def __aexit__(self, *exception: object) -> None:
        try:
            await self._socket.close()
        finally:
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
            with self._reaching():
                answer = await self._while_moving(self._upload(form, path.name), file)
        return f"{answer['subfolder']}/{answer['name']}" if answer["subfolder"] else answer["name"]

    async def _upload(self, form: aiohttp.FormData, name: str) -> dict[str, str]:
        async with self._request("POST", "/upload/image", data=form) as response:
            if response.status == 413:
                raise ComfyError(
                    f"{name} is larger than this ComfyUI accepts; start it with a higher "
                    "--max-upload-size or copy the file into its input folder."
                )
            await self._check(response)
            return await response.json()

    async def queue(self, workflow: Workflow, prompt_id: str | None = None) -> str:
        """Queue a workflow and return its prompt id.

        prompt_id: a UUID to queue it under, so that one knows it even if the answer is lost (default: a new one).

        Raises:
            ComfyError: an input is refused. ComfyUI alone would still run the sound parts of the graph.
        """
        request = {"prompt": workflow, "client_id": self._id, "prompt_id": prompt_id or str(uuid.uuid4())}
        with self._reaching():
            async with self._request("POST", "/prompt", json=request, timeout=_within(ANSWER)) as response:
                if response.status != 400:
                    await self._check(response)
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
            Lost: ComfyUI cannot be reached any more, or no longer knows the workflow.
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
                if await self._waits_or_runs(prompt_id):
                    return None
                kept = (await self._get(f"/history/{prompt_id}", QUIET)).get(prompt_id)
                queue = await self._get("/queue", QUIET)
            except Lost:
                await self._reconnect()  # or it cannot be reached, which that says
                return None
            if kept is not None:
                for name, data in kept["status"]["messages"]:
                    if name in _ENDINGS:
                        return Event(name, data)
                return Event("execution_success", {"prompt_id": prompt_id})
            if any(entry[1] == prompt_id for part in ("queue_running", "queue_pending") for entry in queue[part]):
                return None
        raise Lost(
            "ComfyUI no longer knows the workflow: it was restarted, or the workflow was deleted; queue it again."
        )

    async def _waits_or_runs(self, prompt_id: str) -> bool:
        """Whether /api/jobs says so. False as well where there is no such thing, which is before ComfyUI 0.6."""
        with self._reaching():
            async with self._request("GET", f"/api/jobs/{prompt_id}", timeout=_within(QUIET)) as response:
                if response.status != 200 or response.content_type != "application/json":
                    return False
                return (await response.json())["status"] in ("pending", "in_progress")

    async def _connect(self) -> None:
        # Previews can be large. A heartbeat notices a connection that is dead without having been closed. A process
        # that stands still accepts connections, and says nothing on them.
        connecting = self._session.ws_connect(
            f"{self._address}/ws", params={"clientId": self._id}, max_msg_size=0, heartbeat=HEARTBEAT
        )
        self._socket = await asyncio.wait_for(connecting, QUIET)

    async def _reconnect(self) -> None:
        for pause in RETRIES:
            try:
                return await self._connect()
            except (aiohttp.ClientError, asyncio.TimeoutError, OSError):
                await asyncio.sleep(pause)
        raise Lost(f"ComfyUI at {self.url} cannot be reached any more; its log says why.")

    async def run(self, workflow: Workflow, on_event: Callable[[Event], None] | None = None) -> dict[str, Any]:
        """Queue a workflow, wait for its end, return its outputs: node id -> what the node shows and saved.

        Raises:
            ComfyError: refused or failed.
            Interrupted: cancelled.
        """
        return await self.wait(await self.queue(workflow), on_event)

    async def wait(self, prompt_id: str, on_event: Callable[[Event], None] | None = None) -> dict[str, Any]:
        """Wait for the end of a queued workflow; otherwise as `run`."""
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
        """Copy every file that the outputs of a workflow name into `folder`; return the copies. Each appears whole or
        not at all."""
        return [await self.fetch(file, folder / Path(file["filename"]).name) for file in files_of(outputs)]

    async def fetch(self, file: dict[str, str], path: Path) -> Path:
        """Copy one of `files_of` the outputs to `path`, which it returns."""
        query = {key: file[key] for key in ("filename", "subfolder", "type")}
        with written_whole(path) as part, part.open("wb") as target, self._reaching():
            async with self._request("GET", "/view", params=query) as response:
                await self._check(response)
                async for chunk in response.content.iter_chunked(1 << 20):
                    target.write(chunk)
        return path

    async def interrupt(self, prompt_id: str) -> None:
        """Cancel a workflow, running or still queued."""
        await self._post("/queue", {"delete": [prompt_id]})
        await self._post("/interrupt", {"prompt_id": prompt_id})

    async def free(self) -> None:
        """Have ComfyUI drop its models and cached results."""
        await self._post("/free", {"unload_models": True, "free_memory": True})

    async def _get(self, path: str, seconds: float = ANSWER) -> dict[str, Any]:
        with self._reaching():
            async with self._request("GET", path, timeout=_within(seconds)) as response:
                await self._check(response)
                return await response.json()

    async def _post(self, path: str, content: dict[str, Any]) -> None:
        with self._reaching():
            async with self._request("POST", path, json=content, timeout=_within(ANSWER)) as response:
                await self._check(response)

    def _request(self, method: str, path: str, **how: Any) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        # A redirection would turn POST into GET, and show the headers to whom they are not meant for.
        return self._session.request(method, f"{self._address}{path}", allow_redirects=False, **how)

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        """Where ComfyUI, or what stands before it, does not answer as ComfyUI does: Lost, or ComfyError where asking
        again is of no use."""
        try:
            yield
        except aiohttp.WSServerHandshakeError as error:
            raise self._answered(error.status) from error
        except asyncio.TimeoutError as error:
            raise Lost(f"ComfyUI at {self.url} does not answer.") from error
        except (aiohttp.ClientError, ConnectionError) as error:
            raise Lost(f"ComfyUI at {self.url} does not answer: {error}.") from error

    async def _check(self, response: aiohttp.ClientResponse) -> None:
        if response.status >= 300:
            raise self._answered(response.status)

    def _answered(self, status: int) -> ComfyError:
        if status in (401, 403):
            return ComfyError(f"{self.url} refuses access (status {status}): is the token of the header right?")
        if status < 400:
            return ComfyError(f"{self.url} leads elsewhere (status {status}): give the address it leads to.")
        if status == 404:
            return ComfyError(f"{self.url} has not what was asked for (status 404): is it the address of a ComfyUI?")
        # Too many requests, or a fault of the server's or of what stands before it.
        kind = Lost if status == 429 or status >= 500 else ComfyError
        return kind(f"ComfyUI at {self.url} answers with status {status}.")

    async def _while_moving(self, sending: Coroutine[Any, Any, Value], file: BinaryIO) -> Value:
        """Its result; asyncio.TimeoutError where nothing of the file is taken for STALLED seconds. aiohttp alone would
        wait for ever for a process that stands still."""
        task = asyncio.ensure_future(sending)
        before = None
        try:
            while not (await asyncio.wait({task}, timeout=STALLED))[0]:
                now = None if file.closed else file.tell()
                if now is not None and now == before:
                    raise asyncio.TimeoutError
                before = now
            return task.result()
        finally:
            task.cancel()
            await asyncio.wait({task})


def _within(seconds: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=seconds, sock_connect=30)


def public_url(url: str) -> str:
    """The address without a name and password in it."""
    return str(URL(url).with_user(None)).rstrip("/")


def files_of(outputs: dict[str, Any]) -> list[dict[str, str]]:
    """The files that the outputs of a workflow name: each `filename`, `subfolder` and `type`, which is "temp" for mere
    previews."""
    named = (entry for shown in outputs.values() for entries in shown.values() for entry in entries)
    return [entry for entry in named if isinstance(entry, dict) and "filename" in entry]


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


def _reason(error: dict[str, str] | str) -> str:
    if isinstance(error, str):
        return error
    if error["type"] == "custom_validation_failed":
        return error["details"].partition(" - ")[2] or error["details"]
    return f"{error['message']} ({error['details']})" if error["details"] else error["message"]


def _failure(data: dict[str, Any]) -> str:
    """One line from an `execution_error` event."""
    return f"{_node(data['node_id'], data['node_type'])} failed: {data['exception_message'].strip()}"


def _node(node_id: str, class_type: str) -> str:
    return f"node {node_id} ({class_type})"
