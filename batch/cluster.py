"""Clips over the machines of a Ray cluster, one task a clip."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import InputError
from .clips import Clip
from .local import Work, done, split
from .outcome import Outcome

CPUS = 2  # of a clip: one follows the face, one fills and encodes
# Of a GPU, where the cluster has any: it fills alone, and waits for what the CPU does most of the time.
GPU_SHARE = 0.25
MOST_ATTEMPTS = 3  # of a clip: one at which machines die must not make all of them die


def on_ray(work: Work, clips: Sequence[Clip], out: Path, address: str | None = None) -> Iterator[Outcome]:
    """As batch.local.one_by_one, on a Ray cluster. A clip whose machine is lost goes to another.

    work: can be pickled. clips, out: absolute paths, which mean the same on every machine of the cluster. address: of
    the cluster; None takes the one that runs on this machine, or else starts one. Raises InputError.
    """
    try:
        import ray
    except ModuleNotFoundError as error:
        raise InputError("For --ray a package is missing: pip install 'hmd-removal[ray]'.") from error
    missing, there = split(clips, out)
    yield from there
    if not missing:
        return
    if address is not None and not _answers(address):
        raise InputError(f"There is no Ray cluster at {address}: start one with `ray start --head`.")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a cluster that is started here tells nobody
    ray.init(address, log_to_driver=False, logging_level="ERROR")
    try:
        cpus = min(CPUS, max(node["Resources"].get("CPU", 0) for node in ray.nodes()))
        share = GPU_SHARE if ray.cluster_resources().get("GPU") else 0
        # Ray's own retries do not say how many there were.
        task = ray.remote(num_cpus=cpus, num_gpus=share, max_retries=0)(done)
        running = {task.remote(work, clip, out, 1): (clip, 1) for clip in missing}
        while running:
            (ready,), _ = ray.wait(list(running), num_returns=1)
            clip, attempt = running.pop(ready)
            try:
                yield ray.get(ready)
            except ray.exceptions.RayError as error:  # the machine is lost, or its memory does not suffice
                if attempt == MOST_ATTEMPTS:
                    yield Outcome(clip.name, None, attempts=attempt, error=f"It failed {attempt} times, last: {error}")
                else:
                    running[task.remote(work, clip, out, attempt + 1)] = (clip, attempt + 1)
    finally:
        ray.shutdown()


def _answers(address: str) -> bool:
    """Whether something listens at host:port or ray://host:port. Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, ValueError):
        return False
    return True
