"""EVI-HRnet's generator and discriminator, and the layers that they are made of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from hmd_removal.errors import InputError
from hmd_removal.lab.networks.evi_discriminator import EVIDiscriminator
from hmd_removal.models.evi_hrnet import EVIConfig, EVIHRnet
from hmd_removal.models.gated_shift import CausalShift, GatedConv, TemporalShift
from hmd_removal.models.recall import prior_share
from hmd_removal.models.self_attention import ChannelAttention, SpatialAttention

CONFIGS = (EVIConfig(8), EVIConfig(8, keys=8), EVIConfig(8, "channel"))


def clip(frames: int = 5, side: int = 32) -> tuple[torch.Tensor, ...]:
    """Frames, mask, contour and reference of two clips."""
    generator = torch.Generator().manual_seed(0)
    frame, reference = (torch.rand(2, frames, 3, side, side, generator=generator) for _ in range(2))
    mask = torch.zeros(2, frames, 1, side, side)
    mask[..., 8:20, 6:26] = 1
    return frame, mask, torch.rand(2, frames, 1, side, side, generator=generator), reference


def awake(net: EVIHRnet) -> EVIHRnet:
    """With attention at work, and shifts that look further back than at the start."""
    for module in net.modules():
        if isinstance(module, SpatialAttention | ChannelAttention):
            nn.init.constant_(module.weight, 0.7)
        if isinstance(module, CausalShift):
            module.kernel.data = torch.tensor([0.3, 0.6, -0.2])
    return net.eval()


def test_size_and_cost_are_those_of_the_docstring() -> None:
    net = EVIHRnet(EVIConfig(64)).eval()
    assert sum(p.numel() for p in net.parameters()) == 12_248_088
    frame, mask = torch.rand(1, 1, 3, 128, 128), torch.zeros(1, 1, 1, 128, 128)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(frame, mask, mask, frame)
    assert counter.get_total_flops() / 1e9 == pytest.approx(46.0, abs=0.05)
    assert sum(p.numel() for p in EVIDiscriminator().parameters()) == 5_948_446


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("pieces", [(1, 1, 1, 1, 1), (2, 3), (4, 1)])
def test_a_clip_frame_by_frame_equals_the_clip_at_once(config: EVIConfig, pieces: tuple[int, ...]) -> None:
    torch.manual_seed(1)
    net, inputs = awake(EVIHRnet(config)), clip()
    with torch.no_grad():
        whole = net(*inputs).picture
        parts, state, start = [], None, 0
        for count in pieces:
            part, state = net(*(x[:, start : start + count] for x in inputs), state=state)
            parts.append(part)
            start += count
    assert torch.allclose(torch.cat(parts, 1), whole, atol=1e-5)


@pytest.mark.parametrize("config", CONFIGS)
def test_no_frame_depends_on_a_later_one_but_on_earlier_ones(config: EVIConfig) -> None:
    net, (frame, *others) = awake(EVIHRnet(config)), clip()
    changed = frame.clone()
    changed[:, 2] = 1 - changed[:, 2]
    with torch.no_grad():
        before, after = net(frame, *others)[0], net(changed, *others)[0]
    assert torch.equal(before[:, :2], after[:, :2])
    assert all(not torch.equal(before[:, t], after[:, t]) for t in (2, 3, 4))


@pytest.mark.parametrize("config", CONFIGS)
def test_what_the_hole_shows_is_not_looked_at(config: EVIConfig) -> None:
    net, (frame, mask, contour, reference) = awake(EVIHRnet(config)), clip()
    plastic = torch.where(mask > 0, torch.rand_like(frame), frame)
    with torch.no_grad():
        assert torch.equal(net(frame, mask, contour, reference)[0], net(plastic, mask, contour, reference)[0])


def test_the_reference_is_looked_at_in_the_hole_alone() -> None:
    frame, mask, contour, reference = clip()
    elsewhere = torch.where(mask > 0, reference, torch.rand_like(reference))
    with torch.no_grad():
        net = awake(EVIHRnet(EVIConfig(8)))
        assert torch.equal(net(frame, mask, contour, reference)[0], net(frame, mask, contour, elsewhere)[0])


def test_memory_is_believed_as_far_as_it_fits_around_the_hole_better_than_the_reference() -> None:
    rng = torch.Generator().manual_seed(3)
    truth = torch.rand(1, 1, 3, 64, 64, generator=rng)
    mask = torch.zeros(1, 1, 1, 64, 64)
    mask[..., 24:40, 20:44] = 1
    covered = torch.where(mask > 0, 0.0, truth)

    def logit(
        off_reference: float, off_memory: float, *, known: float = 1.0, line: float = 1.0, moved: float = 0.0
    ) -> torch.Tensor:
        memory = torch.cat([truth + off_memory, torch.full_like(mask, known), torch.full_like(mask, moved)], 2)
        contour = torch.zeros_like(mask)
        contour[..., 30, :] = line
        return prior_share(covered, mask, contour, truth + off_reference, memory)[..., 32, 32]

    def expected(off_reference: float, off_memory: float, favour: float = 1.7) -> float:
        floor = 1 / 255
        off_memory = np.hypot(off_memory, floor)
        return 3 * np.log(favour * np.hypot(off_reference, floor) / off_memory) - 0.5 * max(255 * off_memory - 8, 0)

    for offs in ((0.1, 0.1), (0.1, 0.02), (0.02, 0.1), (0.05, 0.0)):
        assert logit(*offs).item() == pytest.approx(expected(*offs), abs=0.01)
        for line in (0.5, 0.0):  # where the face in the hole is a guess the warp is worth less
            assert logit(*offs, line=line).item() == pytest.approx(expected(*offs, favour=2.0), abs=0.01)
    still, restless = logit(0.1, 0.02), logit(0.1, 0.02, moved=0.009)
    assert logit(0.1, 0.02, moved=0.004) == still and (still - restless).item() == pytest.approx(600 * 0.005, abs=1e-3)
    assert logit(0.1, 0.02, moved=1.0) < -500
    assert logit(0.1, 0.0, known=0.0) == -10  # nothing is remembered around the hole


@pytest.mark.parametrize("side", [128, 132, 256])
def test_the_result_has_the_size_of_the_frames(side: int) -> None:
    with torch.no_grad():
        assert EVIHRnet(EVIConfig(4, keys=8))(*clip(1, side))[0].shape == (2, 1, 3, side, side)


def test_a_configuration_survives_a_file_header_and_unknown_names_are_refused() -> None:
    for config in (*CONFIGS, EVIConfig(), EVIConfig(attention="none", shift="none", landmarks=False)):
        assert EVIConfig.from_metadata({**config.metadata(), "steps": "9"}) == config
    early = {
        name: value for name, value in EVIConfig().metadata().items() if name not in ("shift", "landmarks", "frames")
    }
    assert EVIConfig.from_metadata(early) == EVIConfig()
    with pytest.raises(InputError, match="EVI-HRnet"):
        EVIConfig.from_metadata({"format": "pt"})
    with pytest.raises(InputError, match="got 'aligned' of an earlier version"):
        EVIConfig.from_metadata({**EVIConfig().metadata(), "variant": "aligned"})
    with pytest.raises(InputError, match="'axial'"):
        EVIConfig(64, "axial")
    with pytest.raises(InputError, match="Expected as shift one of causal, bidirectional, none, got 'future'"):
        EVIConfig(shift="future")


def seen_by(config: EVIConfig, *, frame: int | None = None) -> list[bool]:
    """Whether the network's picture of each of five frames changes with that frame, or with all contours."""
    torch.manual_seed(0)
    net, given = EVIHRnet(config).eval(), list(clip())
    changed = [x.clone() for x in given]
    if frame is None:
        changed[2] = 1 - changed[2]
    else:
        changed[0][:, frame] = 1 - changed[0][:, frame]
    with torch.no_grad():
        difference = (net(*given).picture - net(*changed).picture).abs().amax((0, 2, 3, 4))
    return (difference > 1e-6).tolist()


def test_what_an_ablation_leaves_out_is_not_there() -> None:
    paper = EVIConfig(8)
    assert seen_by(paper, frame=2) == [False, False, True, True, True]
    assert seen_by(replace(paper, shift="none"), frame=2) == [False, False, True, False, False]
    assert seen_by(replace(paper, shift="bidirectional"), frame=2) == [True] * 5
    assert seen_by(paper) == [True] * 5 and seen_by(replace(paper, landmarks=False)) == [False] * 5
    names = {name.split(".")[0] for name in EVIHRnet(replace(paper, attention="none")).state_dict()}
    assert names == {"encoder", "middle", "dilated", "decoder"}


def test_a_causal_shift_by_hand() -> None:
    shift = CausalShift(4)
    shift.kernel.data = torch.tensor([100.0, 10.0, 1.0])
    x = torch.tensor([[1.0, 5, 6, 7], [2.0, 5, 6, 7], [3.0, 5, 6, 7]]).view(3, 4, 1, 1)  # three frames of one clip
    mixed, past = shift(x, 3)
    assert mixed[:, 0].flatten().tolist() == [1, 12, 123]
    assert torch.equal(mixed[:, 1:], x[:, 1:])
    assert shift(torch.full((1, 4, 1, 1), 4.0), 1, past)[0][0, 0].item() == 234


def test_a_shift_starts_as_a_shift_by_one_frame_and_clips_do_not_mix() -> None:
    shift, x = CausalShift(8), torch.rand(6, 8, 2, 2)  # two clips of three frames
    mixed, _ = shift(x, 3)
    assert torch.equal(mixed[[1, 2, 4, 5], :2], x[[0, 1, 3, 4], :2])
    assert not mixed[[0, 3], :2].any()


def test_a_shift_does_not_write_into_its_input() -> None:
    """LGTSM's fixed shift does, and so spoils the gradient of the gate."""
    x = torch.rand(3, 4, 2, 2)
    before = x.clone()
    CausalShift(4)(x, 3)
    assert torch.equal(x, before)


def test_features_keep_their_size_from_layer_to_layer() -> None:
    """A network whose features fade to nothing learns nothing but constants."""
    torch.manual_seed(0)
    net, sizes = EVIHRnet(EVIConfig(16, keys=8)), []
    for module in net.modules():
        if isinstance(module, GatedConv):
            module.register_forward_hook(lambda _, given, made: sizes.append(made[0].std(0).mean().item()))
    with torch.no_grad():
        net(*clip(side=64))
    assert len(sizes) == 17 and all(0.01 < size / sizes[0] < 10 for size in sizes), sizes


def test_the_gate_sees_the_frame_itself() -> None:
    layer = GatedConv(4, 2)
    nn.init.constant_(layer.feature.weight, 0), nn.init.constant_(layer.feature.bias, 1)
    x = torch.rand(2, 4, 6, 6)
    assert torch.allclose(layer(x, 2)[0], torch.sigmoid(layer.gate(x)))


def test_spatial_attention_is_that_of_sagan() -> None:
    torch.manual_seed(0)
    attention, x = SpatialAttention(16), torch.rand(2, 16, 3, 5)
    assert torch.equal(attention(x), x)  # its weight starts at 0
    nn.init.constant_(attention.weight, 0.5)
    query, key, value = (layer(x).flatten(2) for layer in (attention.query, attention.key, attention.value))
    share = (query.transpose(1, 2) @ key).softmax(-1)  # (2, 15 places, 15 places that they look at)
    expected = x + 0.5 * (value @ share.transpose(1, 2)).view_as(x)
    assert torch.allclose(attention(x), expected, atol=1e-6)
    assert query.shape[1] == 2  # an eighth of the channels


def test_pooled_keys_of_every_place_are_all_keys() -> None:
    torch.manual_seed(0)
    whole, pooled = SpatialAttention(8), SpatialAttention(8, keys=4)
    pooled.load_state_dict(whole.state_dict())
    nn.init.constant_(whole.weight, 1.0), nn.init.constant_(pooled.weight, 1.0)
    x = torch.rand(1, 8, 4, 4)
    assert torch.allclose(whole(x), pooled(x), atol=1e-6)
    flat = torch.rand(1, 8, 1, 1).expand(1, 8, 12, 12)  # where all keys are alike, fewer of them say the same
    assert torch.allclose(whole(flat), pooled(flat), atol=1e-6)


def test_channel_attention_is_equations_5_and_6_word_for_word() -> None:
    torch.manual_seed(0)
    attention, x = ChannelAttention(3), torch.rand(2, 3, 4, 4)
    nn.init.constant_(attention.weight, 1.0)
    query, key, value = attention.query(x), attention.key(x), attention.value(x)
    score = torch.einsum("nchw,nckw->nchk", query, key)
    assert score.shape == x.shape  # "the attention score map of the same shape as the input feature maps"
    share = score.exp() / score.exp().sum(1, keepdim=True)
    assert torch.allclose(attention(x), x + torch.einsum("nchk,nckw->nchw", share, value), atol=1e-5)


def test_the_discriminators_convolutions_really_have_a_largest_singular_value_of_one() -> None:
    """In LGTSM's released code the normalisation is put on a wrapper and changes nothing."""
    torch.manual_seed(0)
    critic = EVIDiscriminator(8)
    for convolution in critic.convolutions:
        convolution.parametrizations.weight.original.data.mul_(50)
    frame, mask, contour, _ = clip()
    for _ in range(40):  # of power iteration
        critic(frame, mask, contour)
    critic.eval()
    for convolution in critic.convolutions:
        assert torch.linalg.matrix_norm(convolution.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.02)


def test_the_discriminator_judges_patches_and_sees_both_neighbours() -> None:
    torch.manual_seed(0)
    critic, (frame, mask, contour, _) = EVIDiscriminator(8).eval(), clip(side=128)
    scores = critic(frame, mask, contour)
    assert scores.shape == (2, 5, 32, 2, 2)
    changed = frame.clone()
    changed[:, 2] = 0
    difference = (critic(changed, mask, contour) - scores).abs().amax((0, 2, 3, 4))
    assert (difference > 0).all()


def test_a_temporal_shift_by_hand() -> None:
    shift = TemporalShift(4)
    x = torch.tensor([[1.0, 10, 0, 0], [2.0, 20, 0, 0], [3.0, 30, 0, 0]]).view(3, 4, 1, 1)
    assert shift(x, 3)[0][:, :2, 0, 0].tolist() == [[0, 20], [1, 30], [2, 0]]
