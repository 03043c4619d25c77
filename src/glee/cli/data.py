"""glee data: what training data is made of; each of its commands has a file of its own."""

import argparse

from glee.cli import data_check, data_filter, data_scenes, data_shards

COMMANDS = {
    "check": data_check,
    "shards": data_shards,
    "filter-sa1b": data_filter,
    "scenes": data_scenes,
}
"""Modules with `SUMMARY`, `add_arguments(parser)` and `run(options)`."""


def build_parser(name: str, summary: str) -> argparse.ArgumentParser:
    """Return the parser of this command's arguments."""
    parser = argparse.ArgumentParser(
        prog=name,
        description=f"{summary}.",
        epilog=f"`{name} COMMAND --help` explains a command.",
    )
    commands = parser.add_subparsers(dest="data_command", metavar="COMMAND", required=True)
    for command, module in COMMANDS.items():
        own = commands.add_parser(
            command,
            help=module.SUMMARY,
            description=f"{module.SUMMARY[0].upper()}{module.SUMMARY[1:]}.",
            epilog=module.EXAMPLE,
        )
        module.add_arguments(own)
    return parser


def run(options: argparse.Namespace) -> int:
    """Run the command chosen and return its exit code."""
    return COMMANDS[options.data_command].run(options)
