"""Several processes that share each batch, as torchrun starts them."""

import os

from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel


def join(device: str) -> tuple[int, int]:
    """This process's number and how many there are, as torchrun says; one alone without it."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        return 0, 1
    if not distributed.is_initialized():
        distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    return distributed.get_rank(), world


def shared(net: nn.Module) -> nn.Module:
    """The network, its gradients averaged over processes if there are several."""
    return DistributedDataParallel(net) if distributed.is_available() and distributed.is_initialized() else net
