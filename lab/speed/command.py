"""`hmd-removal lab speed`: frames a second, and memory, on this machine."""

import argparse
import os
import platform


def add_parser(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("speed", help="measure frames a second and memory on this machine")
    parser.set_defaults(run=_measure)
    parser.add_argument("--length", type=int, default=150, help="frames of the speed test (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="runs of which the median counts (default: %(default)s)")
    parser.add_argument("--no-memory", action="store_true", help="leave out the memory test, which takes minutes")


def _measure(args: argparse.Namespace) -> int:
    from . import eyes, inpainting, memory, throughput, tracking

    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    throughput.run(args.length, args.runs)
    tracking.run()
    eyes.run()
    inpainting.run()
    if not args.no_memory:
        memory.run()
    return 0
