"""EVI-HRnet as a method of the engine, with weights that only correct nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from hmd_removal.cli import main
from hmd_removal.errors import InputError
from hmd_removal.models.aligned_generator import AlignedGenerator, Generated, GeneratorConfig, State
from hmd_removal.models.evi_hrnet import EVIConfig, EVIHRnet
from hmd_removal.restore import evi
from hmd_removal.restore.engine import Deoccluder
from hmd_removal.restore.evi import EVIFiller, PaperEVIFiller
from hmd_removal.restore.filler import Filling
from hmd_removal.restore.network_inputs import need
from hmd_removal.restore.registry import make_filler
from hmd_removal.restore.warp import Fitted
from hmd_removal.tracking.reference import Reference, make_reference
from hmd_removal.tracking.track import FaceTrack

SMALL = GeneratorConfig((4, 8, 8, 8))


def generator(*, still: bool) -> AlignedGenerator:
    """A network of random weights; still: such that it corrects nothing."""
    torch.manual_seed(0)
    net = AlignedGenerator(SMALL).eval()
    with torch.no_grad():
        net.last.bias[3] = -30.0
        if not still:
            net.last.bias[3] = 0.0
            for out in (net.displacement, net.tint, net.last):
                nn.init.normal_(out.weight, std=0.3)
    return net


def weights_of(net: AlignedGenerator | EVIHRnet, path: Path) -> Path:
    save_file(net.state_dict(), path, metadata=net.config.metadata())
    return path


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is recalled, however well memory fits."""
    prior = evi.prior_share
    monkeypatch.setattr(evi, "prior_share", lambda *given: torch.full_like(prior(*given), -1e4))


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """All is corrected, however right the reference is."""
    monkeypatch.setattr(evi, "need", lambda frames, *_: torch.ones(len(frames)))


@pytest.fixture(scope="module")
def reference(talking_head: np.ndarray, talking_head_track: FaceTrack) -> Reference:
    return make_reference([talking_head[0]], talking_head_track.points[:1])


def result_of(
    weights: Path, wearer: tuple[np.ndarray, np.ndarray], track: FaceTrack, reference: Reference, cuts: list[int]
) -> np.ndarray:
    frames, masks = wearer
    engine = Deoccluder(make_filler("evi-hrnet", reference, weights=weights), reference)
    done = []
    for start, stop in zip(cuts, cuts[1:], strict=False):
        faces = [track[t].covered_by(masks[t]) for t in range(start, stop)]
        done += engine.process(list(frames[start:stop]), list(masks[start:stop]), faces)
    return np.stack(done)


@pytest.mark.usefixtures("forgetful")
def test_a_network_that_corrects_nothing_gives_the_warp(
    tmp_path: Path, wearer: tuple[np.ndarray, np.ndarray], talking_head_track: FaceTrack, reference: Reference
) -> None:
    frames, masks = wearer
    weights = weights_of(generator(still=True), tmp_path / "w.safetensors")
    found = result_of(weights, wearer, talking_head_track, reference, [0, 5])
    warp = Deoccluder(make_filler("warp", reference), reference)
    expected = warp.process(
        list(frames[:5]), list(masks[:5]), [talking_head_track[t].covered_by(masks[t]) for t in range(5)]
    )
    assert np.abs(found.astype(int) - np.stack(expected)).max() <= 1


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("variant", ["paper", "aligned"])
def test_the_result_does_not_depend_on_how_the_clip_is_cut(
    variant: str,
    tmp_path: Path,
    wearer: tuple[np.ndarray, np.ndarray],
    talking_head_track: FaceTrack,
    reference: Reference,
) -> None:
    net = generator(still=False) if variant == "aligned" else EVIHRnet(EVIConfig(4, keys=8))
    weights = weights_of(net, tmp_path / "w.safetensors")
    whole, pieces = (
        result_of(weights, wearer, talking_head_track, reference, cuts) for cuts in ([0, 9], [0, 1, 2, 6, 9])
    )
    assert np.abs(whole.astype(int) - pieces).max() <= 1  # float rounding
    frames, masks = wearer
    assert (whole[0][masks[0] == 0] == frames[0][masks[0] == 0]).mean() > 0.9  # all but the feather


def test_foreign_weights_are_refused(tmp_path: Path, reference: Reference) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        make_filler("evi-hrnet", reference, weights=tmp_path / "none.safetensors")
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="whose header names width"):
        make_filler("evi-hrnet", reference, weights=tmp_path / "other.safetensors")


@pytest.mark.usefixtures("eager")
def test_a_window_that_does_not_fit_into_memory_is_halved_and_a_frame_that_does_not_is_an_error(
    reference: Reference, wearer: tuple[np.ndarray, np.ndarray], talking_head_track: FaceTrack
) -> None:
    class Small(AlignedGenerator):
        """On a device with room for so many frames."""

        room = 2

        def forward(self, inputs: torch.Tensor, *others: object) -> tuple[Generated, State]:
            if len(inputs) > self.room:
                raise torch.OutOfMemoryError
            return super().forward(inputs, *others)

    net = Small(SMALL).eval()
    net.load_state_dict(generator(still=False).state_dict())
    frames, masks = wearer
    faces = [talking_head_track[t].covered_by(masks[t]) for t in range(7)]
    results = {}
    for room in (7, 2, 0):
        net.room = room
        engine = Deoccluder(EVIFiller(net, "float32"), reference)
        if not room:
            with pytest.raises(torch.OutOfMemoryError):
                engine.process(list(frames[:7]), list(masks[:7]), faces)
            continue
        results[room] = np.stack(engine.process(list(frames[:7]), list(masks[:7]), faces))
    assert np.abs(results[7].astype(int) - results[2]).max() <= 1  # float rounding


@pytest.mark.usefixtures("forgetful", "eager")
def test_a_tint_leaves_the_details_of_the_reference_as_they_are(
    wearer: tuple[np.ndarray, np.ndarray], talking_head: np.ndarray, talking_head_track: FaceTrack
) -> None:
    """The frame is finer than the grid that the network sees, and so is the picture that it corrects."""
    scale = 4
    frame, mask, picture = (
        cv2.resize(x, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
        for x in (wearer[0][0], wearer[1][0], talking_head[0])
    )
    grain = np.random.default_rng(0).integers(-40, 40, (*picture.shape[:2], 1))
    picture = np.clip(picture + grain, 0, 255).astype(np.uint8)
    points = talking_head_track.points * scale
    reference = make_reference([picture], points[:1])
    face = replace(talking_head_track[0], points=points[0]).covered_by(mask)
    net = generator(still=True)
    with torch.no_grad():
        net.tint.bias[:] = 0.3
    found, warp = (
        Deoccluder(filler, reference).process([frame], [mask], [face])[0].astype(np.float32)
        for filler in (EVIFiller(net, "float32"), make_filler("warp", reference))
    )
    inside = cv2.erode((mask > 0).astype(np.uint8), np.ones((9, 9))) > 0

    def detail(picture: np.ndarray) -> float:
        return (picture - cv2.GaussianBlur(picture, (0, 0), 2))[inside].std()

    assert (found - warp)[inside].mean() > 10  # it did add something
    assert detail(warp) > 5 and detail(found - warp) < 0.2 * detail(warp)


def test_one_that_looks_ahead_is_shown_no_longer_windows_than_it_learnt_from(reference: Reference) -> None:
    for shift, frames, window in (("bidirectional", 4, 4), ("bidirectional", 64, 32), ("causal", 4, 8)):
        net = EVIHRnet(EVIConfig(4, keys=8, side=64, shift=shift, frames=frames))
        assert PaperEVIFiller(net, reference).window == window


@pytest.mark.usefixtures("eager")
def test_precision(reference: Reference, wearer: tuple[np.ndarray, np.ndarray], talking_head_track: FaceTrack) -> None:
    net = generator(still=False)
    frames, masks = wearer
    face = talking_head_track[0].covered_by(masks[0])
    exact, half = (
        Deoccluder(EVIFiller(net, precision), reference)
        .process(list(frames[:1]), list(masks[:1]), [face])[0]
        .astype(int)
        for precision in ("float32", "bfloat16")
    )
    assert 0 < np.abs(exact - half).max() < 12
    with pytest.raises(InputError, match="auto, float32, bfloat16, got 'int8'"):
        EVIFiller(net, "int8")


@pytest.mark.usefixtures("forgetful")
def test_the_command_takes_a_file_of_weights(
    tmp_path: Path, carphone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = weights_of(generator(still=True), tmp_path / "w.safetensors")
    command = [
        "lab",
        "evaluate",
        str(carphone),
        "--landmarks",
        "oracle",
        "--size",
        "128",
        "--limit",
        "3",
        "--no-networks",
    ]
    command += ["--method", "warp", "--method", "evi-hrnet", "--weights", str(weights)]
    assert main(command) == 0
    warp, network = (line.split("|")[4] for line in capsys.readouterr().out.splitlines()[-2:])
    assert float(network) == pytest.approx(float(warp), abs=0.05)


def test_a_reference_is_corrected_as_far_as_it_is_off_on_the_face() -> None:
    frames, holes, kind = torch.full((4, 3, 64, 64), 0.5), torch.zeros(4, 1, 64, 64), torch.ones(4, 1, 64, 64)
    holes[..., 20:40, 20:44], kind[..., :48, :] = 1, 2
    off = torch.tensor([2.0, 5.5, 9.0, 2.0]) / 255
    pictures = frames + off[:, None, None, None]
    pictures[3, :, 48:] = 1.0  # beside the face it may be what it likes
    found = need(frames, holes, kind, Fitted(Filling(pictures), pictures))
    assert torch.allclose(found, torch.tensor([0.0, 0.5, 1.0, 0.0]), atol=1e-3)
    unseen = need(frames, holes, torch.ones_like(kind), Fitted(Filling(pictures), pictures))
    assert unseen.isnan().all(), "of a face that is all hidden nothing can be said"


def test_how_much_is_corrected_changes_slowly(
    monkeypatch: pytest.MonkeyPatch,
    reference: Reference,
    wearer: tuple[np.ndarray, np.ndarray],
    talking_head_track: FaceTrack,
) -> None:
    frames, masks = wearer
    faces = [talking_head_track[t].covered_by(masks[t]) for t in range(6)]
    jumps = iter((1.0, 1.0, 0.0, 0.0, 0.0, 0.0))
    done: list[float] = []
    made = evi.restrained
    monkeypatch.setattr(evi, "need", lambda frames, *_: torch.tensor([next(jumps) for _ in frames]))
    monkeypatch.setattr(evi, "restrained", lambda *given: done.extend(given[2].tolist()) or made(*given))
    engine = Deoccluder(EVIFiller(generator(still=False)), reference)
    for part in (slice(0, 3), slice(3, 6)):
        engine.process(list(frames[part]), list(masks[part]), faces[part])
    assert np.allclose(done, [1, 1, 0.8, 0.64, 0.512, 0.4096])


def test_where_nothing_tells_all_is_corrected_until_something_does() -> None:
    unknown = float("nan")
    found = evi._steadied(torch.tensor([unknown, unknown, 0.0, unknown]), None, 0.2)
    assert torch.allclose(found, torch.tensor([1.0, 1.0, 0.8, 0.8]))
    assert torch.allclose(evi._steadied(torch.tensor([unknown]), found[-1:], 0.2), torch.tensor([0.8]))
