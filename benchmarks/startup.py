"""Time what a user waits for before anything happens: help, and importing the library.

    python benchmarks/startup.py [--runs 7]

Each figure is the median of whole processes.
"""

import argparse
import platform
import statistics
import subprocess
import sys
import time

COMMANDS = {
    "python, nothing else": [sys.executable, "-c", ""],
    "glee --help": [sys.executable, "-m", "glee", "--help"],
    "import torch": [sys.executable, "-c", "import torch"],
    "import torch, all of glee's names": [
        sys.executable,
        "-c",
        "import torch, glee; [getattr(glee, name) for name in glee.__all__]",
    ],
}


def median_seconds(command: list[str], runs: int) -> float:
    """Return the median time of a process, after one run to warm the file cache."""
    seconds = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])


def main() -> None:
    """Print a line for each command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    print(f"Python {platform.python_version()}, {platform.machine()}, {options.runs} runs")
    for name, command in COMMANDS.items():
        print(f"{name:36} {median_seconds(command, options.runs):.2f} s")


if __name__ == "__main__":
    main()
