"""The parser of a command: how its help looks, and arguments that several commands have."""

import argparse
from textwrap import fill

HELP_WIDTH = 78


def new_parser(name: str, description: str, examples: str) -> argparse.ArgumentParser:
    """Return a parser without arguments; examples stand at the end of its help, line by line."""
    return argparse.ArgumentParser(
        prog=name,
        description=fill(description, HELP_WIDTH),
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_results(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say which objects are wanted, and what of them."""
    parser.add_argument("--threshold", type=float, help="least score, 0..1 (0.2 for --text)")
    parser.add_argument("--no-masks", action="store_true", help="boxes only")
