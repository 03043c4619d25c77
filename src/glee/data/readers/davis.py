"""DAVIS and MOSE: clips with index pictures (arXiv:1704.00675, arXiv:2302.01872)."""

from pathlib import Path

from glee.data.readers.mask_folders import Clip, MaskFolders


def read_davis(root: Path, *, split: str = "train", resolution: str = "480p") -> MaskFolders:
    """Read DAVIS 2017.

    root        the folder that holds `JPEGImages`, `Annotations` and `ImageSets`
    split       the list of clips in `ImageSets/2017`: train, val or test-dev
    resolution  the folder in `JPEGImages` and `Annotations`

    Raises FileNotFoundError without the list.
    """
    path = root / "ImageSets" / "2017" / f"{split}.txt"
    if not path.is_file():
        raise FileNotFoundError(f"list of clips {str(path)!r} not found")
    return MaskFolders(
        images=root / "JPEGImages" / resolution,
        annotations=root / "Annotations" / resolution,
        clips=[Clip(name=name) for name in path.read_text().split()],
    )


def read_mose(root: Path) -> MaskFolders:
    """Read MOSE, or all clips of another folder that holds `JPEGImages` and `Annotations`.

    Raises FileNotFoundError without these folders.
    """
    annotations = root / "Annotations"
    if not annotations.is_dir():
        raise FileNotFoundError(f"folder {str(annotations)!r} not found")
    names = sorted(folder.name for folder in annotations.iterdir() if folder.is_dir())
    clips = [Clip(name=name) for name in names]
    return MaskFolders(images=root / "JPEGImages", annotations=annotations, clips=clips)
