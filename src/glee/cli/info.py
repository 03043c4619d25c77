"""glee info: what a weight file holds, or what this machine offers."""

import argparse
import json
from typing import Any


def build_parser(name: str, summary: str) -> argparse.ArgumentParser:
    """Return the parser of this command's arguments."""
    parser = argparse.ArgumentParser(
        prog=name,
        description=f"{summary}.",
        epilog="example: glee info lite",
    )
    parser.add_argument(
        "model",
        nargs="?",
        help="nano, lite, plus, pro, another released model, a weight file (.safetensors), a "
        "released checkpoint (.pth) or a hub id; without it, the machine",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def run(options: argparse.Namespace) -> int:
    """Print the facts."""
    # torch takes a second, not to be waited for by --help
    from glee.inference.info import (  # noqa: PLC0415
        describe_machine,
        describe_weights,
        find_weights,
    )

    if options.model is None:
        facts = describe_machine()
    else:
        find_weights(options.model)  # a name that is none is wrong usage
        try:
            facts = describe_weights(options.model)
        except ValueError as error:  # of the file, not of the usage
            raise OSError(str(error)) from error
    if options.json:
        print(json.dumps(facts, indent=2))
    else:
        _print_tree(facts)
    return 0


def _print_tree(facts: dict[str, Any], indent: str = "") -> None:
    for name, value in facts.items():
        match value:
            case dict():
                print(f"{indent}{name}")
                _print_tree(value, indent + "  ")
            case int() if not isinstance(value, bool):
                print(f"{indent}{name:24} {value:,}")
            case _:
                print(f"{indent}{name:24} {value}")
