"""Self-attention within a frame, in the two readings that EVI-HRnet's section 4.3 allows."""

import torch
from einops import rearrange
from torch import nn
from torch.nn import functional as F

from .device import full_precision

REDUCED = 8  # queries and keys have an eighth of the channels


class SpatialAttention(nn.Module):
    """Every position looks at every other one (SAGAN: Zhang et al. 2019, which the paper names as its source).

    The softmax runs over the positions that are looked at; scores are not scaled, as in SAGAN. The answer is added to
    the input with a weight that starts at 0. keys: side of the grid to which keys and values are averaged, None to keep
    all positions as the paper does; 128 x 128 positions among themselves cost more than all convolutions together.
    """

    def __init__(self, channels: int, keys: int | None = None) -> None:
        super().__init__()
        inner = max(channels // REDUCED, 1)
        self.query = nn.Conv2d(channels, inner, 1)
        self.key = nn.Conv2d(channels, inner, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.weight = nn.Parameter(torch.zeros(()))
        self._keys = keys

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) to the same shape."""
        seen = x if self._keys is None or min(x.shape[2:]) <= self._keys else F.adaptive_avg_pool2d(x, self._keys)
        query, key, value = (
            rearrange(layer, "n c h w -> n 1 (h w) c") for layer in (self.query(x), self.key(seen), self.value(seen))
        )
        found = F.scaled_dot_product_attention(query, key, value, scale=1.0)
        return x + self.weight * rearrange(found, "n 1 (h w) c -> n c h w", h=x.shape[2])


class ChannelAttention(nn.Module):
    """The paper's equations 5 and 6 word for word: "softmax along the channel dimension (axis = 2)", and a score map of
    the shape of the features.

    That holds for products of the last two axes, rows by columns, of (B, T, C, H, W): S = Q K^T is (H, H) for every
    channel, the softmax runs over the channels, and S V has the shape of the input again. It compares rows of one
    channel, not places; kept for the ablation. Needs square features.
    """

    def __init__(self, channels: int, keys: None = None) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, channels, 1)
        self.key = nn.Conv2d(channels, channels, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, S, S) to the same shape."""
        # In float32: sums over a row of products of features are too large for the exponential in half precision.
        with full_precision(x.device):
            query, key, value = (layer(x.float()) for layer in (self.query, self.key, self.value))
            share = (query @ key.transpose(2, 3)).softmax(dim=1)
            return (x.float() + self.weight * (share @ value)).to(x.dtype)
