"""Write the weights of GLEE-Nano into the package, in as few bytes as cost nothing.

    python tools/pack_nano.py MODEL.safetensors [--out src/glee/weights] [--origin TEXT]

The encoders and the text encoder stay as they were published and lie in files of their own, which
are written only if their weights changed: a version of nano costs the repository what was trained.
"""

import argparse
from pathlib import Path

from torch import Tensor

from glee.inference.load import PACKAGED
from glee.model.compact import load_compact, read_compact, save_compact
from glee.model.weights import load_model, read_config

TEXT, IMAGE = "text_encoder.", "backbone."
# They came after the file of the encoders, which stays as it is.
LATER = "backbone.places.towers."
PUBLISHED = "EfficientNet-Lite0, NanoDet-g and all-MiniLM-L6-v2, all Apache-2.0"


def divide(weights: dict[str, Tensor]) -> list[dict[str, Tensor]]:
    """Return the weights of each packaged file, in the order of PACKAGED."""
    parts: list[dict[str, Tensor]] = [{}, {}, {}]
    for name, value in weights.items():
        is_image = name.startswith(IMAGE) and not name.startswith(LATER)
        parts[1 if is_image else 2 if name.startswith(TEXT) else 0][name] = value
    return parts


def is_same(first: Path, second: Path) -> bool:
    """Say whether the first file is there and holds the weights of the second."""
    if not first.is_file():
        return False
    ours, theirs = read_compact(first), read_compact(second)
    return ours.keys() == theirs.keys() and all(ours[name].equal(theirs[name]) for name in ours)


def main() -> None:
    """Read the weight file named on the command line and write the packaged ones."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, help="weight file of a training")
    parser.add_argument("--out", type=Path, default=Path("src/glee/weights"), help="folder")
    parser.add_argument("--origin", help="where the weights come from, kept in the file")
    options = parser.parse_args()
    model, (_, origin) = load_model(options.model), read_config(options.model)
    files = [options.out / name for name in PACKAGED["nano"]]
    origins = [options.origin or origin, PUBLISHED, PUBLISHED]
    for path, weights, own in zip(files, divide(model.state_dict()), origins, strict=True):
        beside = path.with_suffix(".new")
        save_compact(beside, model.config, weights, whole=(TEXT,), origin=own)
        changed = not is_same(path, beside)
        if changed:
            beside.replace(path)
        else:
            beside.unlink()
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB{'' if changed else ', as before'}")
    load_compact(files)


if __name__ == "__main__":
    main()
