"""`hmd-removal deocclude`: real files in, a real file out, and one line when something is wrong."""

import os

import pytest
from clips import write_clip

from hmd_removal.cli import main
from hmd_removal.video import probe


@pytest.fixture
def clip(tmp_path, talking_head):
    return write_clip(tmp_path / "clip.mp4", talking_head[:8])


def test_simulate(clip, tmp_path, capsys):
    out, covered = tmp_path / "out.mp4", tmp_path / "covered.mp4"
    arguments = ["deocclude", str(clip), "--mask", "simulate", "--reference", str(clip), "--out", str(out)]
    assert main([*arguments, "--covered", str(covered), "--landmarks", "oracle", "--quality", "small"]) == 0
    assert probe(out).frame_count == probe(covered).frame_count == 8
    assert "8 of 8 frames have a found face." in capsys.readouterr().out


def test_a_headset_that_is_worn(tmp_path, wearer, clip, capsys):
    worn, out = write_clip(tmp_path / "worn.mp4", wearer[0][:8], options={"crf": "5"}), tmp_path / "out.mp4"
    arguments = ["deocclude", str(worn), "--reference", str(clip), "--out", str(out)]
    corrections = ["--preset", "quest", "--grow", "0.5", "--shift-x", "-0.5", "--shift-y", "0.5"]
    assert main([*arguments, *corrections, "--detector", "covered", "--face-box", "45,20,75,90"]) == 0
    assert probe(out).frame_count == 8
    assert "8 of 8 frames have a found face." in capsys.readouterr().out


def test_mask_from_a_file(clip, tmp_path, talking_head):
    white = talking_head[:1] * 0
    white[:, 49:68, 58:112] = 255
    mask = write_clip(tmp_path / "mask.png", white, codec="png", pix_fmt="rgb24")
    out = tmp_path / "out.mp4"
    assert main(["deocclude", str(clip), "--reference", str(clip), "--mask", str(mask), "--out", str(out)]) == 0
    assert probe(out).frame_count == 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--reference", "nobody.jpg"], "The reference nobody.jpg does not exist"),
        (["--preset", "monocle"], "got 'monocle'"),
        (["--method", "magic", "--reference", "CLIP"], "got 'magic'"),
        (["--mask", "simulate"], "needs a reference"),
        ([], "No headset was found"),
        (["--mask", "nothing.mp4", "--reference", "CLIP"], "nothing.mp4"),
        (["--mask", "simulate", "--face", "5", "--reference", "CLIP"], "Face 5 was asked for"),
        (["--reference", "CLIP"], "No headset was found"),
        (["--mask", "simulate", "--preset", "monocle"], "got 'monocle'"),
        (["--detector", "uncovered", "--reference", "CLIP"], "choose 'auto' or 'covered'"),
        (["--landmarks", "oracle", "--reference", "CLIP"], "known with --mask simulate alone"),
        (["--landmarks", "guessed", "--reference", "CLIP"], "got 'guessed'"),
        (["--quality", "best", "--reference", "CLIP"], "got 'best'"),
        (["--method", "personal"], "needs the model of a person"),
        (["--personal", "me.safetensors", "--reference", "CLIP"], "--personal is for the method 'personal'"),
        (["--method", "warp", "--weights", "x", "--reference", "CLIP"], "--weights is for the method 'evi-hrnet'"),
        (["--detector", "hidden", "--reference", "CLIP"], "got 'hidden'"),
        (["--face-box", "10,10,50", "--reference", "CLIP"], "x, y, width, height in pixels, got '10,10,50'"),
        (["--face", "all"], "--face all needs a --reference for each person"),
        (["--face", "all", "--face-box", "9,9,50,50", "--reference", "CLIP"], "around one head"),
        (["--reference", "CLIP", "--reference", "CLIP"], "2 references are for --face all"),
        (["--face-box", "900,10,50,50", "--reference", "CLIP"], "within 176 x 144 pixels"),
    ],
)
def test_mistakes_cost_one_line_and_leave_no_file(arguments, message, clip, tmp_path, capsys):
    arguments = [str(clip) if a == "CLIP" else a for a in arguments]
    assert main(["deocclude", str(clip), "--out", str(tmp_path / "made" / "out.mp4"), *arguments]) == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("hmd-removal: ")]
    assert len(lines) == 1 and message in lines[0]
    assert not list((tmp_path / "made").glob("*"))


def test_threads_that_wait_do_not_spin_but_in_a_comfyui_that_is_started(monkeypatch, capsys):
    monkeypatch.setenv("OMP_WAIT_POLICY", "")
    monkeypatch.delenv("OMP_WAIT_POLICY")
    with pytest.raises(SystemExit):
        main(["demo", "--help"])
    assert "OMP_WAIT_POLICY" not in os.environ
    with pytest.raises(SystemExit):
        main(["weights", "--help"])
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"


def test_what_trains_for_everybody_is_under_lab(capsys):
    with pytest.raises(SystemExit):
        main(["lab", "--help"])
    shown = capsys.readouterr().out
    assert shown.startswith("usage: hmd-removal lab [-h] COMMAND")
    for command in ("evaluate", "evaluate-landmarks", "evaluate-tracking", "compare", "prepare-data", "train", "speed"):
        assert f"    {command}" in shown
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    assert "personal" in capsys.readouterr().out
