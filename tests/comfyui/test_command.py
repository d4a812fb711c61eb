"""`hmd-removal queue`: a folder or a table in, a folder, a journal and a table out."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_comfyui import WORKFLOW, FakeComfyUI

from hmd_removal.cli import main
from hmd_removal.comfyui.command import clips_of
from hmd_removal.errors import InputError


@pytest.fixture
def server() -> Iterator[FakeComfyUI]:
    """A server in a thread of its own, since the command has an event loop of its own."""
    fake, loop = FakeComfyUI(token="s3cret"), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(fake.start(), loop).result(10)
    yield fake
    asyncio.run_coroutine_threadsafe(fake.stop(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


@pytest.fixture
def workflow(tmp_path: Path) -> Path:
    path = tmp_path / "workflow.json"
    path.write_text(json.dumps(WORKFLOW))
    return path


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    folder = tmp_path / "clips"
    for name in ("a", "day/b"):
        (folder / f"{name}.mp4").parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.mp4").write_text(name)
    return folder


def test_a_folder(server: FakeComfyUI, workflow: Path, clips: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["queue", str(workflow), str(clips), "--server", server.url, "--header", "Authorization: Bearer s3cret"]
    server.failing = {"day/b"}
    assert main(command) == 1
    shown = capsys.readouterr()
    out = clips.with_name("clips_restored")
    assert (out / "a.mp4").read_text() == "restored: a"
    assert "failed: node 3 (Model) failed: No headset was found." in shown.out
    assert "1 of 2 clips have a result." in shown.out
    listed = json.loads(out.with_name("clips_restored.json").read_text())["clips"]
    assert [row["clip"] for row in listed] == ["a", "day/b"] and listed[0]["attempts"] == 1
    server.failing = set()
    assert main(command) == 0
    assert server.ran == ["a", "day/b"]
    kept = out.with_name("clips_restored.jsonl").read_text()
    assert "s3cret" not in kept + json.dumps(listed) + shown.out + shown.err


def test_the_folder_in_which_one_is(
    server: FakeComfyUI, workflow: Path, clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(clips)
    assert main(["queue", str(workflow), ".", "--server", server.url, "--header", "Authorization: Bearer s3cret"]) == 0
    assert (clips.with_name("clips_restored") / "day" / "b.mp4").exists()


def test_ctrl_c_cancels_what_runs_and_says_so(server: FakeComfyUI, workflow: Path, clips: Path) -> None:
    server.seconds = 60
    command = ["queue", str(workflow), str(clips), "--server", server.url, "--header", "Authorization: Bearer s3cret"]
    process = subprocess.Popen(
        [sys.executable, "-m", "hmd_removal.cli", *command],
        stderr=subprocess.PIPE,
        text=True,
        # Where the tests run in the background, a shell has made them ignore it, and what they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not server.started and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    said = process.stderr.read()
    assert "What ran on the servers was cancelled. The same command goes on from here." in said
    assert "Traceback" not in said and len(server.interrupted) == 1
    server.seconds = 0
    assert main(command) == 0


def test_a_journal_of_other_settings_is_refused(
    server: FakeComfyUI, workflow: Path, clips: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["queue", str(workflow), str(clips), "--server", server.url, "--header", "Authorization: Bearer s3cret"]
    assert main(command) == 0
    assert main([*command, "--set", "3.strength=2"]) == 1
    assert "run with another settings (--set): go on" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--server", "host:8188"], "Expected the URL of a ComfyUI"),
        (["--header", "s3cret"], "got one without a colon"),
        (["--set", "3.name={reference}"], "nothing for {reference}"),
        (["--server", "http://127.0.0.1:1"], "does not answer"),
    ],
)
def test_mistakes_cost_one_line(
    arguments: list[str], message: str, workflow: Path, clips: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["queue", str(workflow), str(clips), *arguments]) == 1
    error = capsys.readouterr().err
    assert message in error and "s3cret" not in error and "Traceback" not in error


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_gives_each_clip_its_values(separator: str, clips: Path) -> None:
    (clips / "me.jpg").touch()
    lines = [["footage", "reference", "model"], ["a.mp4", "me.jpg", "mine"], ["day/b.mp4", "", "other"]]
    path = write(clips / "table.csv", "\ufeff" + "\n".join(separator.join(line) for line in lines))
    (a, of_a), (b, of_b) = clips_of(path, clips / "out")
    assert (a.source, a.name, b.name) == (clips / "a.mp4", "a", "b")
    assert of_a == {"reference": str(clips / "me.jpg"), "model": "mine"} and of_b["reference"] == ""


def test_a_table_may_name_the_results(clips: Path) -> None:
    path = write(clips / "table.csv", "footage,name,model\na.mp4,one/a,x\na.mp4,two/a,y\n")
    assert [clip.name for clip, _ in clips_of(path, clips / "out")] == ["one/a", "two/a"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("video\na.mp4\n", "Expected a table with a column 'footage'"),
        ("footage\n", "at least one row"),
        ("footage\nc.mp4\n", "The footage .*c.mp4 of .* does not exist"),
        ("footage,model\na.mp4,x\na.mp4,y\n", "Two rows .* have the name 'a'"),
        ("footage,name\na.mp4,../a\n", "leads out of the folder of results"),
    ],
)
def test_tables_that_cannot_be_used(text: str, message: str, clips: Path) -> None:
    with pytest.raises(InputError, match=message):
        clips_of(write(clips / "table.csv", text), clips / "out")


def test_a_source_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Expected a folder of clips or a CSV table"):
        clips_of(tmp_path / "nothing", tmp_path / "out")
