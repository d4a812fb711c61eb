"""Split the weights of a network into files that the pack may carry, and print what the manifest has to say of them.

python tools/split_weights.py RUN/personal.safetensors models/weights/personal_generic
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file

MOST = 25 * 10**6  # bytes of a file


def split(source: Path, target: Path) -> list[Path]:
    """Write target_1.safetensors, target_2.safetensors and so on: the tensors in half precision, in order, each file
    with the header of the whole. Returns the files."""
    with safe_open(source, "pt") as file:
        about = file.metadata() or {}
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    tensors = {name: value.half() if value.is_floating_point() else value for name, value in tensors.items()}
    parts: list[dict] = [{}]
    for name, value in tensors.items():
        if sum(v.nbytes for v in parts[-1].values()) + value.nbytes > 0.98 * MOST:
            parts.append({})
        parts[-1][name] = value.contiguous()
    files = []
    for number, part in enumerate(parts, 1):
        files.append(target.with_name(f"{target.name}_{number}.safetensors"))
        save_file(part, files[-1], about)
    return files


if __name__ == "__main__":
    for path in split(Path(sys.argv[1]), Path(sys.argv[2])):
        content = path.read_bytes()
        print(json.dumps({"file": path.name, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}))
