"""Make the packaged CLIP vocabulary from the wheel of open_clip_torch (MIT).

pip download --no-deps open_clip_torch
python tools/make_clip_vocabulary.py open_clip_torch-*.whl
"""

import argparse
import gzip
import zipfile
from pathlib import Path

SOURCE = "open_clip/bpe_simple_vocab_16e6.txt.gz"
TARGET = Path(__file__).parents[1] / "src/glee/model/text/clip_merges.txt.gz"
# CLIP's 49,408 tokens are 256 bytes, 256 bytes that end a word, these merges and 2 special ones.
NUM_MERGES = 49_408 - 2 * 256 - 2


def used_merges(text: str) -> str:
    """Return the merges that CLIP uses, one pair a line, of the published list `text`."""
    # The first line names the version; the published list is over five times as long as used.
    merges = text.splitlines()[1 : 1 + NUM_MERGES]
    if len(merges) != NUM_MERGES or any(pair.count(" ") != 1 for pair in merges):
        raise ValueError(f"{SOURCE} must hold at least {NUM_MERGES} pairs, one a line")
    return "\n".join(merges) + "\n"


def main() -> None:
    """Read the wheel named on the command line and write the packaged file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("wheel", type=Path, help="open_clip_torch-*.whl")
    with zipfile.ZipFile(parser.parse_args().wheel) as wheel:
        merges = used_merges(gzip.decompress(wheel.read(SOURCE)).decode())
    # Without a time stamp the same merges give the same file.
    TARGET.write_bytes(gzip.compress(merges.encode(), compresslevel=9, mtime=0))
    print(f"{TARGET}: {NUM_MERGES} merges, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
