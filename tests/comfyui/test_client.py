"""The client when a ComfyUI is not there for it all the time: events that do not come, connections that break.

Runs against a server of its own on this machine, which does what ComfyUI does on a bad day. What ComfyUI does on a good
one is tested in tests/comfy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import WSMsgType, web
from fake_comfyui import FakeComfyUI

from hmd_removal.comfyui import client as comfy_client
from hmd_removal.comfyui.client import ComfyClient, ComfyError, Lost, public_url

DONE = {"prompt": [], "outputs": {"9": {"images": []}}, "status": {"status_str": "success", "messages": []}}


class BadDay:
    """queue, history: what the server says of prompt "p". on_connect: what it does with each connection."""

    def __init__(self) -> None:
        self.connections = 0
        self.running, self.history = True, {}
        self.on_connect: Callable[[web.WebSocketResponse, int], Awaitable[None]] = self.silent

    @staticmethod
    async def silent(socket: web.WebSocketResponse, number: int) -> None:
        async for message in socket:
            assert message.type is WSMsgType.TEXT

    async def connect(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.connections += 1
        await self.on_connect(socket, self.connections)
        return socket

    async def kept(self, request: web.Request) -> web.Response:
        return web.json_response(self.history)

    async def queue(self, request: web.Request) -> web.Response:
        return web.json_response({"queue_running": [[0, "p"]] if self.running else [], "queue_pending": []})

    async def prompt(self, request: web.Request) -> web.Response:
        return web.json_response({"prompt_id": "p"})


def run(day: BadDay, meanwhile: Callable[[BadDay], Awaitable[None]] | None = None) -> dict:
    """The outputs of a workflow on that day."""

    async def scenario() -> dict:
        app = web.Application()
        app.router.add_get("/ws", day.connect)
        app.router.add_get("/history/p", day.kept)
        app.router.add_get("/queue", day.queue)
        app.router.add_post("/prompt", day.prompt)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]
        try:
            async with ComfyClient(f"http://127.0.0.1:{port}") as client:
                working = asyncio.ensure_future(client.run({}))
                if meanwhile is not None:
                    await meanwhile(day)
                return await asyncio.wait_for(working, 20)
        finally:
            await runner.cleanup()

    return asyncio.run(scenario())


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comfy_client, "QUIET", 0.2)
    monkeypatch.setattr(comfy_client, "RETRIES", (0.1, 0.1))


def test_a_workflow_whose_events_never_come_ends_all_the_same() -> None:
    async def ends(day: BadDay) -> None:
        await asyncio.sleep(0.5)
        day.running, day.history = False, {"p": DONE}

    assert run(BadDay(), ends) == DONE["outputs"]


def test_an_error_that_was_not_announced_is_found_in_the_history() -> None:
    day = BadDay()
    failure = {"node_id": "3", "node_type": "HMD_DeoccludeVideo", "exception_message": "No headset was found."}
    day.history = {"p": {"outputs": {}, "status": {"messages": [["execution_error", failure]]}}}
    with pytest.raises(ComfyError, match=r"node 3 \(HMD_DeoccludeVideo\) failed: No headset was found"):
        run(day)


def test_a_connection_that_breaks_is_made_again() -> None:
    day = BadDay()

    async def on_connect(socket: web.WebSocketResponse, number: int) -> None:
        if number == 1:
            await asyncio.sleep(0.1)
            await socket.close()
            return
        await socket.send_json({"type": "execution_success", "data": {"prompt_id": "p"}})
        day.history = {"p": DONE}
        await socket.send_json({"type": "executing", "data": {"prompt_id": "p", "node": None}})
        await day.silent(socket, number)

    day.on_connect = on_connect
    assert run(day) == DONE["outputs"] and day.connections == 2


def test_an_error_that_was_announced_while_the_connection_was_broken_is_an_error() -> None:
    day = BadDay()
    failure = {"node_id": "3", "node_type": "HMD_DeoccludeVideo", "exception_message": "No headset was found."}

    async def on_connect(socket: web.WebSocketResponse, number: int) -> None:
        if number == 1:
            await asyncio.sleep(0.1)
            await socket.close()
            return
        await asyncio.sleep(0.3)
        day.history = {"p": {"outputs": {}, "status": {"messages": [["execution_error", failure]]}}}
        await socket.send_json({"type": "executing", "data": {"prompt_id": "p", "node": None}})
        await day.silent(socket, number)

    day.on_connect = on_connect
    with pytest.raises(ComfyError, match="failed: No headset was found"):
        run(day)


def test_a_workflow_that_was_deleted_does_not_keep_one_waiting() -> None:
    async def deleted(day: BadDay) -> None:
        await asyncio.sleep(0.3)
        day.running = False

    with pytest.raises(ComfyError, match="no longer knows the workflow"):
        run(BadDay(), deleted)


class TestRequests:
    """On a server that does what a ComfyUI does, unless told otherwise."""

    @staticmethod
    def asking(server: FakeComfyUI, request: Callable[[ComfyClient], Awaitable[object]], **headers: str) -> object:
        async def scenario() -> object:
            await server.start()
            try:
                async with ComfyClient(server.url, headers) as client:
                    return await asyncio.wait_for(request(client), 20)
            finally:
                server.standing = False
                await server.stop()

        return asyncio.run(scenario())

    def test_a_server_below_a_path_that_wants_a_token(self) -> None:
        server = FakeComfyUI(path="/a/comfy", token="s3cret")
        assert "LoadVideo" in self.asking(
            server, lambda client: client.object_info("LoadVideo"), Authorization="Bearer s3cret"
        )

    def test_access_that_is_refused_is_not_a_server_that_is_lost(self) -> None:
        with pytest.raises(ComfyError, match="refuses access") as error:
            self.asking(FakeComfyUI(token="s3cret"), lambda client: client.object_info())
        assert not isinstance(error.value, Lost)

    def test_an_address_that_leads_elsewhere_is_said_so_and_not_followed(self) -> None:
        server = FakeComfyUI()
        server.status = 301
        with pytest.raises(ComfyError, match=r"leads elsewhere \(status 301\)"):
            self.asking(server, lambda client: client.upload(Path(__file__)))

    def test_a_server_that_fails_is_lost(self, tmp_path: Path) -> None:
        server = FakeComfyUI()
        server.status = 502
        (tmp_path / "clip.mp4").write_text("clip")
        with pytest.raises(Lost, match="answers with status 502"):
            self.asking(server, lambda client: client.upload(tmp_path / "clip.mp4"))

    def test_a_file_too_large_is_said_so(self, tmp_path: Path) -> None:
        server = FakeComfyUI()
        server.status = 413
        (tmp_path / "clip.mp4").write_text("clip")
        with pytest.raises(ComfyError, match="clip.mp4 is larger than this ComfyUI accepts"):
            self.asking(server, lambda client: client.upload(tmp_path / "clip.mp4"))

    def test_a_server_that_stands_still_from_the_start_is_lost(self) -> None:
        server = FakeComfyUI()
        server.standing = True
        with pytest.raises(Lost, match="does not answer"):
            self.asking(server, lambda client: client.object_info())

    @pytest.mark.parametrize("size", [10, 30_000_000], ids=["all of it sent", "more than the connection holds"])
    def test_a_server_that_stands_still_while_a_file_is_sent_is_lost(
        self, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(comfy_client, "STALLED", 0.5)
        server = FakeComfyUI()
        (tmp_path / "clip.mp4").write_bytes(b"x" * size)

        async def send(client: ComfyClient) -> None:
            server.standing = True
            await client.upload(tmp_path / "clip.mp4")

        with pytest.raises(Lost, match="does not answer"):
            self.asking(server, send)

    def test_a_download_that_breaks_leaves_no_file(self, tmp_path: Path) -> None:
        outputs = {"9": {"images": [{"filename": "gone.mp4", "subfolder": "", "type": "output"}]}}
        with pytest.raises(Lost, match="status 500"):
            self.asking(FakeComfyUI(), lambda client: client.download(outputs, tmp_path / "out"))
        assert not list((tmp_path / "out").iterdir())


def test_a_password_in_an_address_is_not_shown() -> None:
    assert public_url("https://me:s3cret@host:8188/comfy/") == "https://host:8188/comfy"
    assert "s3cret" not in ComfyClient("https://me:s3cret@host").url
