"""The networks that EVI-HRnet is compared with."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from hmd_removal.errors import InputError
from hmd_removal.lab.networks.combcn import CombCN, Frames, Volume
from hmd_removal.lab.networks.compared import NETWORKS, ComparedConfig, ComparedNetwork, load
from hmd_removal.lab.networks.lafin import LaFIn, LongShortAttention
from hmd_removal.lab.networks.lgtsm import LGTSM


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
    net, (frames, mask) = CombCN(16).eval(), clip(5, 32)
    with torch.no_grad():
        large, small = net(frames, mask)
        assert large.shape == frames.shape and small.shape == (1, 5, 3, 16, 16)
        again, _ = net(torch.where(mask > 0, 1 - frames, frames), mask)
        assert torch.equal(again, large)
        frames[:, 4] = 0.5
        assert not torch.allclose(net(frames, mask)[0][:, 2], large[:, 2], atol=1e-6)  # frames are seen together


def test_combcn_learns_from_two_frames_in_bfloat16() -> None:
    torch.manual_seed(0)
    net, (frames, mask) = CombCN(16), clip(2, 32)
    gradients = []
    for half in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            large, small = net(frames, mask)
        net.zero_grad()
        ((large.float() - 0.5).abs().mean() + (small.float() - 0.5).abs().mean()).backward()
        gradients.append(torch.cat([p.grad.flatten() for p in net.volume.parameters()]))
    assert torch.cosine_similarity(*gradients, dim=0) > 0.9


def test_lafin_has_the_size_that_is_known_of_it() -> None:
    """9.8 million without the attention."""
    net = LaFIn()
    assert size(net) == 9_917_829 and round((size(net) - size(net.attention)) / 1e6, 1) == 9.8


def test_lafin_sees_each_frame_alone_and_nothing_of_the_hole() -> None:
    torch.manual_seed(0)
    net, (frames, mask) = LaFIn(8), clip(3, 32)
    lines = torch.rand(1, 3, 1, 32, 32)
    with torch.no_grad():
        found = net(frames, mask)
        assert found.shape == frames.shape and 0 <= found.min() and found.max() <= 1
        assert torch.equal(net(torch.where(mask > 0, 1 - frames, frames), mask), found)
        assert not torch.equal(net(frames, mask, lines), found)
        assert torch.allclose(net(frames[:, 1:2], mask[:, 1:2]), found[:, 1:2], atol=1e-5)
        changed = torch.cat([1 - frames[:, :1], frames[:, 1:]], 1)
        assert torch.allclose(net(changed, mask)[:, 1:], found[:, 1:], atol=1e-5)


def test_attention_gathers_by_one_map_and_brings_what_was_before_into_the_hole_only() -> None:
    """Softmax, products and mixture written out, for one frame of 2 x 2 places."""
    torch.manual_seed(0)
    attention = LongShortAttention(8)
    x, before = torch.randn(2, 1, 8, 2, 2)
    hole = torch.tensor([[[[1.0, 0.0], [0.0, 1.0]]]])
    attention.joined.weight.data = torch.eye(16).view(16, 16, 1, 1)
    attention.joined.bias.data = torch.zeros(16)
    with torch.no_grad():
        assert torch.allclose(attention(x, before, hole), torch.cat([x, before * (1 - hole)], 1))
        attention.short.fill_(0.5), attention.long.fill_(2.0)
        query = attention.query(x).flatten(2)[0]  # (2, 4)
        share = (query.T @ query).softmax(1)
        now, then = ((share @ y[0].flatten(1).T).T.reshape(1, 8, 2, 2) for y in (x, before))
        expected = torch.cat([x + 0.5 * now, before * (1 - hole) + 2 * then * hole], 1)
        assert torch.allclose(attention(x, before, hole), expected, atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_are_called_alike_and_read_from_their_files(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net, (frames, mask) = ComparedNetwork(ComparedConfig(name, 8, 32)).eval(), clip(3, 32)
    lines = torch.rand(1, 3, 1, 32, 32)
    save_file(net.state_dict(), tmp_path / "w.safetensors", metadata={**net.config.metadata(), "step": "3"})
    with torch.no_grad():
        found = net(frames, mask, lines)
        assert found.picture.shape == frames.shape and (found.small is not None) == (name == "combcn")
        read = load(tmp_path / "w.safetensors", name)
        assert read.config == net.config and torch.allclose(read(frames, mask, lines).picture, found.picture, atol=1e-6)
        blind = ComparedNetwork(ComparedConfig(name, 8, 32, landmarks=False)).eval()
        assert torch.equal(blind(frames, mask, lines).picture, blind(frames, mask, 0 * lines).picture)


def test_other_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="out of lgtsm, combcn, lafin, got 'unet'"):
        ComparedConfig("unet")
    with pytest.raises(InputError, match="Expected weights of lafin in .*none.safetensors, which cannot be read"):
        load(tmp_path / "none.safetensors", "lafin")
    save_file({"a": torch.zeros(1)}, tmp_path / "w.safetensors", metadata=ComparedConfig("combcn").metadata())
    with pytest.raises(InputError, match="Expected weights of lafin in .*, which holds combcn"):
        load(tmp_path / "w.safetensors", "lafin")
    save_file({"a": torch.zeros(1)}, tmp_path / "w.safetensors")
    with pytest.raises(InputError, match="whose header names network, width, side and landmarks"):
        load(tmp_path / "w.safetensors", "lafin")
