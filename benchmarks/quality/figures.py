"""Figures of the quality table, what they must reach, and the table as JSON and Markdown."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from glee.files import replacing

Values = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Goal:
    """What one figure of the table must reach.

    key    section and name of the figure
    title  how the table calls it
    floor  the least that is good enough
    aim    what is wanted
    """

    key: tuple[str, str]
    title: str
    floor: float
    aim: float

    def state(self, value: float) -> str:
        """Say in a word what a value has reached; for false alarms less is better."""
        sign = -1 if self.aim < self.floor else 1
        if math.isnan(value) or sign * value < sign * self.floor:
            return "below floor"
        return "aim" if sign * value >= sign * self.aim else "floor"


GOALS = (
    Goal(("photos", "box AP50"), "COCO eval photos, 80 names at once: box AP50", 0.15, 0.40),
    Goal(("marks", "box: mIoU"), "same photos, box prompt to mask: mean IoU", 0.60, 0.75),
    Goal(("marks", "deep point: mIoU"), "same photos, point prompt to mask: mean IoU", 0.40, 0.60),
    Goal(("unseen", "box AP50"), "unseen classes when named, composed scenes: AP50", 0.10, 0.25),
    Goal(("expressions", "P@0.5"), "expressions on composed scenes: P@0.5 of boxes", 0.60, 0.85),
    Goal(("expressions", "mask P@0.5"), "the same: P@0.5 of masks", 0.60, 0.85),
    Goal(("videos", "mask: J&F"), "davis_dev, first-frame mask: J&F", 0.50, 0.70),
    Goal(("videos", "name: J&F"), "davis_dev, name alone: J&F", 0.30, 0.55),
    Goal(("absent", "alarms"), "absent names: false alarms per photo and name", 0.10, 0.02),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All figures of one network.

    model     what was loaded
    settings  what the run was, in words
    sections  figures by section and name
    seconds   that each section took
    """

    model: str
    settings: Mapping[str, str]
    sections: Mapping[str, Values]
    seconds: Mapping[str, float]

    def value(self, key: tuple[str, str]) -> float:
        """Return a figure, NaN if its section was left out."""
        return self.sections.get(key[0], {}).get(key[1], math.nan)

    def to_json(self) -> dict[str, object]:
        """Return plain JSON values, None for NaN."""
        return {
            "model": self.model,
            "settings": dict(self.settings),
            "sections": {
                name: {key: _known(value) for key, value in values.items()}
                for name, values in self.sections.items()
            },
            "goals": {
                goal.title: {
                    "value": _known(self.value(goal.key)),
                    "floor": goal.floor,
                    "aim": goal.aim,
                    "state": goal.state(self.value(goal.key)),
                }
                for goal in GOALS
            },
            "seconds": {name: round(value, 1) for name, value in self.seconds.items()},
        }

    def to_markdown(self) -> str:
        """Return the table of goals and below it all figures."""
        goals = [
            (goal.title, _text(value), f"{goal.floor:g}", f"{goal.aim:g}", goal.state(value))
            for goal, value in ((goal, self.value(goal.key)) for goal in GOALS)
        ]
        figures = [
            (section, name, _text(value))
            for section, values in self.sections.items()
            for name, value in values.items()
        ]
        settings = "; ".join(f"{name}: {value}" for name, value in self.settings.items())
        parts = (
            f"# Quality of {self.model}",
            settings,
            _table(("on", "value", "floor", "aim", "reached"), goals),
            "## All figures",
            _table(("section", "figure", "value"), figures),
        )
        return "\n\n".join(parts) + "\n"

    def write(self, folder: Path) -> None:
        """Write quality.json and quality.md into a folder."""
        with replacing(folder / "quality.json") as beside:
            beside.write_text(json.dumps(self.to_json(), indent=1) + "\n", encoding="utf-8")
        with replacing(folder / "quality.md") as beside:
            beside.write_text(self.to_markdown(), encoding="utf-8")


def _known(value: float) -> float | None:
    return None if math.isnan(value) else round(float(value), 5)


def _text(value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:g}" if value == int(value) and value > 1 else f"{value:.3f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
