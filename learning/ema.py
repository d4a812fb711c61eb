"""Exponential moving average of a network's weights, which is what gets shipped."""

import copy
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import nn

NORMS = (nn.BatchNorm2d, nn.BatchNorm3d)
SETTLING = 8  # batches by which their statistics are found anew


class Batches(Protocol):
    """Batches by their number, as a training's samples."""

    def __len__(self) -> int: ...

    def __getitem__(self, step: int) -> Any: ...


class Average:
    """Follows a network with the given decay, and with a smaller one at first, so that the start is forgotten."""

    def __init__(self, net: nn.Module, decay: float):
        self._net = copy.deepcopy(net).eval().requires_grad_(False)
        self._decay, self._updates = decay, 0

    @torch.no_grad()
    def update(self, net: nn.Module) -> None:
        self._updates += 1
        decay = min(self._decay, self._updates / (self._updates + 9))
        for own, other in zip(self._net.state_dict().values(), net.state_dict().values(), strict=True):
            if own.is_floating_point():
                own.lerp_(other, 1 - decay)
            else:
                own.copy_(other)

    def network(self) -> nn.Module:
        """The averaged network, in evaluation mode."""
        return self._net

    def state_dict(self) -> dict:
        return {"net": self._net.state_dict(), "updates": self._updates}

    def load_state_dict(self, state: dict) -> None:
        self._net.load_state_dict(state["net"])
        self._updates = state["updates"]


@torch.no_grad()
def settled(net: nn.Module, batches: Batches, show: Callable[[nn.Module, Any], None]) -> nn.Module:
    """An averaged network with statistics of batch normalisation of its own, in evaluation mode: averages of another
    network's are those of weights that it never had. One without any is returned as it is.

    show: passes a batch through the network that it gets.
    """
    if not any(isinstance(module, NORMS) for module in net.modules()):
        return net
    net = copy.deepcopy(net)
    for module in net.modules():
        if isinstance(module, NORMS):
            module.reset_running_stats()
            module.momentum = None  # a plain mean of all batches
    net.train()
    for step in range(min(SETTLING, len(batches))):
        show(net, batches[step])
    return net.eval()
