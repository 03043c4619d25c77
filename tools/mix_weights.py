"""Mix the weights of networks of one configuration, such as those of a run and of its start.

    python tools/mix_weights.py OUT.safetensors A.safetensors 0.4 B.safetensors 0.6
        [--cells 0.2 0.8]

Each file is followed by its share; shares add up to one. --cells gives other shares, one a file,
to what cells are made of and chosen by before they read a prompt.

Averages of runs from one start are often better than each of them (arXiv:2203.05482), and a start
keeps what a run unlearned (arXiv:2109.01903).
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from glee.model.weights import load_model, save_weights
from glee.training.optimizer import CELL_PARTS

TOLERANCE = 1e-6


def mix(
    models: Sequence[dict[str, Tensor]], shares: Sequence[float], cells: Sequence[float]
) -> dict[str, Tensor]:
    """Return the weighted sum of weights; `cells` are the shares of CELL_PARTS.

    Raises ValueError if shares are not one a file, or do not add up to one.
    """
    for own in (shares, cells):
        if len(own) != len(models) or abs(sum(own) - 1) > TOLERANCE:
            raise ValueError(f"{len(models)} shares must add up to one, got {list(own)}")
    mixed = {}
    for name, first in models[0].items():
        own = cells if name.startswith(CELL_PARTS) else shares
        values = [share * model[name] for share, model in zip(own, models, strict=True)]
        mixed[name] = sum(values[1:], values[0]) if first.is_floating_point() else first
    return mixed


def main() -> None:
    """Read, mix and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="file to write")
    parser.add_argument("parts", nargs="+", metavar="FILE SHARE", help="weights, and their shares")
    parser.add_argument("--cells", type=float, nargs="+", metavar="SHARE", help="those of cells")
    options = parser.parse_args()
    paths = [Path(name) for name in options.parts[::2]]
    try:
        shares = [float(share) for share in options.parts[1::2]]
        models = [load_model(path) for path in paths]
        if any(model.config != models[0].config for model in models):
            raise ValueError("the files hold networks of several configurations")
        states = [model.state_dict() for model in models]
        weights = mix(states, shares, options.cells or shares)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    origin = "; ".join(f"{share:g} {path.name}" for path, share in zip(paths, shares, strict=True))
    save_weights(options.out, models[0].config, weights, origin=f"a mix: {origin}")
    print(options.out)


if __name__ == "__main__":
    main()
