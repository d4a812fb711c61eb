"""The compared networks as methods of the engine, with random weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from hmd_removal.cli import main
from hmd_removal.errors import InputError
from hmd_removal.lab.compare.filler import ComparedFiller
from hmd_removal.lab.compare.registry import COMPARED, LoadedOnce, make_filler, weights_by_method
from hmd_removal.lab.evaluation.evaluate import Protocol
from hmd_removal.lab.networks import compared
from hmd_removal.lab.networks.compared import ComparedConfig, ComparedNetwork, Filled, load
from hmd_removal.restore.engine import Deoccluder
from hmd_removal.restore.filler import Source, Window
from hmd_removal.tracking.crop import CropTrack
from hmd_removal.tracking.track import FaceTrack


def weights_of(name: str, folder: Path, side: int = 64) -> Path:
    torch.manual_seed(0)
    net = ComparedNetwork(ComparedConfig(name, 8, side))
    path = folder / f"{name}.safetensors"
    save_file(net.state_dict(), path, metadata=net.config.metadata())
    return path


def windows(frames: int, side: int = 64) -> Window:
    masks = torch.zeros(frames, 1, side, side)
    masks[..., 20:40, 10:50] = 1
    crops = torch.rand(frames, 3, side, side, generator=torch.Generator().manual_seed(0))
    return Window(crops, masks, np.full((frames, 478, 3), 30.0), np.ones((frames, 478)))


@pytest.mark.parametrize("name", COMPARED)
def test_the_hole_is_filled_and_the_rest_left_alone_without_a_reference(
    name: str, tmp_path: Path, wearer: tuple[np.ndarray, np.ndarray], talking_head_track: FaceTrack
) -> None:
    frames, masks = (x[:3] for x in wearer)
    filler = make_filler(name, None, weights=weights_of(name, tmp_path))
    assert filler.name == name
    faces = [talking_head_track[t].covered_by(masks[t]) for t in range(3)]
    result = np.stack(Deoccluder(filler, None).process(list(frames), list(masks), faces))
    inside = masks > 0
    assert (result[inside] != frames[inside]).mean() > 0.9
    assert (result[~inside] == frames[~inside]).mean() > 0.9  # all but the feather


def test_lafin_fills_frame_by_frame_and_the_others_see_neighbours(tmp_path: Path) -> None:
    window = windows(3)
    for name in COMPARED:
        filler = ComparedFiller(load(weights_of(name, tmp_path), name), precision="float32")
        whole, _ = filler.fill(window, None)
        alone = torch.cat([filler.fill(window.part(t, t + 1), None)[0].drawn for t in range(3)])
        assert torch.allclose(whole.drawn, alone, atol=1e-5) == (name == "lafin")
        assert filler.window == (8 if name == "lafin" else 32)


def test_one_that_looks_ahead_is_shown_no_longer_windows_than_it_learnt_from() -> None:
    for frames, window in ((4, 4), (32, 32), (64, 32)):
        for name in COMPARED:
            config = ComparedConfig(name, 8, 64, frames=frames)
            assert ComparedFiller(ComparedNetwork(config)).window == (8 if name == "lafin" else window)
            assert ComparedConfig.from_metadata(config.metadata()) == config
    early = {name: value for name, value in ComparedConfig("lgtsm").metadata().items() if name != "frames"}
    assert ComparedConfig.from_metadata(early).frames == 32


def test_frames_of_any_size_are_brought_to_the_networks(
    tmp_path: Path, wearer: tuple[np.ndarray, np.ndarray], talking_head_track: FaceTrack
) -> None:
    frame, mask, face = wearer[0][0], wearer[1][0], talking_head_track[0]
    hole = (mask > 0).astype(np.uint8) * 255
    source = Source(frame, hole, CropTrack().push(face))
    for side in (64, 96):
        filler = make_filler("lafin", None, weights=weights_of("lafin", tmp_path, side))
        filling, state = filler.fill(replace(windows(2, 32), sources=(source, source)), None)
        assert filling.drawn.shape == (2, 3, side, side) and filling.places is None and state is None
        assert torch.equal(filling.drawn[0], filling.drawn[1])  # both are of the same frame
        assert 0 <= filling.drawn.min() and filling.drawn.max() <= 1


def test_precision_and_memory() -> None:
    torch.manual_seed(0)

    class Small(ComparedNetwork):
        """On a device with room for two frames."""

        def forward(self, frames: torch.Tensor, *others: torch.Tensor) -> Filled:
            if frames.shape[1] > 2:
                raise torch.OutOfMemoryError
            return super().forward(frames, *others)

    config = ComparedConfig("lafin", 8, 64)
    net, small = ComparedNetwork(config).eval(), Small(config).eval()
    small.load_state_dict(net.state_dict())
    exact, halved, parts = (
        ComparedFiller(network, precision).fill(windows(5), None)[0].drawn
        for network, precision in ((net, "float32"), (net, "bfloat16"), (small, "float32"))
    )
    assert 0 < (exact - halved).abs().max() < 0.1 and torch.allclose(exact, parts, atol=1e-5)
    with pytest.raises(InputError, match="auto, float32, bfloat16, got 'int8'"):
        ComparedFiller(net, "int8")


def test_weights_are_asked_for(tmp_path: Path) -> None:
    advice = r"'lgtsm' comes without weights: train it with hmd-removal lab train compared, .* --weights lgtsm=FILE"
    with pytest.raises(InputError, match=advice):
        make_filler("lgtsm", None)
    with pytest.raises(InputError, match=advice):
        Protocol(methods=("telea", "lgtsm"), weights={"lafin": tmp_path}).check()
    with pytest.raises(InputError, match="weights of lgtsm in .*, which holds lafin"):
        make_filler("lgtsm", None, weights=weights_of("lafin", tmp_path))


def test_weights_are_named_by_method(tmp_path: Path) -> None:
    assert weights_by_method([]) == {}
    assert weights_by_method(["a/b.safetensors", "lafin=c=d"]) == {
        "evi-hrnet": Path("a/b.safetensors"),
        "lafin": Path("c=d"),
    }
    odd = tmp_path / "width=8"
    odd.touch()
    assert weights_by_method([str(odd)]) == {"evi-hrnet": odd}
    with pytest.raises(InputError, match="out of evi-hrnet, lgtsm, combcn, lafin, got 'warp=x'"):
        weights_by_method(["warp=x"])


def test_a_file_is_read_once_for_all_clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    monkeypatch.setattr(compared, "load", lambda path, network: read.append(path) or load(path, network))
    place = LoadedOnce(torch.device("cpu"))
    files = {name: weights_of(name, tmp_path) for name in ("combcn", "lafin")}
    made = [make_filler(name, None, weights=files[name], place=place) for name in ("combcn", "lafin", "lafin")]
    assert read == list(files.values()) and [filler.name for filler in made] == ["combcn", "lafin", "lafin"]


def test_the_command_takes_several_files_of_weights(tmp_path: Path, carphone: Path) -> None:
    files = {name: weights_of(name, tmp_path) for name in ("combcn", "lafin")}
    weights = [f"--weights={name}={file}" for name, file in files.items()]
    common = ["--method", "lafin", *weights, "--landmarks", "oracle"]
    evaluate = ["lab", "evaluate", str(carphone), "--method", "combcn", *common, "--size", "128", "--limit", "3"]
    assert main([*evaluate, "--no-networks", "--json", str(tmp_path / "x.json")]) == 0
    content = json.loads((tmp_path / "x.json").read_text())
    assert content["protocol"]["weights"] == {name: str(file) for name, file in files.items()}
    assert [row["method"] for row in content["mean"]] == ["combcn", "lafin"]
    assert all(row["hole_psnr"] > 5 for row in content["mean"])
