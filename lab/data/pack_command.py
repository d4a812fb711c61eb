"""`hmd-removal lab pack-faces` and `unpack-faces`: a run's faces as a few files, for another machine to train on."""

import argparse
from pathlib import Path

PARTS = ("train", "val")


def add_parser(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("pack-faces", help="write the faces of a run as a few small files")
    parser.set_defaults(run=_pack)
    parser.add_argument("data", type=Path, help="folder of photos and clips, as in train")
    parser.add_argument("out", type=Path, help="folder for the files")
    parser.add_argument("--work", type=Path, required=True, help="folder of the run; its faces are made if need be")
    parser.add_argument("--files", type=int, default=2, help="files of the split train (default: %(default)s)")
    parser = commands.add_parser("unpack-faces", help="make a run's faces of what pack-faces wrote")
    parser.set_defaults(run=_unpack)
    parser.add_argument("packed", type=Path, help="folder of the files")
    parser.add_argument("--work", type=Path, required=True, help="folder for the run")


def _pack(args: argparse.Namespace) -> int:
    from dataclasses import replace

    import numpy as np

    from ...errors import InputError
    from .face_pack import pack
    from .face_store import open_store

    if args.files < 1:
        raise InputError(f"Expected one file or more, got {args.files}.")
    for split in PARTS:
        store = open_store(args.work / "faces", args.data, split)
        for k, chosen in enumerate(np.array_split(np.arange(len(store)), args.files if split == "train" else 1)):
            file = args.out / f"{split}_{k}.npz"
            # What is elsewhere is not told by faces, so it goes into the first file.
            pack(store if k == 0 else replace(store, elsewhere=store.elsewhere[:0]), file, chosen)
            print(f"{file}: {len(chosen)} faces, {file.stat().st_size / 2**20:.0f} MiB")
    return 0


def _unpack(args: argparse.Namespace) -> int:
    from ...errors import InputError
    from .face_pack import unpack

    for split in PARTS:
        files = sorted(args.packed.glob(f"{split}_*.npz"))
        if not files:
            raise InputError(f"Expected files {split}_*.npz of pack-faces in {args.packed}, but there are none.")
        unpack(files, args.work / "faces" / split)
    return 0
