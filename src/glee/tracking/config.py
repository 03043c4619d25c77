"""What may be chosen about tracking."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerConfig:
    """When tracks begin, what continues them, and how long they are remembered.

    birth_score      objects that no track explains start one if they score higher, 0..1
    keep_score       weaker objects than for a birth, down to this score, continue a track that was
                     seen in the last frame; still weaker ones are ignored
    birth_frames     a new track is reported from this many sightings on; 1 is at once
    coast_frames     so many frames after it was last seen, a track's position still counts
    remember_frames  so many frames after it was last seen, an object is still recognised
    max_remembered   at most so many identities are kept; those unseen for longest leave first
    views            so many different appearances are kept of each identity
    motion_weight    how much position counts beside appearance, 0..1, for objects just seen
    min_affinity     lowest agreement, 0..1, of appearance and position that continues a track
    min_appearance   objects whose appearance agrees less, 0..1, are never the same
    return_appearance  agreement of appearance, 0..1, from which an object is recognised without
                     help of its position
    """

    birth_score: float = 0.2
    keep_score: float = 0.1
    birth_frames: int = 1
    coast_frames: int = 30
    remember_frames: int = 900
    max_remembered: int = 256
    views: int = 6
    motion_weight: float = 0.5
    min_affinity: float = 0.35
    min_appearance: float = 0.2
    return_appearance: float = 0.5

    def __post_init__(self) -> None:
        for name in (
            "birth_score",
            "keep_score",
            "motion_weight",
            "min_affinity",
            "min_appearance",
            "return_appearance",
        ):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(f"{name} must lie in 0..1, got {value}")
        for name in ("birth_frames", "remember_frames", "max_remembered", "views"):
            value = getattr(self, name)
            if not (isinstance(value, int) and value >= 1):
                raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")
        if self.keep_score > self.birth_score:
            raise ValueError(
                f"keep_score ({self.keep_score}) must not exceed birth_score ({self.birth_score})"
            )
        if not 0 <= self.coast_frames <= self.remember_frames:
            raise ValueError(
                f"coast_frames ({self.coast_frames}) must lie in 0..remember_frames "
                f"({self.remember_frames})"
            )
