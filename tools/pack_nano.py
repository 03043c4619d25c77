"""Write the weights of GLEE-Nano into the package, in as few bytes as cost nothing.

    python tools/pack_nano.py MODEL.safetensors [--out src/glee/weights] [--origin TEXT]

The encoders and the text encoder stay as they were published and lie in files of their own, which
are written only if they changed: a version of nano costs the repository what was trained.
"""

import argparse
from pathlib import Path

from torch import Tensor

from glee.inference.load import PACKAGED
from glee.model.compact import load_compact, save_compact
from glee.model.weights import load_model, read_config

TEXT, IMAGE = "text_encoder.", "backbone."
PUBLISHED = "EfficientNet-Lite0, NanoDet-g and all-MiniLM-L6-v2, all Apache-2.0"


def divide(weights: dict[str, Tensor]) -> list[dict[str, Tensor]]:
    """Return the weights of each packaged file, in the order of PACKAGED."""
    parts: list[dict[str, Tensor]] = [{}, {}, {}]
    for name, value in weights.items():
        parts[1 if name.startswith(IMAGE) else 2 if name.startswith(TEXT) else 0][name] = value
    return parts


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
    for path, weights in zip(files, divide(model.state_dict()), strict=True):
        beside = path.with_suffix(".new")
        save_compact(beside, model.config, weights, whole=(TEXT,), origin=options.origin or origin)
        changed = not path.is_file() or path.read_bytes() != beside.read_bytes()
        beside.replace(path)
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB{'' if changed else ', as before'}")
    load_compact(files)


if __name__ == "__main__":
    main()
