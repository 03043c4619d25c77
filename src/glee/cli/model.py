"""The network that a command uses: its options, and loading it."""

import argparse
from typing import TYPE_CHECKING

import glee

if TYPE_CHECKING:
    from glee import Predictor


def add_model(parser: argparse.ArgumentParser, *, names: str = "nano, lite, plus, pro") -> None:
    """Add the arguments that choose a network and where it runs.

    names  of the networks that help lists
    """
    parser.add_argument(
        "--model",
        default="nano",
        help=f"{names}, another released model, a weight file, a hub id (%(default)s)",
    )
    parser.add_argument("--device", help="cpu, cuda, cuda:1, mps (the machine's best)")
    parser.add_argument(
        "--dtype",
        default="float32",
        choices=("float32", "bfloat16", "float16"),
        help="what most of the network computes in (%(default)s)",
    )


def load_predictor(options: argparse.Namespace) -> "Predictor":
    """Load the model; a damaged file is a failure, all else that is wrong is usage."""
    import torch  # noqa: PLC0415

    dtype = getattr(torch, options.dtype)
    try:
        return glee.load(options.model, device=options.device, dtype=dtype)
    except ValueError as error:
        if _is_damaged(options.model):
            raise OSError(str(error)) from error
        raise


def _is_damaged(model: str) -> bool:
    """Whether a model's weights are there, but cannot be read."""
    from glee.inference.info import describe_weights, find_weights  # noqa: PLC0415

    try:
        path = find_weights(model)
    except ValueError:  # a name that is none
        return False
    try:
        describe_weights(path or model)
    except ValueError:
        return True
    return False
