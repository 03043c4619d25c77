"""glee track: objects followed through a video, as an annotated video and in other formats."""

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import glee
from glee.cli.model import add_model, load_predictor
from glee.cli.parser import add_results, new_parser
from glee.cli.prompts import add_prompts, read_prompts
from glee.cli.track_report import Report

if TYPE_CHECKING:
    from glee import Prompts, VideoSession
    from glee.video.recording import Recording
    from glee.video.source import Source

DEFAULT_OUT = Path("glee_out")
DEFAULT_FORMATS = ("video", "jsonl")

DETAILS = (
    "Say what to follow by text, or by marks on one frame. Objects keep their numbers. One line a "
    "frame is printed; the annotated video and other files go to the folder --out. They are "
    "complete up to the last frame at any time."
)

EXAMPLE = """examples:
  glee track street.mp4 --text "person, bus"
  glee track street.mp4 --expression "the man with the umbrella" --out umbrella
  glee track frames/ --mask first.png --format png --format jsonl
  glee track 0 --text person --show
  glee track street.mp4 --text "person, bus" --resume
"""


def build_parser(name: str, summary: str) -> argparse.ArgumentParser:
    """Return the parser of this command's arguments."""
    parser = new_parser(name, f"{summary}. {DETAILS}", EXAMPLE)
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="video file, folder of frames, number of a camera, or URL (rtsp, http, ...)",
    )
    add_prompts(parser.add_argument_group("what to follow (each may be repeated)"))
    parser.add_argument("--frame", type=int, metavar="N", help="number of the frame marked (0)")
    _add_range(parser)
    add_results(parser)
    parser.add_argument("--max-memory-mb", type=float, metavar="MB", help="limit of the process")
    add_model(parser)
    parser.add_argument("--show", action="store_true", help="show the frames in a window")
    _add_output(parser)
    return parser


def _add_range(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--start", type=int, default=0, metavar="N", help="first frame (0)")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="each N-th frame only")
    parser.add_argument("--backward", action="store_true", help="from the start down to frame 0")
    parser.add_argument(
        "--lag",
        type=int,
        default=0,
        metavar="N",
        help="hold frames back by N, and leave out objects of names that do not last (0)",
    )
    parser.add_argument("--rate", type=float, help="frames per second of a folder (24)")
    parser.add_argument("--skip-damage", action="store_true", help="go on behind damaged parts")


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help=f"folder for files ({DEFAULT_OUT}; none with --json)",
    )
    parser.add_argument(
        "--format",
        action="append",
        default=[],
        choices=("video", "jsonl", "mot", "mots", "png", "ytvis", "coco-video", "tao", "burst"),
        help="a format to write, may be repeated (video and jsonl)",
    )
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    parser.add_argument(
        "--finish", action="store_true", help="complete the files of an interrupted run, and end"
    )
    parser.add_argument("--force", action="store_true", help="replace files in DIR")
    parser.add_argument("--json", action="store_true", help="print JSON Lines, one for each frame")


def run(options: argparse.Namespace) -> int:
    """Follow frame by frame; what was found before an error or an interruption is kept."""
    from glee.video.memory import MemoryLimit  # noqa: PLC0415

    if options.finish:
        return _finish(options)
    prompts = read_prompts(options, index_masks=True)
    if options.frame is not None and not prompts.marks:
        raise ValueError("--frame says where marks lie; give --point, --box, --scribble or --mask")
    if options.frame is not None and options.frame < 0:
        raise ValueError(f"--frame must be the number of a frame, from 0, got {options.frame}")
    _check_formats(options)
    MemoryLimit(options.max_memory_mb)  # refuses what makes no sense before the model is loaded
    source = _open_source(options)
    out = options.out or (None if options.json and not options.format else DEFAULT_OUT)
    try:
        if out is not None:
            _check_folder(out, source, options)
        return _follow(source, prompts, out, options)
    finally:
        source.close()


def _open_source(options: argparse.Namespace) -> "Source":
    from glee.video.reader import open_source  # noqa: PLC0415

    place = int(options.source) if _is_camera(options.source) else options.source
    return open_source(place, frame_rate=options.rate, skip_damage=options.skip_damage)


def _is_camera(source: str) -> bool:
    return source.isdecimal() and not Path(source).exists()


def _follow(
    source: "Source", prompts: "Prompts", out: Path | None, options: argparse.Namespace
) -> int:
    with ExitStack() as stack:
        session = stack.enter_context(_open_session(source, prompts, options))
        report = stack.enter_context(Report(session, options))
        if out is None:
            _tell(session, report)
            return 0
        _record(session, _open_recording(out, session, prompts, options, report), report)
    print(f"files are in {out}", file=sys.stderr)
    return 0


def _open_session(
    source: "Source", prompts: "Prompts", options: argparse.Namespace
) -> "VideoSession":
    frame = options.start if options.frame is None else options.frame
    return glee.track(
        load_predictor(options),
        source,
        None if prompts.marks else prompts,
        at={frame: prompts} if prompts.marks else None,
        start=options.start,
        every=options.every,
        backward=options.backward,
        threshold=options.threshold,
        masks=not options.no_masks,
        lag=options.lag,
        max_memory_mb=options.max_memory_mb,
    )


def _tell(session: "VideoSession", report: Report) -> None:
    """Tell of all frames, and write no files."""
    for frame in session:
        report.tell(frame)
        report.show(frame)
        if report.closed:
            return


def _record(session: "VideoSession", recording: "Recording", report: Report) -> None:
    finished = session.info.live  # an interruption is how a live source ends
    try:
        if recording.state is not None:
            session.restore(recording.state)
        report.start_behind(recording.num_before)
        for frame in session:
            wanted = recording.wants_state() and not session.info.live
            recording.write(frame, session.state() if wanted else None)
            report.show(frame)
            if report.closed:
                raise KeyboardInterrupt
        finished = True
    except KeyboardInterrupt:
        if finished:
            raise
        raise KeyboardInterrupt(
            "interrupted; --resume goes on, --finish completes the files as they are"
        ) from None
    finally:
        try:
            recording.close(finished=finished)
        finally:
            if not finished:
                recording.discard()


def _open_recording(
    out: Path,
    session: "VideoSession",
    prompts: "Prompts",
    options: argparse.Namespace,
    report: Report,
) -> "Recording":
    from glee.video.recording import Recording  # noqa: PLC0415

    return Recording(
        out,
        options.format or DEFAULT_FORMATS,
        session.info,
        settings=_settings(prompts, options),
        resume=options.resume,
        written=report.tell,
    )


def _settings(prompts: "Prompts", options: argparse.Namespace) -> dict[str, Any]:
    """Return what two runs must share for one to go on where the other was stopped."""
    path = Path(options.source).expanduser()
    return {
        "source": str(path.resolve()) if path.exists() else options.source,
        "prompts": prompts.to_json(),
        "frame": options.frame,
        "start": options.start,
        "every": options.every,
        "backward": options.backward,
        "threshold": options.threshold,
        "masks": not options.no_masks,
        "lag": options.lag,
        "rate": options.rate,
        "model": options.model,
    }


def _check_formats(options: argparse.Namespace) -> None:
    """Refuse formats of masks where there are none."""
    from glee.video.recording import MASK_FORMATS  # noqa: PLC0415

    wrong = [name for name in options.format if name in MASK_FORMATS]
    if options.no_masks and wrong:
        raise ValueError(f"--format {wrong[0]} holds masks; leave out --no-masks")


def _check_folder(out: Path, source: "Source", options: argparse.Namespace) -> None:
    """Refuse to write over what is read, and over what no complete run of ours has written."""
    from glee.video.recording import file_names, is_run, is_unfinished  # noqa: PLC0415

    if out.exists() and not out.is_dir():
        raise ValueError(f"--out {out} is a file; give a folder")
    targets = [out / name for name in file_names(options.format or DEFAULT_FORMATS)]
    path = source.info.path
    read = path is not None and Path(path).exists()
    if path is not None and read and any(t.exists() and t.samefile(path) for t in targets):
        raise ValueError(f"{path} is read and would be replaced; give another folder by --out")
    if options.resume and source.info.live:
        raise ValueError(f"{source.info.name} is live; --resume is for files and folders")
    if options.resume or options.force:
        return
    if is_unfinished(out):
        raise ValueError(
            f"{out} holds an interrupted run; go on with it by --resume, give another folder by "
            "--out, or --force to begin anew"
        )
    foreign = [target for target in targets if target.exists()]
    if foreign and not is_run(out):
        raise ValueError(
            f"{foreign[0]} exists and is not of an earlier run; give another folder by --out, or "
            "--force to replace it"
        )


def _finish(options: argparse.Namespace) -> int:
    from glee.video.recording import complete  # noqa: PLC0415

    out, source = options.out or DEFAULT_OUT, _open_source(options)
    try:
        frames = complete(out, source.info)
    finally:
        source.close()
    print(f"files of {frames} frames are in {out}", file=sys.stderr)
    return 0
