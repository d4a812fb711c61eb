"""The covered-face landmarker: where a face is that a headset hides, and how sure that is.

No public landmarker is trained for covered faces. This one looks at a loose square crop around a head and gives the
478 points of the MediaPipe topology with a variance for each, which of them are in sight, whether there is a head at
all, and a coarse mask of the device. Trained by `hmd-removal lab train landmarks`; see
docs/models/covered_landmarks.md.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
from einops import rearrange
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .device import full_precision

INPUT_SIDE = 128  # pixels of the square input
MASK_SIDE = 64  # pixels of the square device mask
CROP_CENTIMETRES = 34.0  # side of the ideal crop, centred on CROP_CENTRE
CROP_CENTRE = (0.0, -1.0, 0.0)  # face coordinates, centimetres
SHAPES = 80  # principal shapes of the face
POINTS = 478
WIDTHS = (32, 64, 96, 160)  # channels at 1/2, 1/4, 1/8 and 1/16 of the input
BLOCKS = (1, 2, 3)
# Points that are located first, each by a heat map: spread over oval, brows, eyes, nose, cheeks and mouth.
ANCHORS = (
    10, 338, 297, 284, 454, 361, 397, 152, 172, 132, 234, 54, 67, 109, 105, 334,
    33, 133, 362, 263, 168, 1, 2, 98, 327, 50, 280, 61, 291, 13, 14, 199,
)  # fmt: skip
# Points whose surroundings are looked at again: the anchors, and more of what a headset leaves in sight.
LOOKED_AT = (
    *ANCHORS, 0, 17, 37, 267, 40, 270, 78, 308, 91, 321, 84, 314, 205, 425, 207, 427,
    48, 278, 6, 197, 58, 288, 136, 365, 150, 379, 148, 377, 104, 333, 151, 200,
)  # fmt: skip
ROUNDS = 2  # of looking again


@dataclass(frozen=True)
class LandmarkPrediction:
    """What the network says of B crops; lengths in crop sides, origin at the crop's upper left corner.

    points: (B, 478, 3), x right, y down, z away. spread: (B, 478, 3), the lower triangle (l11, l21, l22) of the
    Cholesky factor of each point's covariance in the picture plane. pose: (B, 4, 4), face coordinates in centimetres
    to crop sides. visible: (B, 478) logits, the camera sees the point. present: (B,) logits, there is a head about
    where the crop expects it. mask: (B, 64, 64) logits, the device. For the training: heat, (B, 32, 32, 32) logits of
    where each of ANCHORS is, anchors, (B, 32, 2), their mean places, and drafts, the points before each refinement.
    """

    points: torch.Tensor
    spread: torch.Tensor
    pose: torch.Tensor
    visible: torch.Tensor
    present: torch.Tensor
    mask: torch.Tensor
    heat: torch.Tensor
    anchors: torch.Tensor
    drafts: tuple[torch.Tensor, ...] = ()


class Seen(NamedTuple):
    """What the network sees in B crops. flat: (B, F), features and where ANCHORS are; local: (B, 20, 32, 32), features
    where they lie. mask, heat, anchors: as in LandmarkPrediction."""

    flat: torch.Tensor
    local: torch.Tensor
    mask: torch.Tensor
    heat: torch.Tensor
    anchors: torch.Tensor


class Block(nn.Module):
    """Two 3x3 convolutions with batch normalisation beside a shortcut (He et al. 2016)."""

    def __init__(self, channels_in: int, channels: int, stride: int = 1):
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Identity()
        if stride != 1 or channels_in != channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class Refinement(nn.Module):
    """Looks at the features where the points were put, and corrects pose and shape by them (a round of cascaded shape
    regression: Dollar et al. 2010, Xiong and De la Torre 2013). What a code made from the whole picture misses by a
    pixel or two is plain to see from there."""

    def __init__(self, channels: int, code: int) -> None:
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(channels * len(LOOKED_AT) + code, 256), nn.ReLU())
        self.pose_head = nn.Linear(256, 9)
        self.shape_head = nn.Linear(256, SHAPES)
        for head in (self.pose_head, self.shape_head):
            nn.init.normal_(head.weight, std=1e-3)
            nn.init.zeros_(head.bias)

    def forward(
        self, features: torch.Tensor, code: torch.Tensor, points: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """features: (B, C, H, W) of the crop; points: (B, 478, 3) in crop sides. Corrections (B, 9) and (B, 80)."""
        places = 2 * points[:, LOOKED_AT, None, :2] - 1
        seen = F.grid_sample(features, places, padding_mode="border", align_corners=False)
        hidden = self.hidden(torch.cat([seen.flatten(1), code], 1))
        return self.pose_head(hidden), self.shape_head(hidden)


class CoveredLandmarkNet(nn.Module):
    """(B, 3, 128, 128) crops in [0, 1] to a LandmarkPrediction.

    A residual network. Heat maps locate some points, and their places join the features from which a code is made:
    what is asked for is nearly linear in them (cf. the spatial softmax of Finn et al. 2016). The code poses and shapes
    a linear face model (mean and principal shapes in face coordinates, from the training labels), so that what is
    hidden is always the rest of a face; two rounds of Refinement correct it. 4.4 M parameters.
    """

    def __init__(self) -> None:
        super().__init__()
        stem, *widths = WIDTHS
        self.stem = nn.Sequential(nn.Conv2d(3, stem, 5, 2, 2, bias=False), nn.BatchNorm2d(stem), nn.ReLU())
        stages = []
        for before, width, count in zip(WIDTHS, widths, BLOCKS, strict=False):
            stages.append(nn.Sequential(Block(before, width, 2), *(Block(width, width) for _ in range(count - 1))))
        self.stages = nn.ModuleList(stages)
        # The grid is kept: where a feature lies is what is asked for.
        self.squeeze = nn.Sequential(nn.Conv2d(widths[-1], 48, 1, bias=False), nn.BatchNorm2d(48), nn.ReLU())
        self.code = nn.Sequential(nn.Linear(48 * (INPUT_SIDE // 16) ** 2 + 3 * len(ANCHORS), 320), nn.ReLU())
        self.pose_head = nn.Linear(320, 9)  # two axes of the rotation, log scale, shift in the plane (x, y)
        self.shape_head = nn.Linear(320, SHAPES)
        self.spread_head = nn.Linear(320, POINTS * 3)
        self.visible_head = nn.Linear(320, POINTS)
        self.present_head = nn.Linear(320, 1)
        self.mask_deep = nn.Conv2d(widths[-1], 64, 1)
        self.mask_mid = nn.Conv2d(widths[1] + 64, 64, 3, padding=1)
        self.mask_fine = nn.Conv2d(widths[0] + 64, 32, 3, padding=1)
        self.mask_out = nn.Conv2d(stem + 32, 16, 3, padding=1)
        self.mask_head = nn.Conv2d(16, 1, 1)
        self.heat_head = nn.Conv2d(32, len(ANCHORS), 1)
        self.local = nn.Conv2d(widths[0] + 32, 20, 1)
        self.refinements = nn.ModuleList(Refinement(20, 320) for _ in range(ROUNDS))
        self.register_buffer("mean_face", torch.zeros(POINTS, 3))  # centimetres
        self.register_buffer("shapes", torch.zeros(SHAPES, POINTS, 3))  # centimetres a standard deviation
        for head in (self.pose_head, self.shape_head, self.spread_head):
            nn.init.normal_(head.weight, std=1e-3)
            nn.init.zeros_(head.bias)

    def forward(self, crops: torch.Tensor) -> LandmarkPrediction:
        return self.placed(self.seen(crops))

    def seen(self, crops: torch.Tensor) -> Seen:
        """The part of the network that looks at the picture."""
        fine = self.stem(crops - 0.5)
        quarter = self.stages[0](fine)
        eighth = self.stages[1](quarter)
        deep = self.stages[2](eighth)
        mask = self.mask_mid(torch.cat([eighth, _twice(self.mask_deep(deep))], 1))
        grid = F.relu(self.mask_fine(torch.cat([quarter, _twice(F.relu(mask))], 1)))
        mask = self.mask_head(F.relu(self.mask_out(torch.cat([fine, _twice(grid)], 1))))
        heat = self.heat_head(grid).float()
        anchors, peaks = locate(heat)
        places = torch.cat([4 * (anchors.flatten(1) - 0.5), peaks], 1)
        flat = torch.cat([self.squeeze(deep).flatten(1), places.to(deep.dtype)], 1)
        return Seen(flat, self.local(torch.cat([quarter, grid], 1)), mask[:, 0].float(), heat, anchors)

    def placed(self, seen: Seen) -> LandmarkPrediction:
        """The part that poses and shapes a face by it."""
        code = self.code(seen.flat)
        # Geometry in float32: a bfloat16 has no more than 8 bits for a position.
        with full_precision(seen.flat.device):
            code, local = code.float(), seen.local.float()
            posing, shaping = self.pose_head(code), self.shape_head(code)
            pose, points = self._posed(posing, shaping)
            drafts = []
            for refinement in self.refinements:
                drafts.append(points)
                pose_step, shape_step = refinement(local, code, points.detach())
                posing, shaping = posing + pose_step, shaping + shape_step
                pose, points = self._posed(posing, shaping)
            spread = _spread(rearrange(self.spread_head(code), "b (p c) -> b p c", c=3))
            visible, present = self.visible_head(code), self.present_head(code)[:, 0]
        return LandmarkPrediction(
            points, spread, pose, visible, present, seen.mask, seen.heat, seen.anchors, tuple(drafts)
        )

    def shaping(self) -> nn.ModuleList:
        """The layers of `placed` that decide pose and shape and nothing else: what differs from person to person."""
        return nn.ModuleList([self.pose_head, self.shape_head, self.refinements])

    def _posed(self, posing: torch.Tensor, shaping: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The pose and the points of the face model, from (B, 9) and (B, 80)."""
        pose = _pose(posing)
        face = self.mean_face + torch.einsum("bk,kpd->bpd", shaping, self.shapes)
        return pose, face @ pose[:, :3, :3].transpose(1, 2) + pose[:, None, :3, 3]


def locate(heat: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Heat maps (B, K, H, W) to the mean places (B, K, 2), x and y in map sides, and the largest shares (B, K)."""
    share = heat.flatten(2).softmax(2).unflatten(2, heat.shape[2:])
    x = (torch.arange(heat.shape[3], device=heat.device) + 0.5) / heat.shape[3]
    y = (torch.arange(heat.shape[2], device=heat.device) + 0.5) / heat.shape[2]
    return torch.stack([(share.sum(2) * x).sum(2), (share.sum(3) * y).sum(2)], 2), share.amax((2, 3))


def _twice(x: torch.Tensor) -> torch.Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def _pose(raw: torch.Tensor) -> torch.Tensor:
    """(B, 9) to (B, 4, 4): the rotation from two axes made orthonormal (Zhou et al. 2019), scale, shift."""
    first = F.normalize(raw[:, 0:3] + raw.new_tensor([1.0, 0.0, 0.0]), dim=1)
    second = raw[:, 3:6] + raw.new_tensor([0.0, 1.0, 0.0])
    second = F.normalize(second - (first * second).sum(1, keepdim=True) * first, dim=1)
    rotation = torch.stack([first, second, torch.linalg.cross(first, second)], dim=2)
    scale = torch.exp(raw[:, 6]) / CROP_CENTIMETRES
    matrix = torch.zeros(len(raw), 4, 4, dtype=raw.dtype, device=raw.device)
    matrix[:, :3, :3] = scale[:, None, None] * rotation
    # The crop's middle is where CROP_CENTRE lies when the shift is zero, whatever the rotation.
    middle = F.pad(raw[:, 7:9] + 0.5, (0, 1))
    matrix[:, :3, 3] = middle - torch.einsum("bij,j->bi", matrix[:, :3, :3].clone(), raw.new_tensor(CROP_CENTRE))
    matrix[:, 3, 3] = 1
    return matrix


def _spread(raw: torch.Tensor) -> torch.Tensor:
    """(B, P, 3) to Cholesky factors; the start is 3 % of the crop side, the least 0.1 %."""
    diagonal = 0.03 * torch.exp(raw[..., [0, 2]].clamp(-3.4, 3.0))
    return torch.stack([diagonal[..., 0], 0.03 * raw[..., 1], diagonal[..., 1]], dim=-1)


def load(path: Path | None = None) -> CoveredLandmarkNet:
    """The trained network in evaluation mode; from the manifest's file, or from a safetensors file of one's own.

    Raises WeightsMissing when the manifest's file is not at hand.
    """
    from safetensors.torch import load_file

    from .. import weights

    state = load_file(path) if path is not None else weights.load_state("covered_landmarks")
    net = CoveredLandmarkNet()
    net.load_state_dict({name: tensor.float() for name, tensor in state.items()}, strict=True)
    return fuse(net.eval()).to(memory_format=torch.channels_last)


def fuse(net: nn.Module) -> nn.Module:
    """The network, in evaluation mode, with every batch normalisation folded into the convolution before it."""
    for module in net.modules():
        children = list(module.named_children())
        for (name, conv), (norm_name, norm) in zip(children, children[1:], strict=False):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(module, name, fuse_conv_bn_eval(conv, norm))
                setattr(module, norm_name, nn.Identity())
    return net


@lru_cache(maxsize=1)
def shared() -> CoveredLandmarkNet:
    """The manifest's network, loaded once."""
    return load()
