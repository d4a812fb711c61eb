"""Many clips over servers that crash, stall and refuse: every clip is done once, none is lost, none overwritten."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import pytest
from fake_comfyui import MODEL, SAVE, WORKFLOW, FakeComfyUI

from hmd_removal.batch.clips import Clip, clips_in
from hmd_removal.batch.outcome import Outcome
from hmd_removal.comfyui import client as comfy_client
from hmd_removal.comfyui import queue as comfy_queue
from hmd_removal.comfyui.client import ComfyClient
from hmd_removal.comfyui.journal import Journal
from hmd_removal.comfyui.queue import MOST_ATTEMPTS, ComfyQueue, Display
from hmd_removal.comfyui.workflow import Setting
from hmd_removal.errors import InputError


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comfy_client, "QUIET", 1.0)
    monkeypatch.setattr(comfy_client, "STALLED", 1.0)
    monkeypatch.setattr(comfy_client, "RETRIES", (0.05, 0.05))
    monkeypatch.setattr(comfy_queue, "PAUSES", (0.05, 0.2))
    monkeypatch.setattr(comfy_queue, "PATIENCE", 0.5)


class Folder:
    """A folder of clips, each of which holds its own name, and what has been made of them."""

    def __init__(self, root: Path) -> None:
        self.clips, self.out, self.journal = root / "clips", root / "out", root / "out.jsonl"

    def fill(self, *names: str) -> Folder:
        for name in names:
            path = self.clips / f"{name}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
        return self

    def results(self) -> dict[str, str]:
        """Names of the files in the folder of results, and what they hold."""
        files = (path for path in self.out.rglob("*") if path.is_file())
        return {path.relative_to(self.out).as_posix(): path.read_text() for path in files}

    def all_done(self, names: Sequence[str]) -> bool:
        return self.results() == {f"{name}.mp4": f"restored: {name}" for name in names}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


class Notes(list[str], Display):
    """The sentences that the queue says."""

    def note(self, text: str) -> None:
        self.append(text)


Meanwhile = Callable[[], Awaitable[None]]


def run(
    folder: Folder,
    servers: Sequence[FakeComfyUI],
    meanwhile: Meanwhile | None = None,
    *,
    settings: Sequence[Setting] = (),
    headers: dict[str, str] | None = None,
    columns: dict[str, str] | None = None,
    display: Display | None = None,
) -> dict[str, Outcome]:
    """The outcome of each clip of the folder, by its name. meanwhile: what happens to the servers."""

    async def scenario() -> list[Outcome]:
        for server in servers:
            await server.start()
        try:
            with Journal(folder.journal, {"workflow": "w"}) as journal:
                urls = [server.url for server in servers]
                queue = ComfyQueue(WORKFLOW, settings, urls, folder.out, journal, headers, display)
                clips = [(clip, columns or {}) for clip in clips_in(folder.clips, folder.out)]
                running = asyncio.ensure_future(queue.run(clips))
                if meanwhile is not None:
                    await asyncio.wait_for(meanwhile(), 20)
                return await asyncio.wait_for(running, 20)
        finally:
            for server in servers:
                await server.stop()

    return {outcome.clip: outcome for outcome in asyncio.run(scenario())}


TEN = [f"day {n % 2}/clip {n}" for n in range(10)]


def test_every_clip_is_done_once_and_keeps_its_folder(folder: Folder) -> None:
    servers = [FakeComfyUI(seconds=0.1) for _ in range(3)]
    outcomes = run(folder.fill(*TEN), servers)
    assert folder.all_done(TEN)
    assert sorted(clip for server in servers for clip in server.ran) == sorted(TEN)
    assert all(server.ran for server in servers)
    assert {outcome.attempts for outcome in outcomes.values()} == {1}
    assert {outcome.where for outcome in outcomes.values()} == {server.url for server in servers}


def test_a_result_that_is_there_is_left_and_said_so(folder: Folder) -> None:
    folder.fill("a", "b").out.mkdir()
    (folder.out / "a.mov").write_text("mine")
    server = FakeComfyUI()
    outcomes = run(folder, [server])
    assert server.ran == ["b"] and folder.results() == {"a.mov": "mine", "b.mp4": "restored: b"}
    assert outcomes["a"].line == f"a: {folder.out / 'a.mov'}. It was there already and is left as it is."


def test_a_second_run_does_nothing_again_and_knows_what_the_first_did(folder: Folder) -> None:
    first = run(folder.fill("a", "b"), [FakeComfyUI()])
    server = FakeComfyUI()
    assert run(folder, [server]) == first and not server.started


def test_a_server_that_is_free_takes_what_another_has_prepared(folder: Folder) -> None:
    slow, fast = FakeComfyUI(seconds=1.5), FakeComfyUI()
    run(folder.fill("a", "b", "c", "d"), [slow, fast])
    assert folder.all_done("abcd") and len(slow.ran) == 1 and len(slow.uploads) == 2


class TestServersThatAreLost:
    def test_a_clip_whose_server_crashes_goes_to_another(self, folder: Folder) -> None:
        bad, good = FakeComfyUI(seconds=60), FakeComfyUI()

        async def crash() -> None:
            await bad.until_started()
            await bad.stop()

        outcomes = run(folder.fill(*TEN), [bad, good], crash)
        assert folder.all_done(TEN) and sorted(good.ran) == sorted(TEN)
        assert outcomes[bad.started[0]].attempts == 2

    def test_a_clip_whose_server_stands_still_goes_to_another(self, folder: Folder) -> None:
        bad, good = FakeComfyUI(seconds=60), FakeComfyUI()

        async def stand() -> None:
            await bad.until_started()
            bad.standing = True

        run(folder.fill(*TEN), [bad, good], stand)
        assert folder.all_done(TEN) and sorted(good.ran) == sorted(TEN)

    def test_a_server_that_was_restarted_is_given_its_clip_again(self, folder: Folder) -> None:
        server = FakeComfyUI(seconds=60)

        async def restart() -> None:
            await server.until_started()
            server.seconds = 0
            await server.stop()
            await server.start()

        outcomes = run(folder.fill("a", "b"), [server], restart)
        assert folder.all_done("ab") and outcomes[server.started[0]].attempts == 2

    def test_what_a_server_still_runs_when_it_is_back_is_cancelled_if_the_clip_has_gone_elsewhere(
        self, folder: Folder
    ) -> None:
        bad, good, notes = FakeComfyUI(seconds=60), FakeComfyUI(seconds=0.4), Notes()

        async def stand_for_a_while() -> None:
            await bad.until_started()
            bad.standing = True
            while not any("left out until it can be used" in text for text in notes):
                await asyncio.sleep(0.01)
            bad.standing, bad.seconds = False, 0.01

        run(folder.fill(*TEN), [bad, good], stand_for_a_while, display=notes)
        assert folder.all_done(TEN) and bad.interrupted
        assert any("is there again" in text for text in notes)

    def test_a_clip_at_which_servers_crash_is_given_up_and_the_others_are_done(self, folder: Folder) -> None:
        servers = [FakeComfyUI(), FakeComfyUI()]
        for server in servers:
            server.deadly = {"b"}
        outcomes = run(folder.fill("a", "b", "c"), servers)
        assert folder.all_done("ac")
        assert outcomes["b"].result is None and outcomes["b"].attempts == MOST_ATTEMPTS

    def test_a_server_that_answers_with_errors_spoils_nothing(self, folder: Folder) -> None:
        bad, good = FakeComfyUI(), FakeComfyUI(seconds=0.05)
        bad.status = 500
        run(folder.fill(*TEN), [bad, good])
        assert folder.all_done(TEN)

    def test_a_run_without_any_server_left_ends(self, folder: Folder) -> None:
        server = FakeComfyUI(seconds=60)

        async def crash() -> None:
            await server.until_started()
            await server.stop()

        outcomes = run(folder.fill("a", "b"), [server], crash)
        assert not folder.results()
        assert all("No server is left" in outcome.error for outcome in outcomes.values())

    def test_servers_of_which_none_can_be_reached_are_one_sentence(self, folder: Folder) -> None:
        server = FakeComfyUI()

        async def gone() -> None:
            await server.stop()

        with pytest.raises(InputError, match=r"ComfyUI at http://127.0.0.1:\d+ does not answer"):
            run(folder.fill("a"), [server], gone)

    def test_a_server_without_events_is_asked(self, folder: Folder) -> None:
        server = FakeComfyUI(seconds=0.5)
        server.deaf = True
        run(folder.fill("a", "b"), [server])
        assert folder.all_done("ab") and any(path.startswith("/api/jobs/") for path in server.asked)


class TestClipsThatFail:
    def test_a_clip_that_is_refused_is_refused_once_by_each_server_and_stops_no_other(self, folder: Folder) -> None:
        servers = [FakeComfyUI(), FakeComfyUI()]
        for server in servers:
            server.refused = {"b"}
        outcomes = run(folder.fill("a", "b", "c"), servers)
        assert folder.all_done("ac") and outcomes["b"].attempts == 2
        assert "node 3 (Model): Value not in list" in outcomes["b"].error

    def test_a_clip_that_fails_on_one_server_is_done_by_another(self, folder: Folder) -> None:
        lacking, good = FakeComfyUI(), FakeComfyUI(seconds=0.05)
        lacking.failing = {"a", "b", "c"}
        run(folder.fill("a", "b", "c"), [lacking, good])
        assert folder.all_done("abc")

    def test_a_clip_that_fails_on_the_only_server_is_not_tried_again(self, folder: Folder) -> None:
        server = FakeComfyUI()
        server.failing = {"a"}
        outcomes = run(folder.fill("a", "b"), [server])
        assert folder.all_done("b") and server.started.count("a") == 1
        assert outcomes["a"].line == "a: failed. node 3 (Model) failed: No headset was found."

    def test_a_second_run_tries_it_again(self, folder: Folder) -> None:
        server = FakeComfyUI()
        server.failing = {"a"}
        run(folder.fill("a"), [server])
        run(folder, [FakeComfyUI()])
        assert folder.all_done("a")

    def test_a_clip_that_was_cancelled_in_comfyui_is_not_tried_again(self, folder: Folder) -> None:
        server, other = FakeComfyUI(seconds=60), FakeComfyUI(seconds=0.3)

        async def cancel() -> None:
            await server.until_started()
            server.interrupted.append(server.running)
            server.seconds = 0.01

        outcomes = run(folder.fill("a", "b"), [server, other], cancel)
        assert outcomes[server.started[0]].error == "Cancelled in node 1 (LoadVideo)."

    def test_a_workflow_that_saves_nothing_is_said_so(self, folder: Folder) -> None:
        server = FakeComfyUI()
        server.saved = 0
        assert "such as Save Video" in run(folder.fill("a"), [server])["a"].error


class TestARunThatIsStopped:
    def test_what_runs_is_cancelled_and_done_by_the_next_run(self, folder: Folder) -> None:
        server = FakeComfyUI(seconds=60)

        class Stop(Display):
            def progress(self, *event: object) -> None:
                stopped.set()

        stopped = asyncio.Event()

        async def scenario() -> None:
            await server.start()
            with Journal(folder.fill("a", "b").journal, {"workflow": "w"}) as journal:
                queue = ComfyQueue(WORKFLOW, [], [server.url], folder.out, journal, display=Stop())
                clips = [(clip, {}) for clip in clips_in(folder.clips, folder.out)]
                running = asyncio.ensure_future(queue.run(clips))
                await asyncio.wait_for(stopped.wait(), 20)
                running.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await running
                assert len(server.interrupted) == len(server.started) == 1 and not server.waiting
                assert journal.last[server.started[0]]["event"] == "cancelled"
            await server.stop()

        asyncio.run(scenario())
        run(folder, [FakeComfyUI()])
        assert folder.all_done("ab")

    @pytest.mark.parametrize("seconds", [0.0, 0.6], ids=["ended meanwhile", "still runs"])
    def test_what_a_killed_client_left_on_a_server_is_fetched_and_not_run_twice(
        self, seconds: float, folder: Folder
    ) -> None:
        server, prompt = FakeComfyUI(seconds=seconds), str(uuid.uuid4())
        folder.fill("a", "b")

        async def scenario() -> list[Outcome]:
            await server.start()
            async with ComfyClient(server.url) as client:
                name = await client.upload(folder.clips / "a.mp4")
                await client.queue(WORKFLOW | {"1": {"class_type": "LoadVideo", "inputs": {"file": name}}}, prompt)
            await server.until_started()
            with Journal(folder.journal, {"workflow": "w"}) as journal:
                journal.write("a", "queued", where=server.url, prompt=prompt)
            with Journal(folder.journal, {"workflow": "w"}) as journal:
                queue = ComfyQueue(WORKFLOW, [], [server.url], folder.out, journal)
                return await queue.run([(clip, {}) for clip in clips_in(folder.clips, folder.out)])

        outcomes = asyncio.run(asyncio.wait_for(scenario(), 20))
        assert folder.all_done("ab") and sorted(server.started) == ["a", "b"]
        assert [outcome.attempts for outcome in outcomes] == [1, 1]

    def test_what_it_left_on_a_server_that_is_gone_is_run_by_another(self, folder: Folder) -> None:
        gone, server = FakeComfyUI(), FakeComfyUI()

        async def scenario() -> None:
            await gone.start()
            await gone.stop()
            await server.start()
            with Journal(folder.fill("a").journal, {"workflow": "w"}) as journal:
                journal.write("a", "queued", where=gone.url, prompt=str(uuid.uuid4()))
                queue = ComfyQueue(WORKFLOW, [], [gone.url, server.url], folder.out, journal)
                await asyncio.wait_for(queue.run([(Clip(folder.clips / "a.mp4", "a"), {})]), 20)
            await server.stop()

        asyncio.run(scenario())
        assert folder.all_done("a")


class TestWhatIsSetForEachClip:
    def test_files_are_uploaded_once_and_text_fields_get_their_path(self, folder: Folder, tmp_path: Path) -> None:
        photo = tmp_path / "me.jpg"
        photo.write_text("photo")
        settings = [Setting(MODEL, "name", "{reference}"), Setting(MODEL, "note", "{reference}")]
        server = FakeComfyUI()
        sent: list[dict] = []
        note_prompt(server, sent)
        run(folder.fill("a", "b"), [server], settings=settings, columns={"reference": str(photo)})
        assert sorted(server.uploads) == ["a.mp4", "b.mp4", "me.jpg"]
        assert {w[MODEL]["inputs"]["note"] for w in sent} == {str(photo)}
        assert all(w[MODEL]["inputs"]["name"].endswith("me.jpg") for w in sent)

    def test_the_name_of_the_clip_may_be_set_too(self, folder: Folder) -> None:
        server = FakeComfyUI()
        sent: list[dict] = []
        note_prompt(server, sent)
        run(folder.fill("day/a"), [server], settings=[Setting(SAVE, "filename_prefix", "{name} restored")])
        assert sent[0][SAVE]["inputs"]["filename_prefix"] == "day/a restored"

    def test_several_files_of_a_clip_come_in_a_folder_of_its_name(self, folder: Folder) -> None:
        server = FakeComfyUI()
        server.saved = 2
        outcomes = run(folder.fill("a"), [server])
        assert outcomes["a"].result == folder.out / "a"
        assert folder.results() == {"a/restored_0_0.mp4": "restored: a", "a/restored_0_1.mp4": "restored: a"}


def note_prompt(server: FakeComfyUI, sent: list[dict]) -> None:
    """Keep the workflows that a server gets."""
    finish = server._finish

    async def noting(clip: str, workflow: dict) -> None:
        sent.append(workflow)
        await finish(clip, workflow)

    server._finish = noting


@pytest.fixture
def behind_a_door() -> Iterator[FakeComfyUI]:
    yield FakeComfyUI(path="/comfy", token="s3cret")


def test_a_server_below_a_path_that_wants_a_token(folder: Folder, behind_a_door: FakeComfyUI) -> None:
    outcomes = run(folder.fill("a"), [behind_a_door], headers={"Authorization": "Bearer s3cret"})
    assert folder.all_done("a") and outcomes["a"].where.endswith("/comfy")
    assert "s3cret" not in folder.journal.read_text()


def test_a_wrong_token_is_one_sentence_without_the_token(folder: Folder, behind_a_door: FakeComfyUI) -> None:
    with pytest.raises(InputError, match="refuses access") as error:
        run(folder.fill("a"), [behind_a_door], headers={"Authorization": "Bearer oth3r"})
    assert "oth3r" not in str(error.value)
