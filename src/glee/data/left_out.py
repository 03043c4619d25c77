"""What of some samples cannot be used: what their readers left out, and images that do not open."""

from glee.data.joined import Joined
from glee.data.readers.index import ImageIndex
from glee.data.readers.lazy import LazyIndex
from glee.data.readers.videos import VideoIndex
from glee.data.report import Report
from glee.data.scene import open_frame
from glee.data.schema import BadSampleError, Samples, Subset
from glee.data.without import WithoutNames

UNUSABLE = "image or mask that cannot be used"


def report_of(samples: Samples) -> Report:
    """Return what a reader has left out; nothing for one that keeps no report."""
    match samples:
        case ImageIndex() | VideoIndex() | LazyIndex():
            return samples.report
        case Subset() | WithoutNames():
            return report_of(samples.samples)
        case Joined():
            joined = Report()
            for part in samples.parts:
                joined.join(report_of(part))
            return joined
    return Report()


def require_sound(samples: Samples, name: str, *, most: float, fail_fast: bool) -> Report:
    """Return what a reader has left out, if that is not too much.

    name       of the source, for the error
    most       the largest share 0..1 of entries that is put up with
    fail_fast  put up with none

    Raises ValueError, with the whole report, if there are more.
    """
    report = report_of(samples)
    try:
        report.require_share(0.0 if fail_fast else most)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    return report


def only_usable(samples: Samples, *, fail_fast: bool = False) -> tuple[Samples, Report]:
    """Return the images that can be opened, and a report of the others; of clips the first frames.

    Every image is decoded, and every mask.

    Raises ValueError at the first that cannot be used if `fail_fast`, and if none can.
    """
    report, rows = Report(fail_fast), []
    for row in range(len(samples)):
        report.total += 1
        try:
            sample = samples[row]
            open_frame(sample.frames[0], sample.supervision)
        except BadSampleError as error:
            report.add(UNUSABLE, str(error))
        else:
            rows.append(row)
    if not rows:
        raise ValueError(f"none of {len(samples)} samples can be used:\n{report}")
    return (samples if len(rows) == len(samples) else Subset(samples, rows)), report
