"""Many clips through one workflow on one or many ComfyUI servers, each clip once, whatever happens to the servers."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..batch.clips import Clip, results_in
from ..batch.outcome import LEFT, Outcome
from ..errors import InputError
from .client import ComfyClient, ComfyError, Event, Interrupted, Lost, Workflow, files_of
from .journal import Journal
from .workflow import CLIP, NAME, Setting, is_text, with_clip, with_values

MOST_ATTEMPTS = 3  # of a clip: one that makes servers crash must not make all of them crash again and again
PAUSES = (2, 5, 10, 30, 60)  # seconds before a server is tried again; the last one from then on
PATIENCE = 600.0  # seconds in which no server takes a clip before the run ends
GOODBYE = 5.0  # seconds in which a server has to take note that a workflow is cancelled

# Events of a clip in the journal.
DONE, QUEUED, FAILED, LOST, CANCELLED = "done", "queued", "failed", "lost", "cancelled"


class Display:
    """Told by the queue what happens, here in silence. Its methods must return at once."""

    def progress(self, server: str, clip: Clip, event: Event) -> None:
        """An event of the workflow of a clip."""

    def ended(self, outcome: Outcome) -> None:
        """A clip is done, was done before, or has failed for good."""

    def note(self, text: str) -> None:
        """A sentence: a server is lost or there again, a clip is tried again."""


@dataclass(eq=False)
class _Job:
    """A clip that has no result yet. lane: the task that has it. movable: whether another may take it over, which is as
    long as it is not queued. left: the server at which an earlier run queued it, and the prompt id. tried: servers
    where it failed."""

    clip: Clip
    values: dict[str, str]
    attempts: int = 0
    left: tuple[str, str] | None = None
    tried: set[str] = field(default_factory=set)
    lane: asyncio.Task[None] | None = None
    movable: bool = True


class _Server:
    """A ComfyUI, and what this run has there."""

    def __init__(self, client: ComfyClient) -> None:
        self.client = client
        self.url = client.url
        self.alive = False
        self.losses = 0  # since it took a clip
        self.turn = asyncio.Lock()  # one workflow at a time; the next clip's files are sent meanwhile
        self.jobs: set[_Job] = set()
        self.uploaded: dict[Path, str] = {}
        self.sending = asyncio.Lock()
        self.abandoned: list[str] = []  # prompts whose clips have gone elsewhere

    async def upload(self, path: Path) -> str:
        """The name that a file has on this server, to which it is sent once."""
        async with self.sending:
            if path not in self.uploaded:
                self.uploaded[path] = await self.client.upload(path)
            return self.uploaded[path]


class ComfyQueue:
    """Runs clips through a workflow on ComfyUI servers.

    Every server takes the next clip when it is free: it computes one, and meanwhile gets the files of its next, which
    another server may take over should that be free before. A clip whose server is lost goes to another one, as does
    one that fails, up to MOST_ATTEMPTS times in all. What is done is in the journal, with which a second queue goes on.

    Args:
        workflow: in API format.
        settings: what is set in it for each clip. Where none of them takes {clip}, the one input does to which a video
            is uploaded.
        servers: URLs.
        out: folder for the results.
        journal: an open one.
        headers: sent to every server with every request, see ComfyClient.
        display: told of what happens.

    Example:
        with Journal(Path("restored.jsonl"), {"workflow": "w.json"}) as journal:
            queue = ComfyQueue(workflow, [], ["http://a:8188", "http://b:8188"], Path("restored"), journal)
            outcomes = asyncio.run(queue.run([(clip, {}) for clip in clips_in(folder, Path("restored"))]))
    """

    def __init__(
        self,
        workflow: Workflow,
        settings: Sequence[Setting],
        servers: Sequence[str],
        out: Path,
        journal: Journal,
        headers: Mapping[str, str] | None = None,
        display: Display | None = None,
    ) -> None:
        self._workflow, self._settings = workflow, list(settings)
        self._urls, self._headers = servers, headers
        self._out, self._journal = out, journal
        self._display = Display() if display is None else display

    async def run(self, clips: Sequence[tuple[Clip, Mapping[str, str]]]) -> list[Outcome]:
        """Have every clip done that has no result yet; the outcome of each, in their order.

        clips: each with the values of further placeholders. Raises InputError where no server can be used at the start.
        Where this is cancelled, so is what runs on the servers. What a client that was killed left running is waited
        for, and its result fetched.
        """
        self._changed, self._finished = asyncio.Event(), asyncio.Event()
        self._outcomes: dict[str, Outcome] = {}
        self._waiting: list[_Job] = []
        self._servers = [_Server(ComfyClient(url, self._headers)) for url in self._urls]
        there = results_in(self._out)
        for clip, values in clips:
            self._begin(clip, values, there.get(clip.name))
        if self._waiting:
            self._open = len(self._waiting)
            await self._probe()
            await self._until_finished()
        return [self._outcomes[clip.name] for clip, _ in clips]

    def _begin(self, clip: Clip, values: Mapping[str, str], there: Path | None) -> None:
        """Put a clip on the list, or note that it has a result."""
        last = self._journal.last.get(clip.name, {})
        if there is not None:
            known = last if last.get("event") == DONE else {"remark": LEFT}
            facts = {key: known[key] for key in ("where", "seconds", "attempts", "remark") if key in known}
            self._outcomes[clip.name] = outcome = Outcome(clip.name, there, **facts)
            self._display.ended(outcome)
            return
        job = _Job(clip, {CLIP: str(clip.source.resolve()), NAME: clip.name, **values})
        if last.get("event") == QUEUED and last["where"] in (server.url for server in self._servers):
            job.left, job.attempts = (last["where"], last["prompt"]), 1
        self._waiting.append(job)

    async def _probe(self) -> None:
        """Ask the servers what inputs the nodes have. Raises InputError where none answers."""
        self._schemas: dict[str, Any] = {}
        errors = await asyncio.gather(*map(self._schemas_of, self._servers))
        if all(errors):
            raise InputError(" ".join(dict.fromkeys(errors)))
        self._settings = with_clip(self._workflow, self._schemas, self._settings)

    async def _schemas_of(self, server: _Server) -> str:
        """Learn the schemas of one server; why that was not possible."""
        try:
            async with server.client as client:
                for kind in {node["class_type"] for node in self._workflow.values()}:
                    self._schemas |= await client.object_info(kind)
        except ComfyError as error:
            return str(error)
        return ""

    async def _until_finished(self) -> None:
        self._taken_at = time.monotonic()
        tasks = {asyncio.ensure_future(self._serve(server)) for server in self._servers}
        finished = asyncio.ensure_future(self._finished.wait())
        try:
            # A server ends by itself only when all is finished, or with an error.
            done, _ = await asyncio.wait({finished, *tasks}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            await _cancelled({finished, *tasks})

    async def _serve(self, server: _Server) -> None:
        """Keep a server busy until every clip has ended, connecting again whenever it is lost."""
        while self._open:
            try:
                async with server.client:
                    await self._welcome(server)
                    await self._work(server)
            except ComfyError as error:
                self._lose(server, error)
                await asyncio.sleep(PAUSES[min(server.losses, len(PAUSES)) - 1])

    async def _welcome(self, server: _Server) -> None:
        """A server is there, for the first time or again."""
        server.uploaded.clear()  # it may be another machine by now
        while server.abandoned:
            await server.client.interrupt(server.abandoned[-1])
            server.abandoned.pop()
        if server.losses:
            self._display.note(f"{server.url} is there again.")
        server.alive = True
        self._tell()

    def _lose(self, server: _Server, error: ComfyError) -> None:
        """A server is not to be used for now."""
        server.losses += 1
        if server.losses == 1:
            self._display.note(f"{server.url} is left out until it can be used: {error}")
        for job in self._waiting:
            if job.left is not None and job.left[0] == server.url:
                server.abandoned.append(job.left[1])
                job.left = None
        if not any(other.alive for other in self._servers) and time.monotonic() - self._taken_at > PATIENCE:
            for job in self._waiting:
                self._end(job, Outcome(job.clip.name, None, attempts=job.attempts, error=f"No server is left: {error}"))
            self._waiting.clear()
        self._tell()

    async def _work(self, server: _Server) -> None:
        """Two clips at a time: one is computed, while files of the other are sent or fetched."""
        lanes = {asyncio.ensure_future(self._lane(server)) for _ in range(2)}
        try:
            done, _ = await asyncio.wait(lanes, return_when=asyncio.FIRST_EXCEPTION)
            for lane in done:
                lane.result()
        except ComfyError:
            server.alive = False
            raise
        finally:
            await _cancelled(lanes)

    async def _lane(self, server: _Server) -> None:
        while (job := await self._next(server)) is not None:
            try:
                await self._do(server, job)
            except Lost as error:
                self._give_back(server, job, LOST, str(error))
                raise
            except Interrupted as error:
                self._fail(server, job, str(error))
            except (ComfyError, InputError, FileNotFoundError) as error:
                self._give_back(server, job, FAILED, str(error))
            except asyncio.CancelledError:
                if not server.alive:  # else the whole run is being stopped
                    self._give_back(server, job, LOST, f"ComfyUI at {server.url} was lost.")
                raise

    async def _next(self, server: _Server) -> _Job | None:
        """The clip that a server is to do next; waits for one, and gives None when all have ended."""
        while self._open:
            job = self._choice(server)
            if job is not None:
                job.lane, job.movable = asyncio.current_task(), True
                server.jobs.add(job)
                self._tell()
                return job
            await self._changed.wait()
        return None

    def _choice(self, server: _Server) -> _Job | None:
        others = [other for other in self._servers if other.alive and other is not server]
        for job in self._waiting:
            if job.left is not None:
                suits = job.left[0] == server.url
            else:
                # Where it has failed it is tried again only if that has become of it everywhere.
                suits = server.url not in job.tried or all(other.url in job.tried for other in others)
            if suits:
                self._waiting.remove(job)
                return job
        if server.jobs:
            return None
        for other in others:
            for job in other.jobs:
                if other.turn.locked() and job.movable and server.url not in job.tried:
                    other.jobs.discard(job)
                    return job
        return None

    async def _do(self, server: _Server, job: _Job) -> None:
        workflow = await self._filled(server, job) if job.left is None else None
        async with server.turn:
            if job.lane is not asyncio.current_task():
                return  # another server took it meanwhile
            job.movable = False
            started = time.monotonic()
            outputs = await self._computed(server, job, workflow)
        result = await self._saved(server, job.clip, outputs)
        facts = {"where": server.url, "seconds": round(time.monotonic() - started, 1), "attempts": job.attempts}
        self._journal.write(job.clip.name, DONE, result=str(result), **facts)
        server.jobs.discard(job)
        self._end(job, Outcome(job.clip.name, result, **facts))

    async def _filled(self, server: _Server, job: _Job) -> Workflow:
        """The workflow with what is set for a clip; files are sent to the server where an input is no text field."""
        values = {}
        try:
            for setting in self._settings:
                text = setting.text(job.values)
                kind = self._workflow[setting.node]["class_type"]
                if text is not None and os.path.isfile(text) and not is_text(self._schemas, kind, setting.input):
                    text = await server.upload(Path(text))
                if text is not None:
                    values[setting.node, setting.input] = text
        except Lost:
            job.attempts += job.lane is asyncio.current_task()
            raise
        return with_values(self._workflow, values)

    async def _computed(self, server: _Server, job: _Job, workflow: Workflow | None) -> dict[str, Any]:
        """The outputs of a clip's workflow, which is queued first unless it was before."""
        prompt = str(uuid.uuid4()) if job.left is None else job.left[1]
        try:
            if workflow is not None:
                job.attempts += 1
                self._journal.write(job.clip.name, QUEUED, where=server.url, prompt=prompt)
                await server.client.queue(workflow, prompt)
            self._taken_at, server.losses = time.monotonic(), 0
            return await server.client.wait(prompt, lambda event: self._display.progress(server.url, job.clip, event))
        except Lost:
            server.abandoned.append(prompt)
            raise
        except asyncio.CancelledError:
            if server.alive:
                await self._cancel(server, job, prompt)
            else:
                server.abandoned.append(prompt)
            raise

    async def _cancel(self, server: _Server, job: _Job, prompt: str) -> None:
        """As the run is stopped; a server that does not listen goes on, and the next run asks it for the result."""
        try:
            await asyncio.wait_for(server.client.interrupt(prompt), GOODBYE)
        except (ComfyError, asyncio.TimeoutError):
            return
        self._journal.write(job.clip.name, CANCELLED, where=server.url)

    async def _saved(self, server: _Server, clip: Clip, outputs: dict[str, Any]) -> Path:
        """Fetch what a workflow saved: one file, or a folder of several. It appears whole or not at all."""
        files = [file for file in files_of(outputs) if file["type"] == "output"]
        if not files:
            raise ComfyError("The workflow saved no file: give it a node that does, such as Save Video.")
        target = self._out / (clip.name + (Path(files[0]["filename"]).suffix if len(files) == 1 else ""))
        if target.exists():
            raise ComfyError(f"{target} has come into being meanwhile, and is left as it is.")
        if len(files) == 1:
            return await server.client.fetch(files[0], target)
        part = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.part")
        names = [Path(file["filename"]).name for file in files]
        if len(set(names)) < len(names):  # they lie in different folders there
            names = [f"{number}_{name}" for number, name in enumerate(names, 1)]
        try:
            for file, name in zip(files, names, strict=True):
                await server.client.fetch(file, part / name)
            os.replace(part, target)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return target

    def _give_back(self, server: _Server, job: _Job, event: str, error: str) -> None:
        """A clip did not come to its end on a server: put it on the list again, or let it be."""
        if job.lane is not asyncio.current_task():
            return  # another server has it
        server.jobs.discard(job)
        job.lane, job.left = None, None
        job.tried.add(server.url)
        others = any(other.alive and other.url not in job.tried for other in self._servers)
        if job.attempts >= MOST_ATTEMPTS or not (others or event == LOST):
            self._fail(server, job, error)
            return
        self._journal.write(job.clip.name, event, where=server.url, error=error)
        self._display.note(f"{job.clip.name} is tried again, since on {server.url}: {error}")
        self._waiting.insert(0, job)
        self._tell()

    def _fail(self, server: _Server, job: _Job, error: str) -> None:
        """A clip is not tried again."""
        server.jobs.discard(job)
        self._journal.write(job.clip.name, FAILED, where=server.url, error=error)
        self._end(job, Outcome(job.clip.name, None, where=server.url, attempts=job.attempts, error=error))

    def _end(self, job: _Job, outcome: Outcome) -> None:
        self._outcomes[job.clip.name] = outcome
        self._taken_at = time.monotonic()
        self._display.ended(outcome)
        self._open -= 1
        if not self._open:
            self._finished.set()
        self._tell()

    def _tell(self) -> None:
        """Wake those who wait for a clip."""
        self._changed.set()
        self._changed = asyncio.Event()


async def _cancelled(tasks: set[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
