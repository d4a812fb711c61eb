"""`python -m benchmarks [--length N] [--runs N] [--no-memory]`, from the repository's root."""

import argparse
import os
import platform

from . import inpainting, memory, throughput, tracking

parser = argparse.ArgumentParser(prog="python -m benchmarks")
parser.add_argument("--length", type=int, default=150, help="frames of the speed test (default: %(default)s)")
parser.add_argument("--runs", type=int, default=3, help="runs of which the median is taken (default: %(default)s)")
parser.add_argument("--no-memory", action="store_true", help="leave out the memory test, which takes minutes")
args = parser.parse_args()

print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
throughput.run(args.length, args.runs)
tracking.run()
inpainting.run()
if not args.no_memory:
    memory.run()
