"""`hmd-removal queue` on a real ComfyUI."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from examples import EXAMPLES, ROOT
from samples import write_video

from hmd_removal.cli import main
from hmd_removal.comfyui.server import ComfyServer
from hmd_removal.video import VideoReader, probe

FRAMES = 8


@pytest.fixture
def folder(tmp_path: Path, inputs: dict[str, Path]) -> Path:
    """Two short clips of a worn headset, a table of them, and one clip that shows no face."""
    frames = [frame.pixels for frame in VideoReader(inputs["headset.mp4"])]
    (tmp_path / "clips" / "day 2").mkdir(parents=True)
    write_video(tmp_path / "clips" / "a.mp4", frames[:FRAMES])
    write_video(tmp_path / "clips" / "day 2" / "b.mp4", frames[FRAMES : 2 * FRAMES])
    write_video(tmp_path / "clips" / "empty.mp4", [0 * frame for frame in frames[:FRAMES]])
    return tmp_path / "clips"


def test_a_folder_of_clips(
    folder: Path, inputs: dict[str, Path], server: ComfyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    out = folder.with_name("out")
    workflow = EXAMPLES / "api" / "video_to_video.json"
    command = ["queue", str(workflow), str(folder), "--out", str(out), "--server", server.url]
    settings = ["--set", f"2.image={inputs['reference.png']}", "--set", "4.quality=small"]
    assert main([*command, *settings]) == 1
    assert probe(out / "a.mp4").frame_count == probe(out / "day 2" / "b.mp4").frame_count == FRAMES
    assert not (out / "empty.mp4").exists()
    a, b, empty = json.loads(out.with_name("out.json").read_text())["clips"]
    assert (a["attempts"], b["attempts"], empty["attempts"]) == (1, 1, 1) and a["seconds"] > 0
    assert empty["error"].startswith("node 4 (HMD_DeoccludeVideo) failed: No face was found")

    # A second call leaves what is there, and tries again what failed.
    before = (out / "a.mp4").stat().st_mtime_ns
    (folder / "empty.mp4").unlink()
    capsys.readouterr()
    assert main([*command, *settings]) == 0
    assert (out / "a.mp4").stat().st_mtime_ns == before
    assert "2 of 2 clips have a result." in capsys.readouterr().out


def test_a_workflow_that_the_server_refuses_is_a_failure_of_each_clip(
    folder: Path, server: ComfyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    workflow = EXAMPLES / "api" / "video_to_video.json"
    settings = ["--set", "2.image=nobody.png", "--server", server.url]
    assert main(["queue", str(workflow), str(folder), *settings]) == 1
    shown = capsys.readouterr().out
    assert shown.count("failed. ComfyUI refused the workflow: node 2 (LoadImage)") == 3


def test_the_script_of_the_docs_does_what_it_says(
    inputs: dict[str, Path], server: ComfyServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (script,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "batch.md").read_text(), flags=re.DOTALL)
    assert script.count("\n") <= 40
    for theirs, ours in {
        "http://127.0.0.1:8188": server.url,
        "example_workflows": str(EXAMPLES),
        "talk.mp4": str(inputs["headset.mp4"]),
        "me.jpg": str(inputs["reference.png"]),
        '"restored"': repr(str(tmp_path)),
    }.items():
        assert theirs in script
        script = script.replace(theirs, ours)
    exec(compile(script, "batch.md", "exec"), {})  # noqa: S102, it is our own
    shown = capsys.readouterr().out
    (result,) = tmp_path.glob("*.mp4")
    assert str(result) in shown and "node 4: " in shown
    assert probe(result).frame_count == probe(inputs["headset.mp4"]).frame_count
