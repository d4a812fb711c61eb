"""The networks that EVI-HRnet is compared with, called alike."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from ...errors import InputError
from ...weights.header import read_weights
from .combcn import CombCN
from .lafin import LaFIn
from .lgtsm import LGTSM

NETWORKS = {"lgtsm": LGTSM, "combcn": CombCN, "lafin": LaFIn}


@dataclass(frozen=True)
class ComparedConfig:
    """What a file of weights has to say of its network.

    network: a name out of NETWORKS. width: channels of the first layer, 64 in the papers. side: pixels of the crops
    that it learnt from. landmarks: whether it looks at the lines of the face; CombCN has no place for them. frames: of
    the windows that one which looks ahead learnt from, see restore.filler. Raises InputError for an unknown
    network.
    """

    network: str
    width: int = 64
    side: int = 128
    landmarks: bool = True
    frames: int = 32

    def __post_init__(self) -> None:
        if self.network not in NETWORKS:
            raise InputError(f"Expected a network out of {', '.join(NETWORKS)}, got {self.network!r}.")

    @property
    def looks_ahead(self) -> bool:
        """Whether the network sees a frame's neighbours, and so needs a clip as a whole."""
        return self.network != "lafin"

    def metadata(self) -> dict[str, str]:
        """As text, for the header of a safetensors file."""
        return {name: str(value) for name, value in asdict(self).items()}

    @classmethod
    def from_metadata(cls, metadata: dict[str, str]) -> "ComparedConfig":
        """From `metadata`; other entries are left alone. Raises InputError for a file that does not say."""
        try:
            landmarks = {"True": True, "False": False}[metadata["landmarks"]]
            frames = int(metadata.get("frames", cls.frames))  # which files of an earlier version do not say
            return cls(metadata["network"], int(metadata["width"]), int(metadata["side"]), landmarks, frames)
        except (KeyError, ValueError) as error:
            raise InputError(
                f"Expected weights of {', '.join(NETWORKS)}, whose header names network, width, side and landmarks, "
                f"got {metadata}."
            ) from error


class Filled(NamedTuple):
    """picture: (B, T, 3, S, S), not clamped, to be composited with the frames; small: what CombCN's first network makes
    of them at half the size, None for the others."""

    picture: torch.Tensor
    small: torch.Tensor | None = None


class ComparedNetwork(nn.Module):
    """One of the networks, and what it is."""

    def __init__(self, config: ComparedConfig) -> None:
        super().__init__()
        self.config = config
        self.network = NETWORKS[config.network](config.width)

    def forward(self, frames: torch.Tensor, mask: torch.Tensor, contour: torch.Tensor) -> Filled:
        """Fill the hole in consecutive frames; see models.evi_hrnet. What the hole shows in `frames` is not looked at.

        frames: (B, T, 3, S, S) in [0, 1], S a multiple of 8; mask: (B, T, 1, S, S), 1 = hole; contour: (B, T, 1, S, S),
        see restore.network_inputs.
        """
        if self.config.network == "combcn":
            return Filled(*self.network(frames, mask))
        return Filled(self.network(frames, mask, contour if self.config.landmarks else None))


def load(path: Path, network: str) -> ComparedNetwork:
    """The network of a safetensors file that `hmd-removal lab train compared` wrote, in evaluation mode.

    network: which one it has to be. Raises InputError when there is no such file, or it holds another network.
    """
    metadata, state = read_weights(path, f"weights of {network}")
    config = ComparedConfig.from_metadata(metadata)
    if config.network != network:
        raise InputError(f"Expected weights of {network} in {path}, which holds {config.network}.")
    net = ComparedNetwork(config)
    net.load_state_dict({name: t.float() if t.is_floating_point() else t for name, t in state.items()})
    return net.eval().requires_grad_(False)
