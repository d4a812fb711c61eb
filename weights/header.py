"""A user's own file of weights, which says in its header what network it holds."""

from pathlib import Path

import torch

from ..errors import InputError


def read_weights(path: Path, of: str) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    """Header and tensors of a safetensors file. of: what is expected in it, for the error's sentence.

    Raises InputError when there is no such file, or it is none.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}
    except (OSError, SafetensorError) as error:
        raise InputError(f"Expected {of} in {path}, which cannot be read: {error}.") from error
