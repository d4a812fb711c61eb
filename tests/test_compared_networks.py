"""The networks that EVI-HRnet is compared with."""

from __future__ import annotations

import torch

from hmd_removal.models.combcn import CombCN, Frames, Volume
from hmd_removal.models.lgtsm import LGTSM


def size(net: torch.nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def clip(frames: int, side: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    mask = torch.zeros(1, frames, 1, side, side)
    mask[..., 8:20, 6:26] = 1
    return torch.rand(1, frames, 3, side, side, generator=generator), mask


def test_lgtsm_has_the_size_of_its_authors_code() -> None:
    assert size(LGTSM()) == 12_135_654 and round(size(LGTSM()) / 1e6, 2) == 12.14


def test_lgtsm_sees_frames_before_and_after_and_nothing_of_the_hole() -> None:
    torch.manual_seed(0)
    net, (frames, mask) = LGTSM(8).eval(), clip(5, 32)
    lines = torch.rand(1, 5, 1, 32, 32)
    with torch.no_grad():
        found = net(frames, mask)
        assert found.shape == frames.shape
        assert torch.equal(net(torch.where(mask > 0, 1 - frames, frames), mask), found)
        assert not torch.equal(net(frames, mask, lines), found)
        for other in (0, 4):
            changed = frames.clone()
            changed[:, other] = 1 - changed[:, other]
            assert not torch.allclose(net(changed, mask)[:, 2], found[:, 2], atol=1e-6)


def test_combcn_has_the_size_of_the_public_code() -> None:
    """6.84, 8.67 and 15.5 million."""
    assert (size(Volume()), size(Frames()), size(CombCN())) == (6_836_467, 8_669_379, 15_505_846)


def test_combcn_fills_frames_from_a_small_volume_and_sees_nothing_of_the_hole() -> None:
    torch.manual_seed(0)
    net, (frames, mask) = CombCN().eval(), clip(5, 32)
    with torch.no_grad():
        large, small = net(frames, mask)
        assert large.shape == frames.shape and small.shape == (1, 5, 3, 16, 16)
        again, _ = net(torch.where(mask > 0, 1 - frames, frames), mask)
        assert torch.equal(again, large)
        frames[:, 4] = 0.5
        assert not torch.allclose(net(frames, mask)[0][:, 2], large[:, 2], atol=1e-6)  # frames are seen together
