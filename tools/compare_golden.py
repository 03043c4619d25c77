"""Compare this implementation with recorded numbers of the original.

    python tools/compare_golden.py DIR [--training]

DIR holds config.json, state_dict_small.json, weights_recipe.py (run to make the weights: only use
directories that you trust), inputs.safetensors and one expected_<case>.safetensors per case. One
line a case is printed with its worst error. Numbers may be off by a share of the largest value of
their tensor, masks in a share of their pixels; whole numbers must be equal. The exit code is 1 if
an error exceeds its tolerance, 2 if DIR holds no such recordings. With --training the recorded
training steps are compared instead, see golden_training.py.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import safe_open

from golden_cases import Case, Golden, build_cases, load_golden, run_case, tensor_error
from golden_training import compare_all

TOLERANCE = 1e-3
MASKS = "result.mask"  # begins the names of binary masks and of their areas
MASK_TOLERANCE = 2e-3  # share of pixels, which are on or off where a logit is almost zero

# What the original computes and nothing reads; we do not compute it.
NOT_COMPUTED = {
    "fusion.lang_out": "text side of early fusion, read by nothing",
    "extra.visual_prompt_tokens3": "points of the coarsest level, read by no layer",
    "extra.visual_prompt_nonzero_mask3": "points of the coarsest level, read by no layer",
    "dist_loss": "a loss of training",
}


def recorded_cases(folder: Path, *, training: bool = False) -> list[str]:
    """Return the names of the cases that a directory has recordings of.

    Raises FileNotFoundError if there are none.
    """
    found = sorted(
        path.stem.removeprefix("expected_")
        for path in folder.glob("expected_*.safetensors")
        if path.stem.startswith("expected_train_") == training
    )
    if not found:
        kind = "expected_train_*" if training else "expected_*"
        raise FileNotFoundError(f"nothing to compare with: {folder} holds no {kind}.safetensors")
    return found


@dataclass(frozen=True)
class Comparison:
    """Errors of one case.

    errors   of each tensor, see `tensor_error`
    skipped  recorded tensors that need no counterpart
    """

    errors: Mapping[str, float]
    skipped: tuple[str, ...]

    @property
    def worst(self) -> tuple[str, float]:
        """Return the tensor that comes closest to its tolerance, or exceeds it most; its error."""
        return max(self.errors.items(), key=lambda item: item[1] / tolerance(item[0]))

    @property
    def good(self) -> bool:
        """Return whether every tensor lies within its tolerance."""
        return all(error <= tolerance(key) for key, error in self.errors.items())


def tolerance(key: str) -> float:
    """Return the largest error that a tensor may have."""
    return MASK_TOLERANCE if key.startswith(MASKS) else TOLERANCE


def compare(golden: Golden, name: str, case: Case) -> Comparison:
    """Run one case and compare each of its recorded tensors."""
    found = run_case(golden, case)
    errors: dict[str, float] = {}
    skipped = []
    with safe_open(golden.folder / f"expected_{name}.safetensors", "pt") as file:
        index = json.loads(file.metadata()["index"])
        for key, entry in index.items():
            if key in NOT_COMPUTED:
                skipped.append(key)
                continue
            if key not in found:
                raise SystemExit(f"{name}: nothing of ours corresponds to the recorded {key}")
            errors[key] = tensor_error(key, found, file.get_tensor(key), entry)
    return Comparison(errors, tuple(skipped))


def compare_all_cases(golden: Golden, names: list[str], *, verbose: bool) -> bool:
    """Compare named cases, print a line for each; return if all are good."""
    cases, good = build_cases(golden), True
    for name in names:
        if name not in cases:
            raise SystemExit(f"{golden.folder}: nothing is known of the recorded case {name}")
        result = compare(golden, name, cases[name])
        good &= result.good
        key, worst = result.worst
        print(
            f"{name:16} {'ok' if result.good else 'FAILED':6} worst {worst:.1e} ({key}) of "
            f"{len(result.errors)} tensors, {len(result.skipped)} not compared"
        )
        if verbose:
            for tensor, error in result.errors.items():
                print(f"    {error:.1e} {tensor}")
            for tensor in result.skipped:
                print(f"    not compared: {tensor} ({NOT_COMPUTED[tensor]})")
    return good


def main() -> int:
    """Compare all cases of a directory; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("directory", type=Path, help="recordings, with their config.json")
    parser.add_argument("--verbose", action="store_true", help="print every tensor's error")
    parser.add_argument("--training", action="store_true", help="compare the training steps")
    options = parser.parse_args()
    try:
        names = recorded_cases(options.directory, training=options.training)
        golden = load_golden(options.directory)
    except FileNotFoundError as error:
        parser.error(str(error))
    if options.training:
        return 0 if compare_all(golden, verbose=options.verbose) else 1
    return 0 if compare_all_cases(golden, names, verbose=options.verbose) else 1


if __name__ == "__main__":
    sys.exit(main())
