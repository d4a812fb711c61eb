"""The aligned generator: it starts as the reference that it is given, and goes on from frame to frame as in one go."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from hmd_removal.errors import InputError
from hmd_removal.models.aligned_generator import (
    CHANNELS,
    PARTS,
    AlignedGenerator,
    GeneratorConfig,
    load,
)
from hmd_removal.models.gated_shift import CausalShift
from hmd_removal.models.self_attention import SpatialAttention

SMALL = GeneratorConfig((4, 8, 8, 8))


def awake(config: GeneratorConfig = SMALL) -> AlignedGenerator:
    """With all its parts at work, and shifts that look further back than at the start."""
    torch.manual_seed(0)
    net = AlignedGenerator(config).eval()
    for out in (net.displacement, net.tint, net.last):
        nn.init.normal_(out.weight, std=0.3)
    for module in net.modules():
        if isinstance(module, SpatialAttention):
            nn.init.constant_(module.weight, 0.7)
        if isinstance(module, CausalShift):
            module.kernel.data = torch.tensor([0.3, 0.6, -0.2])
    return net


def clips(frames: int = 5) -> torch.Tensor:
    """Two clips, one after the other."""
    return torch.rand(2 * frames, CHANNELS, 32, 32, generator=torch.Generator().manual_seed(1))


def test_size_and_cost_are_those_of_the_docstring() -> None:
    net = AlignedGenerator().eval()
    assert sum(p.numel() for p in net.parameters()) / 1e6 == pytest.approx(2.0, abs=0.05)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(torch.rand(1, CHANNELS, 128, 128), 1)
    assert counter.get_total_flops() / 1e9 == pytest.approx(3.5, abs=0.2)


def test_it_starts_as_the_reference() -> None:
    with torch.no_grad():
        found, _ = AlignedGenerator(SMALL)(clips(), 5)
    assert not any(x.any() for x in found[:3])
    assert found.share.max() < 0.05
    assert [tuple(x.shape) for x in found] == [(10, 2, 8, 8), (10, 3, 8, 8), (10, 3, 32, 32), (10, 1, 32, 32)]


@pytest.mark.parametrize("pieces", [(1, 1, 1, 1, 1), (2, 3), (4, 1)])
def test_a_clip_piece_by_piece_equals_the_clip_at_once(pieces: tuple[int, ...]) -> None:
    net, inputs = awake(), clips().unflatten(0, (2, 5))
    with torch.no_grad():
        whole, _ = net(inputs.flatten(0, 1), 5)
        parts, state, start = [], None, 0
        for count in pieces:
            part, state = net(inputs[:, start : start + count].flatten(0, 1), count, state)
            parts.append([x.unflatten(0, (2, count)) for x in part])
            start += count
    for k, expected in enumerate(whole):
        assert torch.allclose(torch.cat([part[k] for part in parts], 1).flatten(0, 1), expected, atol=1e-5)


def test_no_frame_depends_on_a_later_one_or_on_another_clip() -> None:
    net, inputs = awake(), clips()
    changed = inputs.clone()
    changed[2] = 1 - changed[2]
    with torch.no_grad():
        difference = (net(inputs, 5)[0].drawing - net(changed, 5)[0].drawing).abs().amax((1, 2, 3)) > 1e-6
    assert difference.tolist() == [False, False, True, True, True, *5 * [False]]


@pytest.mark.parametrize("part", PARTS)
def test_what_an_ablation_leaves_out_is_not_there(part: str) -> None:
    net, whole = awake(replace(SMALL, **{part: False})), awake()
    with torch.no_grad():
        found, expected = net(clips(), 5)[0], whole(clips(), 5)[0]
    if part in ("displacement", "tint", "drawing"):
        assert not getattr(found, part).any() and getattr(expected, part).any()
        assert (part == "drawing") == (not found.share.any())
    else:
        kind = SpatialAttention if part == "attention" else CausalShift
        assert not any(isinstance(module, kind) for module in net.modules())


def test_a_file_says_what_it_holds(tmp_path: Path) -> None:
    net = awake(replace(SMALL, attention=False))
    file = tmp_path / "w.safetensors"
    save_file({k: v.half() for k, v in net.state_dict().items()}, file, metadata=net.config.metadata())
    again = load(file)
    assert again.config == net.config and not again.training
    with torch.no_grad():
        assert torch.allclose(again(clips(), 5)[0].drawing, net(clips(), 5)[0].drawing, atol=0.05)
    save_file({"a": torch.zeros(1)}, file, metadata={"variant": "aligned"})
    with pytest.raises(InputError, match="whose header names widths, attention, shift"):
        load(file)
