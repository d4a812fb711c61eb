"""The `hmd-removal` command. A sub-command's own module is imported only when it is the one that runs."""

import argparse
import os
import sys
from importlib import import_module
from pathlib import Path

from . import __version__
from .errors import InputError
from .terminal import without_chatter

# Sub-commands by name: what they do, and the module beside what they run whose `add_arguments` completes the parser.
COMMANDS = {
    "deocclude": ("remove the headset from a video file, or from every one in a folder", "restore.command"),
    "live": ("remove the headset while you film: from a camera or stream to a stream", "telepresence.live_command"),
    "train": ("train a model of one person", "personal.command"),
    "animate": ("move a picture of a person as they do, by a few kilobytes a second", "telepresence.animate_command"),
    "queue": ("run every clip of a folder through a workflow on one or many ComfyUI servers", "comfyui.command"),
    "record-tracking": ("record eye and face tracking of VR software (OSC) while you film", "driving.command"),
    "face-mesh": ("make a 3-D face, still or moving, of a photo or a clip", "telepresence.face_mesh_command"),
    "weights": ("list, fetch or verify the weight files of the networks", "weights.command"),
    "demo": ("run the example workflow in a real ComfyUI on a real clip", None),
    "lab": ("evaluation, training of the shared networks, comparison of systems, speed", "lab.command"),
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status: 0 done, 1 something is missing or wrong, 130 interrupted."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="hmd-removal", description="Takes the VR headset off a face in video.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    parsers = {name: commands.add_parser(name, help=what, description=what) for name, (what, _) in COMMANDS.items()}
    try:
        if arguments and arguments[0] in COMMANDS:
            _complete(parsers[arguments[0]], arguments[0])
        args = parser.parse_args(arguments)
        with without_chatter():
            return args.run(args)
    except InputError as error:
        print(f"hmd-removal: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("hmd-removal: stopped; nothing half-written was left behind.", file=sys.stderr)
        return 130


def _complete(parser: argparse.ArgumentParser, command: str) -> None:
    """Give the parser of a sub-command its arguments. Raises InputError where the command is not installed."""
    if command == "demo":
        _add_demo(parser)
        return
    # Threads of OpenMP that wait for others spin by default, which on a busy machine keeps those others from running.
    # Read when torch is imported. Not for `demo`: a ComfyUI that it starts inherits the environment.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    name = f"{__package__}.{COMMANDS[command][1]}"
    try:
        module = import_module(name)
    except ModuleNotFoundError as error:
        if command != "lab" or error.name not in (name, name.rpartition(".")[0]):
            raise
        raise InputError(
            "The command lab is only in the repository: clone https://github.com/hmd-removal/hmd-removal and run pip "
            "install -e '.[lab]' in it."
        ) from error
    module.add_arguments(parser)


def _add_demo(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_demo)
    parser.add_argument(
        "--comfyui", type=Path, default=Path(".comfyui"), help="folder of a ComfyUI (default: %(default)s)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("out/demo"), help="folder for the results (default: %(default)s)"
    )


def _demo(args: argparse.Namespace) -> int:
    from .comfyui.client import ComfyError
    from .comfyui.server import ServerError
    from .demo import demo

    try:
        demo(args.comfyui, args.out)
    except (ComfyError, ServerError) as error:
        print(f"hmd-removal: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
