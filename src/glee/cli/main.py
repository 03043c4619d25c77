"""The glee command: picks a subcommand, and turns mistakes of the user into messages."""

import argparse
import sys
from collections.abc import Sequence
from types import ModuleType

import glee

SUMMARIES = {
    "predict": "find objects in images",
    "convert": "turn a released GLEE checkpoint into a weight file of this library",
    "info": "show what a weight file holds, or what this machine offers",
}

SUCCESS, FAILURE, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    0 for success, 2 for wrong usage, 1 if something failed.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    options, rest = _build_parser().parse_known_args(words[:1])
    command = _command(options.command)
    name = f"glee {options.command}"
    parsed = command.build_parser(name, SUMMARIES[options.command]).parse_args(rest + words[1:])
    try:
        code: int = command.run(parsed)
    except (ValueError, TypeError) as error:
        return _complain(name, error, WRONG_USAGE)
    except (OSError, ImportError) as error:
        return _complain(name, error, FAILURE)
    except KeyboardInterrupt:
        return _complain(name, "interrupted", INTERRUPTED)
    return code


def _build_parser() -> argparse.ArgumentParser:
    commands = "\n".join(f"  {name:10} {text}" for name, text in SUMMARIES.items())
    parser = argparse.ArgumentParser(
        prog="glee",
        usage="glee COMMAND ...",
        description="Detect, segment, name and refer to any object in images.\n\n"
        f"commands:\n{commands}\n\n`glee COMMAND --help` explains a command.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=SUMMARIES, help=argparse.SUPPRESS, metavar="COMMAND")
    parser.add_argument("--version", action="version", version=f"glee {glee.__version__}")
    return parser


def _command(name: str) -> ModuleType:
    # Imported when chosen: torch alone takes a second, and help must not wait for it.
    match name:
        case "predict":
            from glee.cli import predict  # noqa: PLC0415

            return predict
        case "convert":
            from glee.cli import convert  # noqa: PLC0415

            return convert
        case _:
            from glee.cli import info  # noqa: PLC0415

            return info


def _complain(name: str, error: object, code: int) -> int:
    print(f"{name}: error: {error}", file=sys.stderr)
    return code
