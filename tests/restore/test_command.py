"""`hmd-removal deocclude` of a folder: here one clip after the other, or on a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from clips import write_clip

from hmd_removal.cli import main
from hmd_removal.video import VideoReader

NAMES = ("a", "day 1/b")


@pytest.fixture
def folder(tmp_path: Path, talking_head: np.ndarray) -> Path:
    """Two clips of eight frames in a folder and one below it."""
    for number, name in enumerate(NAMES):
        path = tmp_path / "clips" / f"{name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_clip(path, talking_head[8 * number : 8 * number + 8])
    return tmp_path / "clips"


@pytest.fixture
def simulate(folder: Path, talking_head: np.ndarray) -> Callable[..., int]:
    """Draw a headset on a file or the clips of a folder and remove it; the exit status."""
    photo = write_clip(folder.parent / "me.png", talking_head[:1], codec="png", pix_fmt="rgb24")

    def run(source: Path, out: Path, *more: str) -> int:
        reference = [] if "--reference" in more else ["--reference", str(photo)]
        options = ["--mask", "simulate", *reference, "--method", "warp", *more]
        return main(["deocclude", str(source), "--out", str(out), *options])

    return run


def frames(path: Path) -> np.ndarray:
    with VideoReader(path) as reader:
        return np.stack([frame.pixels for frame in reader])


def test_the_clips_of_a_folder_come_out_as_each_of_them_alone(
    folder: Path, tmp_path: Path, simulate: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    out, alone = tmp_path / "out", tmp_path / "alone"
    assert simulate(folder, out) == 0
    assert "2 of 2 clips have a result." in capsys.readouterr().out
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*.*")) == ["a.mp4", "day 1/b.mp4"]
    for name in NAMES:
        assert simulate(folder / f"{name}.mp4", alone / f"{name}.mp4") == 0
        assert (out / f"{name}.mp4").read_bytes() == (alone / f"{name}.mp4").read_bytes()


def test_what_fails_stops_no_other_and_what_is_there_is_left(
    folder: Path, tmp_path: Path, simulate: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "broken.mp4").write_bytes(b"no video")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.mp4").write_bytes(b"mine")
    assert simulate(folder, tmp_path / "out") == 1
    shown = capsys.readouterr().out
    assert "2 of 3 clips have a result." in shown and "broken: failed. " in shown
    assert "a.mp4. It was there already and is left as it is." in shown
    assert (tmp_path / "out" / "a.mp4").read_bytes() == b"mine"
    assert (tmp_path / "out" / "day 1" / "b.mp4").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--covered", "c.mp4"], "--covered is for one clip"),
        (["--preset", "monocle"], "got 'monocle'"),
        (["--opacity", "50"], "got 50"),
        (["--personal", "me.safetensors"], "--personal is for the method 'personal'"),
        (["--reference", "nobody.jpg"], "The reference nobody.jpg does not exist"),
    ],
)
def test_mistakes_are_said_once_and_before_any_clip(
    more: list[str],
    message: str,
    folder: Path,
    tmp_path: Path,
    simulate: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert simulate(folder, tmp_path / "out", *more) == 1
    shown = capsys.readouterr()
    assert shown.err.count("hmd-removal: ") == 1 and message in shown.err and not shown.out
    assert not (tmp_path / "out").exists()


def test_ray_is_for_folders(folder: Path, tmp_path: Path, simulate: Callable[..., int], capsys) -> None:
    assert simulate(folder / "a.mp4", tmp_path / "a.mp4", "--ray") == 1
    assert "--ray is for a folder of clips" in capsys.readouterr().err


@pytest.mark.slow
def test_a_ray_cluster_gives_what_one_machine_gives(
    folder: Path, tmp_path: Path, simulate: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    here, there = tmp_path / "here", tmp_path / "there"
    assert simulate(folder, here) == 0
    monkeypatch.chdir(folder.parent)  # the machines of the cluster have working folders of their own
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2})
    try:
        cluster.add_node(num_cpus=2)
        assert simulate(Path("clips"), Path("there"), "--ray", cluster.address) == 0
    finally:
        cluster.shutdown()
    for name in NAMES:
        assert np.array_equal(frames(here / f"{name}.mp4"), frames(there / f"{name}.mp4"))
