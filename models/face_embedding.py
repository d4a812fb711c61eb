"""Whose face is it: dlib's face recognition network, for comparing the identity of two faces."""

import torch
from torch import nn
from torch.nn import functional as F

from .. import weights
from ..errors import InputError

CHIP_SIZE = 150
# Padding around the template in the chip, as a fraction of its unit square; the network was trained with it.
CHIP_PADDING = 0.25
# dlib's five-point template (get_face_chip_details) and the same points in MediaPipe's mesh: outer and inner
# corner of the left eye (on the right of the picture) and of the right eye, base of the nose.
TEMPLATE = (
    (0.8595674595992, 0.2134981538014),
    (0.6460604764104, 0.2289674387677),
    (0.1205750620789, 0.2137274526848),
    (0.3340850613712, 0.2290642403242),
    (0.4901123135679, 0.6277975316475),
)
MESH_POINTS = (263, 362, 33, 133, 2)
# Frames per pass through the network, which bounds its memory.
BATCH = 16
# A face 8 times larger than the chip is sampled finely enough; beyond that the chip only costs memory.
MOST_SAMPLES = 8

# (name, channels, halve the size) of the residual blocks.
BLOCKS = (
    ("conv32_1", 32, False),
    ("conv32_2", 32, False),
    ("conv32_3", 32, False),
    ("conv64_down", 64, True),
    ("conv64_1", 64, False),
    ("conv64_2", 64, False),
    ("conv64_3", 64, False),
    ("conv128_down", 128, True),
    ("conv128_1", 128, False),
    ("conv128_2", 128, False),
    ("conv256_down", 256, True),
    ("conv256_1", 256, False),
    ("conv256_2", 256, False),
    ("conv256_down_out", 256, True),
)


class FaceEmbedding(nn.Module):
    """dlib's `dlib_face_recognition_resnet_model_v1`, a ResNet-29, batch norms folded into convolutions.

    Cosines of its embeddings lie high and close together. On 95 frames of 17 people (webcam and studio video,
    and two public test pictures): the same person in one recording 0.94 to 0.999, mean 0.987; in another
    recording 0.963 to 0.997, mean 0.986; two people 0.711 to 0.947, mean 0.855. So 0.95 is the same person
    and 0.85 is anybody.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv32_down = nn.Conv2d(3, 32, 7, stride=2)
        channels = 32
        for name, width, halve in BLOCKS:
            self.add_module(name, _Residual(channels, width, halve))
            channels = width
        self.fc = nn.Linear(256, 128, bias=False)
        self.register_buffer("mean", torch.tensor([122.782, 117.001, 104.298]).view(1, 3, 1, 1), persistent=False)

    @classmethod
    def pretrained(cls) -> "FaceEmbedding":
        """The published network, frozen and in evaluation mode.

        Raises:
            WeightsMissing: `face_embedding` is not to be had.
        """
        network = cls()
        network.load_state_dict(weights.load_state("face_embedding"))
        return network.eval().requires_grad_(False)

    def forward(self, chips: torch.Tensor) -> torch.Tensor:
        """(N, 3, 150, 150) aligned faces in [0, 1] to (N, 128) descriptors, not normalised.

        In dlib's own terms two of these are one person when they are less than 0.6 apart.
        """
        x = (chips * 255 - self.mean) / 256
        x = F.max_pool2d(F.relu(self.conv32_down(x)), 3, stride=2)
        for name, _, _ in BLOCKS:
            x = self.get_submodule(name)(x)
        return self.fc(x.mean((2, 3)))

    def embed(self, frames: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
        """Unit vectors that say whose face is in each frame.

        Args:
            frames: (T, 3, H, W) RGB in [0, 1].
            points: (T, 478, 2 or more) MediaPipe's mesh, x and y in pixels.

        Returns:
            (T, 128), each of length 1: the dot product of two is their cosine.

        Raises:
            InputError: frames and points don't belong together, or a point is not a number.
        """
        if len(frames) != len(points) or points.ndim != 3 or points.shape[1] != 478:
            raise InputError(
                f"An identity needs one mesh of 478 points a frame, got {tuple(points.shape)} points for "
                f"{len(frames)} frames: pass the face track of the same clip."
            )
        chips = (align_faces(f, p) for f, p in zip(frames.split(BATCH), points.split(BATCH), strict=True))
        return F.normalize(torch.cat([self(chip) for chip in chips]), dim=1)


class _Residual(nn.Module):
    """Two 3x3 convolutions beside a shortcut, which a halving block pools and fills up with zero channels."""

    def __init__(self, channels: int, width: int, halve: bool) -> None:
        super().__init__()
        stride, padding = (2, 0) if halve else (1, 1)
        self.conv1 = nn.Conv2d(channels, width, 3, stride=stride, padding=padding)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.halve = halve

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.conv2(F.relu(self.conv1(x)))
        if self.halve:
            x = F.avg_pool2d(x, 2)
        # dlib adds tensors of different size as if the smaller were filled up with zeros.
        size = [max(pair) for pair in zip(x.shape[1:], out.shape[1:], strict=True)]
        return F.relu(_fill(x, size) + _fill(out, size))


def _fill(x: torch.Tensor, size: list[int]) -> torch.Tensor:
    channels, height, width = (full - have for full, have in zip(size, x.shape[1:], strict=True))
    return F.pad(x, (0, width, 0, height, 0, channels))


def align_faces(frames: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Rotate, scale and cut faces as dlib's get_face_chip does from five points, black outside the frame.

    Args:
        frames: (N, 3, H, W) in [0, 1].
        points: (N, 478, 2 or more) MediaPipe's mesh in pixels.

    Returns:
        (N, 3, 150, 150).

    Raises:
        InputError: a point that is used is not a number.
    """
    # On the CPU, because not every accelerator has float64.
    corners = points[:, MESH_POINTS, :2].to("cpu", torch.float64)
    if not corners.isfinite().all():
        raise InputError("An identity needs finite face points, got NaN or infinity: fill the gaps of the track.")
    template = (corners.new_tensor(TEMPLATE) + CHIP_PADDING) / (1 + 2 * CHIP_PADDING) * CHIP_SIZE
    turn, shift = _similarity(template.expand_as(corners), corners)
    samples = int(turn.abs().max().ceil().clamp(1, MOST_SAMPLES))
    side = CHIP_SIZE * samples
    # Centres of `samples` x `samples` points within each chip pixel, whose mean is the pixel: no aliasing.
    axis = (torch.arange(side, dtype=torch.float64) + 0.5) / samples - 0.5
    grid = torch.complex(*torch.meshgrid(axis, axis, indexing="xy"))
    at = torch.view_as_real(turn[:, None, None] * grid + shift[:, None, None])
    size = torch.tensor([frames.shape[3], frames.shape[2]])
    normalised = ((2 * at + 1) / size - 1).to(frames)
    chips = F.grid_sample(frames, normalised, mode="bilinear", padding_mode="zeros", align_corners=False)
    return F.avg_pool2d(chips, samples)


def _similarity(source: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Least-squares similarity from (N, K, 2) to (N, K, 2), as complex: target = turn * source + shift."""
    source = torch.view_as_complex(source.contiguous())
    target = torch.view_as_complex(target.contiguous())
    source_mean, target_mean = source.mean(1), target.mean(1)
    centred = source - source_mean[:, None]
    turn = (centred.conj() * (target - target_mean[:, None])).sum(1) / centred.abs().square().sum(1)
    return turn, target_mean - turn * source_mean
