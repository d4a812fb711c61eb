"""Clips on a Ray cluster of two machines, which are processes here: one of them is killed in the midst."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hmd_removal.batch.clips import Clip
from hmd_removal.batch.cluster import on_ray
from hmd_removal.batch.local import one_by_one
from hmd_removal.errors import InputError

ray = pytest.importorskip("ray")


class Work:
    """The footage in capitals, after a while. started: a folder, for a file of each clip that says on which machine."""

    def __init__(self, started: Path, seconds: float = 0.0) -> None:
        self.started, self.seconds = started, seconds

    def __call__(self, source: Path, target: Path) -> str:
        import ray

        text = source.read_text()
        if ray.is_initialized():
            (self.started / f"{text} {ray.get_runtime_context().get_node_id()}").touch()
        time.sleep(self.seconds)
        if text == "dark":
            raise InputError("No face was found.")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text.upper())
        return ""

    def machines(self) -> set[str]:
        return {path.name.split()[1] for path in self.started.iterdir()}


@pytest.fixture
def cluster() -> Iterator[ray.cluster_utils.Cluster]:
    from ray.cluster_utils import Cluster

    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the machines cannot import the tests
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2})
    yield cluster
    cluster.shutdown()


@pytest.fixture
def work(tmp_path: Path) -> Work:
    (tmp_path / "started").mkdir()
    return Work(tmp_path / "started")


def clips(folder: Path, *texts: str) -> list[Clip]:
    for text in texts:
        (folder / f"{text}.mov").write_text(text)
    return [Clip(folder / f"{text}.mov", f"day/{text}") for text in texts]


@pytest.mark.slow
def test_clips_whose_machine_is_killed_are_done_by_another(
    cluster: ray.cluster_utils.Cluster, work: Work, tmp_path: Path
) -> None:
    second = cluster.add_node(num_cpus=2)
    work.seconds = 2.0

    def kill_when_both_work() -> None:
        while second.node_id not in work.machines():
            time.sleep(0.05)
        cluster.remove_node(second, allow_graceful=False)

    killer = threading.Thread(target=kill_when_both_work)
    killer.start()
    several = clips(tmp_path, "a", "b", "c", "d", "dark")
    outcomes = {outcome.clip: outcome for outcome in on_ray(work, several, tmp_path / "out", cluster.address)}
    killer.join()
    assert {path.read_text() for path in (tmp_path / "out" / "day").iterdir()} == {"A", "B", "C", "D"}
    assert outcomes["day/dark"].error == "No face was found."
    lost = {path.name.split()[0] for path in work.started.iterdir() if path.name.endswith(second.node_id)}
    assert lost and {clip for clip, outcome in outcomes.items() if outcome.attempts == 2} == {f"day/{x}" for x in lost}


def test_what_is_there_is_left_and_no_cluster_is_needed(work: Work, tmp_path: Path) -> None:
    one = clips(tmp_path, "a")
    list(one_by_one(work, one, tmp_path / "out"))
    (again,) = on_ray(work, one, tmp_path / "out", "127.0.0.1:1")
    assert "left as it is" in again.line


def test_a_cluster_that_is_not_there_is_one_sentence(work: Work, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no Ray cluster at 127.0.0.1:1: start one"):
        list(on_ray(work, clips(tmp_path, "a"), tmp_path / "out", "127.0.0.1:1"))
