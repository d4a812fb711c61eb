"""The networks of person-specific de-occlusion."""

from __future__ import annotations

import pytest
import torch

from hmd_removal.errors import InputError
from hmd_removal.models.personal_deocclusion import (
    MEAN,
    Decoder,
    Encoder,
    FusingAttention,
    PersonalConfig,
    PersonalDeocclusion,
    PictureDiscriminator,
)


def size(net: torch.nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def test_sizes_are_those_that_3fabrec_and_the_paper_lead_to() -> None:
    assert size(Encoder()) == 11_379_491
    assert size(Decoder()) == 10_868_096
    assert size(PictureDiscriminator()) == 1_743_744
    assert size(PersonalDeocclusion()) == 24_902_947
    assert size(PersonalDeocclusion(PersonalConfig(attention="slim"))) == 22_837_923
    assert size(PersonalDeocclusion(PersonalConfig(attention="none"))) == 11_379_491 + 10_868_096


def test_a_picture_becomes_a_code_and_features_and_a_picture_again() -> None:
    net, frames = PersonalDeocclusion(PersonalConfig(attention="slim")).eval(), torch.rand(2, 3, 256, 256)
    with torch.no_grad():
        code, seen = net.encode(frames)
        assert code.shape == (2, 99) and seen.shape == (2, 64, 64, 64)
        result = net(frames)
        made = net.decoder.features(code)
        assert made.shape == seen.shape and result.shape == frames.shape
        assert torch.allclose(result, net.decoder.late(net.attention(seen, made)) + net.mean)
        assert torch.equal(net(frames, attend=False), net.decoder.late(made) + net.mean)
        assert PictureDiscriminator().eval()(frames).shape == (2,)


def test_black_and_white_can_be_drawn_and_grey_is_the_mean_face() -> None:
    low, high = (torch.tensor(MEAN) + sign for sign in (-1, 1))
    assert (low < 0).all() and (high > 1).all()
    net = PersonalDeocclusion(PersonalConfig(attention="none")).eval()
    torch.nn.init.zeros_(net.decoder.late[1].weight)
    with torch.no_grad():
        found = net(torch.rand(1, 3, 256, 256))
    assert torch.allclose(found[0, :, 7, 7], torch.tensor(MEAN))


def test_attention_mixes_and_never_exceeds_either() -> None:
    torch.manual_seed(0)
    attention = FusingAttention((2, 2, 2))
    seen, made = torch.rand(1, 64, 8, 8), torch.rand(1, 64, 8, 8)
    found = attention(seen, made)
    assert (found <= torch.maximum(seen, made) + 1e-6).all() and (found >= torch.minimum(seen, made) - 1e-6).all()
    last = attention.layers[-1]
    torch.nn.init.zeros_(last.weight), torch.nn.init.zeros_(last.bias)
    assert torch.allclose(attention(seen, made), (seen + made) / 2)
    torch.nn.init.constant_(last.bias[:64], 50.0)  # all of A_enc
    assert torch.allclose(attention(seen, made), seen)


def test_a_network_that_is_told_the_mask_does_not_look_at_the_device() -> None:
    net = PersonalDeocclusion(PersonalConfig(attention="slim", mask=True)).eval()
    frames, mask = torch.rand(1, 3, 256, 256), torch.zeros(1, 1, 256, 256)
    mask[..., 60:120, 40:210] = 1
    with torch.no_grad():
        found, other = net(frames, mask), net(torch.where(mask > 0, 1 - frames, frames), mask)
    assert torch.equal(found, other)


def test_a_configuration_survives_a_file_header_and_unknown_names_are_refused() -> None:
    for config in (PersonalConfig(), PersonalConfig("slim", mask=True), PersonalConfig("none")):
        assert PersonalConfig.from_metadata({**config.metadata(), "person": "me"}) == config
    with pytest.raises(InputError, match="personal model"):
        PersonalConfig.from_metadata({"variant": "aligned"})
    with pytest.raises(InputError, match="'huge'"):
        PersonalConfig("huge")
