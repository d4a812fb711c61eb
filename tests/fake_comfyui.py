"""A ComfyUI in a few lines, which misbehaves when told to: a real server on this machine, without any node."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import WSMsgType, web

from hmd_removal.comfyui.client import Workflow

LOAD, SAVE, MODEL = "1", "2", "3"  # nodes of WORKFLOW
WORKFLOW: Workflow = {
    LOAD: {"class_type": "LoadVideo", "inputs": {"file": "clip.mp4"}},
    MODEL: {"class_type": "Model", "inputs": {"name": "shipped", "note": "", "strength": 1.0, "on": True}},
    SAVE: {"class_type": "SaveVideo", "inputs": {"video": [LOAD, 0], "filename_prefix": "restored"}},
}
SCHEMAS = {
    "LoadVideo": {"input": {"required": {"file": [["clip.mp4"], {"video_upload": True}]}}},
    "Model": {"input": {"required": {"name": [["shipped"], {}]}, "optional": {"note": ["STRING", {}]}}},
    "SaveVideo": {"input": {"required": {"video": ["VIDEO"], "filename_prefix": ["STRING", {}]}}},
}


class FakeComfyUI:
    """Computes one workflow after the other: its result is "restored: " and what the clip holds.

    Args:
        seconds: that a workflow takes.
        path: of the URL below which it is.
        token: that a request has to bring.

    Of what happened: `uploads`, names of files that came; `started` and `ran`, contents of clips. What it does wrong:
    `refused`, contents of clips for which /prompt answers 400; `failing`, those that end in an error; `deadly`, those
    at which it crashes; `deaf`: it sends no event; `status`: that every upload gets instead of an answer; `standing`:
    it answers nothing at all. saved: how many files a workflow saves.
    """

    def __init__(self, seconds: float = 0.01, path: str = "", token: str = "") -> None:
        self.seconds, self.path, self.token = seconds, path, token
        self.uploads: list[str] = []
        self.started: list[str] = []
        self.ran: list[str] = []
        self.interrupted: list[str] = []
        self.asked: list[str] = []
        self.refused: set[str] = set()
        self.failing: set[str] = set()
        self.deadly: set[str] = set()
        self.deaf, self.status, self.standing, self.saved = False, 200, False, 1
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.path}"

    async def start(self) -> None:
        """Listen, on the port of before if there was one; nothing of before is known any more."""
        self.files: dict[str, str] = {}
        self.results: dict[str, str] = {}
        self.history: dict[str, Any] = {}
        self.waiting: list[tuple[str, Workflow]] = []
        self.running = ""
        self.sockets: dict[str, web.WebSocketResponse] = {}
        app = web.Application(middlewares=[self._at_the_door])
        routes = [
            *(web.get(f"{self.path}{p}", f) for p, f in (("/ws", self._ws), ("/queue", self._queue))),
            web.get(f"{self.path}/object_info/{{kind}}", self._schema),
            web.get(f"{self.path}/history/{{prompt}}", self._history),
            web.get(f"{self.path}/api/jobs/{{prompt}}", self._job),
            web.get(f"{self.path}/view", self._view),
            web.post(f"{self.path}/upload/image", self._upload),
            web.post(f"{self.path}/prompt", self._prompt),
            web.post(f"{self.path}/queue", self._delete),
            web.post(f"{self.path}/interrupt", self._interrupt),
        ]
        app.add_routes(routes)
        self._runner = web.AppRunner(app, shutdown_timeout=0.01)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]
        self._worker = asyncio.ensure_future(self._work())

    async def stop(self) -> None:
        """As kill -9 does: connections break, what ran is gone."""
        self._worker.cancel()
        await self._runner.cleanup()

    async def until_started(self, count: int = 1) -> None:
        while len(self.started) < count:
            await asyncio.sleep(0.005)

    async def _while_standing(self) -> None:
        while self.standing:
            await asyncio.sleep(0.005)

    @web.middleware
    async def _at_the_door(self, request: web.Request, handler: Any) -> web.StreamResponse:
        await self._while_standing()
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            raise web.HTTPUnauthorized
        self.asked.append(request.path.removeprefix(self.path))
        return await handler(request)

    async def _work(self) -> None:
        while True:
            if not self.waiting:
                await asyncio.sleep(0.002)
                continue
            self.running, workflow = self.waiting.pop(0)
            clip = self.files.get(workflow[LOAD]["inputs"]["file"], "")
            self.started.append(clip)
            if clip in self.deadly:
                asyncio.ensure_future(self._crash())
                return
            await self._say("progress", value=1, max=2, node=LOAD)
            for _ in range(max(1, round(self.seconds / 0.01))):
                await asyncio.sleep(0.01)
                await self._while_standing()
                if self.running in self.interrupted:
                    break
            await self._finish(clip, workflow)

    async def _crash(self) -> None:
        await self.stop()
        await self.start()

    async def _finish(self, clip: str, workflow: Workflow) -> None:
        prompt, messages, outputs = self.running, [], {}
        if prompt in self.interrupted:
            messages = [["execution_interrupted", {"prompt_id": prompt, "node_id": LOAD, "node_type": "LoadVideo"}]]
        elif clip in self.failing:
            failure = {"node_id": MODEL, "node_type": "Model", "exception_message": "No headset was found."}
            messages = [["execution_error", failure | {"prompt_id": prompt}]]
        else:
            self.ran.append(clip)
            names = [
                f"{workflow[SAVE]['inputs']['filename_prefix']}_{len(self.results)}_{n}.mp4" for n in range(self.saved)
            ]
            self.results |= dict.fromkeys(names, f"restored: {clip}")
            files = [{"filename": name, "subfolder": "", "type": "output"} for name in names]
            outputs = {SAVE: {"images": [*files, {"filename": "look.png", "subfolder": "", "type": "temp"}]}}
            messages = [["execution_success", {"prompt_id": prompt}]]
        self.history[prompt] = {"outputs": outputs, "status": {"messages": messages}}
        await self._say(messages[0][0], **messages[0][1])
        await self._say("executing", node=None)
        self.running = ""

    async def _say(self, kind: str, **data: Any) -> None:
        for socket in [] if self.deaf else list(self.sockets.values()):
            if not socket.closed:
                await socket.send_json({"type": kind, "data": {"prompt_id": self.running} | data})

    async def _ws(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets[request.query["clientId"]] = socket
        async for message in socket:
            assert message.type is WSMsgType.TEXT
        return socket

    async def _schema(self, request: web.Request) -> web.Response:
        kind = request.match_info["kind"]
        return web.json_response({kind: SCHEMAS[kind]} if kind in SCHEMAS else {})

    async def _upload(self, request: web.Request) -> web.Response:
        if self.status != 200:
            return web.Response(status=self.status)
        file = (await request.post())["image"]
        name = f"{len(self.uploads)} {file.filename}"
        self.uploads.append(file.filename)
        self.files[name] = file.file.read().decode()
        return web.json_response({"name": name, "subfolder": "", "type": "input"})

    async def _prompt(self, request: web.Request) -> web.Response:
        content = await request.json()
        clip = self.files.get(content["prompt"][LOAD]["inputs"]["file"], "")
        if clip in self.refused:
            error = {"type": "value_not_in_list", "message": "Value not in list", "details": "name: 'lost'"}
            nodes = {MODEL: {"class_type": "Model", "errors": [error]}}
            return web.json_response({"error": error, "node_errors": nodes}, status=400)
        self.waiting.append((content["prompt_id"], content["prompt"]))
        return web.json_response({"prompt_id": content["prompt_id"], "node_errors": {}})

    async def _queue(self, request: web.Request) -> web.Response:
        pending = [[0, prompt] for prompt, _ in self.waiting]
        return web.json_response({"queue_running": [[0, self.running]], "queue_pending": pending})

    async def _history(self, request: web.Request) -> web.Response:
        prompt = request.match_info["prompt"]
        return web.json_response({prompt: self.history[prompt]} if prompt in self.history else {})

    async def _job(self, request: web.Request) -> web.Response:
        if request.match_info["prompt"] == self.running:
            return web.json_response({"id": self.running, "status": "in_progress"})
        return web.json_response({"error": "Job not found"}, status=404)

    async def _view(self, request: web.Request) -> web.Response:
        return web.Response(text=self.results[request.query["filename"]])

    async def _delete(self, request: web.Request) -> web.Response:
        gone = (await request.json())["delete"]
        self.waiting = [(prompt, workflow) for prompt, workflow in self.waiting if prompt not in gone]
        return web.Response()

    async def _interrupt(self, request: web.Request) -> web.Response:
        self.interrupted.append((await request.json())["prompt_id"])
        return web.Response()
