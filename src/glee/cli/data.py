"""glee data: looks at, filters and packs data sets; each of its commands in a file of its own."""

import argparse

from glee.cli import data_check, data_filter, data_shards


def build_parser(name: str, summary: str) -> argparse.ArgumentParser:
    """Return the parser of this command's arguments."""
    parser = argparse.ArgumentParser(
        prog=name,
        description=f"{summary}.",
        epilog="example: glee data check my_photos --sheet sheet.png",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    data_check.add_parser(commands)
    data_shards.add_parser(commands)
    data_filter.add_parser(commands)
    return parser


def run(options: argparse.Namespace) -> int:
    """Run the command that was chosen."""
    match options.command:
        case "check":
            return data_check.run(options)
        case "shards":
            return data_shards.run(options)
    return data_filter.run(options)
