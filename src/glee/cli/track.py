"""glee track: objects followed through a video, as an annotated video and in other formats."""

import argparse
import json
import sys
from contextlib import ExitStack
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import glee
from glee.cli.model import add_model, load_predictor
from glee.cli.prompts import add_prompts, read_prompts

if TYPE_CHECKING:
    from glee import Prompts, VideoFrame, VideoSession
    from glee.video.recording import Recording
    from glee.video.source import Source

DEFAULT_OUT = Path("glee_out")
DEFAULT_FORMATS = ("video", "jsonl")

HELP_WIDTH = 78
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
    parser = argparse.ArgumentParser(
        prog=name,
        description=fill(f"{summary}. {DETAILS}", HELP_WIDTH),
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="video file, folder of frames, number of a camera, or URL (rtsp, http, ...)",
    )
    add_prompts(parser.add_argument_group("what to follow (each may be repeated)"))
    parser.add_argument("--frame", type=int, metavar="N", help="number of the frame marked (0)")
    parser.add_argument("--start", type=int, default=0, metavar="N", help="first frame (0)")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="each N-th frame only")
    parser.add_argument("--backward", action="store_true", help="from the start down to frame 0")
    parser.add_argument("--rate", type=float, help="frames per second of a folder (24)")
    parser.add_argument("--threshold", type=float, help="least score, 0..1 (0.2 for --text)")
    parser.add_argument("--no-masks", action="store_true", help="boxes only")
    parser.add_argument("--max-memory-mb", type=float, metavar="MB", help="limit of the process")
    parser.add_argument("--skip-damage", action="store_true", help="go on behind damaged parts")
    add_model(parser)
    parser.add_argument("--show", action="store_true", help="show the frames in a window")
    _add_output(parser)
    return parser


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
    from glee.video.reader import open_source  # noqa: PLC0415

    prompts = read_prompts(options, index_masks=True)
    if options.frame is not None and not prompts.marks:
        raise ValueError("--frame says where marks lie; give --point, --box, --scribble or --mask")
    _check_formats(options)
    MemoryLimit(options.max_memory_mb)  # refuses what makes no sense before the model is loaded
    place = int(options.source) if _is_camera(options.source) else options.source
    source = open_source(place, frame_rate=options.rate, skip_damage=options.skip_damage)
    out = options.out or (None if options.json and not options.format else DEFAULT_OUT)
    try:
        if out is not None:
            _check_folder(out, source, options)
        if options.finish:
            return _finish(out or DEFAULT_OUT, source)
        return _follow(source, prompts, out, options)
    finally:
        source.close()


def _is_camera(source: str) -> bool:
    return source.isdecimal() and not Path(source).exists()


def _follow(
    source: "Source", prompts: "Prompts", out: Path | None, options: argparse.Namespace
) -> int:
    with ExitStack() as stack:
        predictor = load_predictor(options)
        frame = options.start if options.frame is None else options.frame
        session = stack.enter_context(
            glee.track(
                predictor,
                source,
                None if prompts.marks else prompts,
                at={frame: prompts} if prompts.marks else None,
                start=options.start,
                every=options.every,
                backward=options.backward,
                threshold=options.threshold,
                masks=not options.no_masks,
                max_memory_mb=options.max_memory_mb,
            )
        )
        report = stack.enter_context(_Report(session, options))
        if out is None:
            for one in session:
                report.tell(one)
                report.show(one)
                if report.closed:
                    break
            return 0
        recording = _open_recording(out, session, prompts, options, report)
        _record(session, recording, report)
    print(f"files are in {out}", file=sys.stderr)
    return 0


def _record(session: "VideoSession", recording: "Recording", report: "_Report") -> None:
    finished = session.info.live  # an interruption is how a live source ends
    try:
        if recording.state is not None:
            session.restore(recording.state)
        for frame in session:
            wanted = recording.wants_state() and not session.info.live
            recording.write(frame, session.state() if wanted else None)
            report.show(frame)
            if report.closed:
                raise KeyboardInterrupt
        finished = True
    finally:
        recording.close(finished=finished)


def _open_recording(
    out: Path,
    session: "VideoSession",
    prompts: "Prompts",
    options: argparse.Namespace,
    report: "_Report",
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
    if options.resume or options.finish or options.force:
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


def _finish(out: Path, source: "Source") -> int:
    from glee.video.recording import complete  # noqa: PLC0415

    frames = complete(out, source.info)
    print(f"files of {frames} frames are in {out}", file=sys.stderr)
    return 0


class _Report:
    """Tells of each frame: a line on stdout, progress on stderr, and a window if wanted."""

    def __init__(self, session: "VideoSession", options: argparse.Namespace) -> None:
        from tqdm import tqdm  # noqa: PLC0415

        from glee.cli.window import Window  # noqa: PLC0415

        self._json = options.json
        self._window = Window(session.info.title) if options.show else None
        total = session.info.num_frames
        if total is not None:
            span = options.start + 1 if options.backward else total - options.start
            total = -(-span // options.every)
        self._bar = tqdm(unit="frame", total=total, file=sys.stderr)
        self._dropped = 0

    @property
    def closed(self) -> bool:
        """Whether the user has closed the window."""
        return self._window is not None and self._window.closed

    def tell(self, frame: "VideoFrame") -> None:
        """Tell of a frame that is done."""
        from glee.video.memory import process_bytes  # noqa: PLC0415

        self._dropped += frame.dropped
        facts = {"objects": len(frame.instances)}
        if self._dropped:
            facts["dropped"] = self._dropped
        if held := process_bytes():
            facts["MB"] = round(held / 1e6)
        self._bar.set_postfix(facts, refresh=False)
        self._bar.update()
        text = json.dumps(frame.to_json()) if self._json else _as_text(frame)
        self._bar.write(text, file=sys.stdout)

    def show(self, frame: "VideoFrame") -> None:
        """Show a frame in the window, if there is one."""
        if self._window is not None:
            self._window.show(glee.draw_instances(frame.image, frame.instances))

    def __enter__(self) -> "_Report":
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()


def _as_text(frame: "VideoFrame") -> str:
    """Say what a frame shows, in one line."""
    found = frame.instances
    ids = [] if found.track_ids is None else found.track_ids.tolist()
    rows = zip(ids, found.label_names(), found.scores.tolist(), strict=True)
    objects = ", ".join(f"#{track} {name} {score:.2f}" for track, name, score in rows)
    return f"frame {frame.index} ({float(frame.timestamp):.3f} s): {objects or 'nothing'}"
