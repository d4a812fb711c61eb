"""The discriminator of an inpainting network in training."""

from typing import Any

import torch
from torch import nn

from ..networks.evi_discriminator import EVIDiscriminator
from .losses import adversarial_loss, critic_loss


class Critic:
    """What it learns, and what it says. kind: out of GAN_LOSSES; clip: the largest norm of a step's gradients."""

    def __init__(self, net: EVIDiscriminator, *, kind: str, rate: float, clip: float, device: str):
        self._net = net.to(device, memory_format=torch.channels_last)
        self._optimiser = torch.optim.Adam(self._net.parameters(), lr=rate)
        self._kind, self._clip = kind, clip

    def learn(
        self, fake: torch.Tensor, real: torch.Tensor, hole: torch.Tensor, contour: torch.Tensor, rate: float
    ) -> torch.Tensor:
        """One step; returns the loss. fake, real: (B, T, 3, S, S), composited; hole, contour: (B, T, 1, S, S)."""
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._net.train()
        scores = self._net(torch.cat([real, fake]), hole.repeat(2, 1, 1, 1, 1), contour.repeat(2, 1, 1, 1, 1))
        loss = critic_loss(*scores.float().chunk(2), self._kind)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self._net.parameters(), self._clip)
        self._optimiser.step()
        return loss.detach()

    def judge(self, fake: torch.Tensor, hole: torch.Tensor, contour: torch.Tensor) -> torch.Tensor:
        """The generator's loss. The critic is only asked: its own gradients of this pass are thrown away."""
        return adversarial_loss(self._net(fake, hole, contour).float(), self._kind)

    def state_dict(self) -> dict[str, Any]:
        return {"critic": self._net.state_dict(), "critic_optimiser": self._optimiser.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._net.load_state_dict(state["critic"])
        self._optimiser.load_state_dict(state["critic_optimiser"])
