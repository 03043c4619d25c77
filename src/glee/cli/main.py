"""The glee command: picks a subcommand, and turns mistakes of the user into messages."""

import argparse
import difflib
import io
import os
import sys
from collections.abc import Sequence
from types import ModuleType

import glee

SUMMARIES = {
    "predict": "find objects in images",
    "eval": "evaluate a model, or stored predictions, on a benchmark",
    "eval compare": "tell whether one of two runs of a benchmark is better",
    "track": "follow objects through a video, a folder of frames or a camera",
    "convert": "turn a released GLEE checkpoint into a weight file of this library",
    "train": "train a network by one of the paper's recipes",
    "train plot": "draw the learning curves of runs",
    "finetune": "tune a model to a folder of annotated images",
    "data": "check training data, filter it, pack it into shards",
    "bench": "measure speed and memory of a model on this machine",
    "info": "show what a weight file holds, or what this machine offers",
}

FAILURE, WRONG_USAGE, INTERRUPTED = 1, 2, 130
READER_GONE = 141  # as for commands that the system ends by SIGPIPE


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    0 for success, 2 for wrong usage, 1 if something failed.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # No name and no path is lost for characters that a terminal lacks.
            stream.reconfigure(errors="backslashreplace")
    words = list(sys.argv[1:] if arguments is None else arguments)
    match words:
        case [] | ["help"]:
            words = ["--help"]
        case ["help", *command]:
            words = [*command, "--help"]
    if (both := " ".join(words[:2])) in ("eval compare", "train plot"):
        return _run(both, words[2:])
    return _run(_choose(words[:1]), words[1:])


def _run(command: str, words: list[str]) -> int:
    module, name, summary = _command(command), f"glee {command}", SUMMARIES[command]
    sentence = summary[0].upper() + summary[1:]
    options = module.build_parser(name, sentence).parse_args(words)
    try:
        code: int = module.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read has gone, such as `head`. Python would complain when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_GONE
    except (ValueError, TypeError) as error:
        return _complain(name, error, WRONG_USAGE)
    except (OSError, ImportError) as error:
        return _complain(name, error, FAILURE)
    except KeyboardInterrupt as interruption:
        return _complain(name, str(interruption) or "interrupted", INTERRUPTED)
    return code


def _choose(words: list[str]) -> str:
    """Return the command that the first word names."""
    commands = "\n".join(f"  {name:12} {text}" for name, text in SUMMARIES.items())
    parser = argparse.ArgumentParser(
        prog="glee",
        usage="glee COMMAND ...",
        description="Detect, segment, name, refer to and track any object in images and videos.\n\n"
        f"commands:\n{commands}\n\n`glee COMMAND --help` explains a command.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", help=argparse.SUPPRESS, metavar="COMMAND")
    parser.add_argument("--version", action="version", version=f"glee {glee.__version__}")
    command: str = parser.parse_args(words).command
    if command not in SUMMARIES:
        near = difflib.get_close_matches(command, SUMMARIES, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; choose from {', '.join(SUMMARIES)}"
        parser.error(f"unknown command {command!r}{hint}")
    return command


def _command(name: str) -> ModuleType:  # noqa: C901, PLR0911  # a row for each command
    # Imported when chosen: torch alone takes a second, and help must not wait for it.
    match name:
        case "predict":
            from glee.cli import predict  # noqa: PLC0415

            return predict
        case "eval compare":
            from glee.cli import compare  # noqa: PLC0415

            return compare
        case "eval":
            from glee.cli import eval as evaluate  # noqa: PLC0415

            return evaluate
        case "track":
            from glee.cli import track  # noqa: PLC0415

            return track
        case "convert":
            from glee.cli import convert  # noqa: PLC0415

            return convert
        case "data":
            from glee.cli import data  # noqa: PLC0415

            return data
        case "train" | "train plot" | "finetune":
            return _training_command(name)
        case "bench":
            from glee.cli import bench  # noqa: PLC0415

            return bench
        case _:
            from glee.cli import info  # noqa: PLC0415

            return info


def _training_command(name: str) -> ModuleType:
    match name:
        case "train":
            from glee.cli import train  # noqa: PLC0415

            return train
        case "train plot":
            from glee.cli import train_plot  # noqa: PLC0415

            return train_plot
        case _:
            from glee.cli import finetune  # noqa: PLC0415

            return finetune


def _complain(name: str, error: object, code: int) -> int:
    print(f"{name}: error: {error}", file=sys.stderr)
    return code
