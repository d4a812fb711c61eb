"""`hmd-removal lab`: what measures, trains and compares."""

import argparse

from .compare import command as compare_command
from .data import pack_command, prepare_command
from .driving import recordings_command, sheet_command
from .evaluation import animated_command, plots_command
from .evaluation import command as evaluation_command
from .speed import command as speed_command
from .tracking import enlarged_command, landmarks_command, sightings_command, tracking_command
from .training import command as training_command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Complete the parser of `hmd-removal lab`."""
    commands = parser.add_subparsers(dest="lab_command", required=True, metavar="COMMAND")
    for module in (
        evaluation_command,
        plots_command,
        animated_command,
        landmarks_command,
        sightings_command,
        tracking_command,
        enlarged_command,
        recordings_command,
        sheet_command,
        compare_command,
        prepare_command,
        pack_command,
        training_command,
        speed_command,
    ):
        module.add_parser(commands)
