import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from glee.evaluation.average_precision import HIT, IGNORED, MISS, THRESHOLDS, Matches
from glee.evaluation.calibration import reliability
from glee.evaluation.evidence import Evidence, Matched, federated_evidence
from glee.evaluation.federated import Federation
from glee.evaluation.objects import Annotations, Catalog, Predictions
from glee.evaluation.regions import Boxes, Masks
from glee.evaluation.report.charts import Line, bar_chart, line_chart
from glee.evaluation.report.curves import mean_precision
from glee.evaluation.report.page import build_page, write_page
from glee.evaluation.report.worst import choose_threshold, pair_objects, rank_images
from glee.evaluation.result import Counts, EvaluationResult, Metric, Row
from glee.ops.masks import encode_rle

NASTY = '<script src="https://example.org/x.js"></script> & "co"'


def catalog(num_units: int = 3) -> Catalog:
    return Catalog(
        unit_ids=tuple(range(10, 10 + num_units)),
        unit_sizes=np.full((num_units, 2), 100),
        unit_lengths=np.ones(num_units, dtype=np.int64),
        category_ids=(1, 2),
    )


def evidence(
    true: Sequence[tuple[int, int, float]], found: Sequence[tuple[int, int, float, float]]
) -> Evidence:
    """Return boxes of 10 x 10 pixels: (image, category, left), and for predictions (.., score)."""

    def boxes(lefts: Sequence[float]) -> Boxes:
        return Boxes(np.array([[x, 0.0, 10.0, 10.0] for x in lefts]).reshape(-1, 4))

    return Evidence(
        annotations=Annotations(
            catalog=catalog(),
            units=np.array([one[0] for one in true], dtype=np.int64),
            categories=np.array([one[1] for one in true], dtype=np.int64),
            areas=np.full(len(true), 100.0),
            crowd=np.zeros(len(true), dtype=np.bool_),
            regions=boxes([one[2] for one in true]),
        ),
        predictions=Predictions(
            catalog=catalog(),
            units=np.array([one[0] for one in found], dtype=np.int64),
            categories=np.array([one[1] for one in found], dtype=np.int64),
            scores=np.array([one[3] for one in found], dtype=np.float64),
            regions=boxes([one[2] for one in found]),
        ),
    )


@pytest.fixture
def matched() -> Matched:
    """Image 10: one of two found, and one false. Image 11: all found. Image 12: missed."""
    return evidence(
        [(0, 0, 0), (0, 1, 50), (1, 0, 20), (2, 0, 30)],
        [(0, 0, 1, 0.9), (0, 0, 70, 0.8), (1, 0, 20, 0.7), (2, 1, 30, 0.1)],
    ).matched()


def outcomes(outcome: list[int], scores: list[float], count: int) -> Matches:
    number = len(outcome)
    zeros = np.zeros(number, dtype=np.int64)
    return Matches(
        units=zeros,
        categories=zeros,
        scores=np.array(scores),
        ranks=np.arange(number),
        rows=np.arange(number),
        outcomes=np.repeat(np.array(outcome, dtype=np.int8)[None, None], len(THRESHOLDS), axis=1),
        counts=np.array([[count]]),
    )


def test_the_curve_of_three_predictions_is_as_by_hand() -> None:
    # Right, wrong, right, of two objects: precision 1 up to recall 1/2, then 2/3 up to 1.
    mean = mean_precision(outcomes([HIT, MISS, HIT], [0.9, 0.8, 0.7], count=2))

    assert mean.shape == (10, 101)
    assert mean[0, :51] == pytest.approx(1.0)
    assert mean[0, 51:] == pytest.approx(2 / 3)


def test_without_objects_there_is_no_curve() -> None:
    assert np.isnan(mean_precision(outcomes([MISS], [0.9], count=0))).all()


def test_reliability_is_as_by_hand() -> None:
    found = reliability(
        outcomes([HIT, HIT, MISS, MISS, IGNORED], [0.95, 0.9, 0.94, 0.25, 0.9], count=3)
    )

    assert found.counts.tolist() == [0, 0, 1, 0, 0, 0, 0, 0, 0, 3]
    assert found.mean[[2, 9]] == pytest.approx([0.25, 0.93])
    assert found.precision[[2, 9]] == pytest.approx([0.0, 2 / 3])
    # One of four is 0.25 off, three are 0.93 - 2/3 off.
    assert found.error == pytest.approx((0.25 + 3 * (0.93 - 2 / 3)) / 4)


def test_scores_that_are_no_probabilities_have_no_reliability() -> None:
    with pytest.raises(ValueError, match=r"scores lie in -2\.\.3"):
        reliability(outcomes([HIT, MISS], [3.0, -2.0], count=1))


def test_the_threshold_has_the_best_f1() -> None:
    # F1 after each: 2/4, 2/5, 4/6, 4/7.
    matches = outcomes([HIT, MISS, HIT, MISS], [0.9, 0.8, 0.7, 0.6], count=3)

    assert choose_threshold(matches) == 0.7


def test_no_prediction_counts_if_none_finds_anything() -> None:
    assert choose_threshold(outcomes([MISS], [0.9], count=1)) == float("inf")


def test_the_worst_image_comes_first_and_those_without_errors_not_at_all(
    matched: Matched,
) -> None:
    worst = rank_images(matched, 0.5)

    counts = [(one.unit, one.found, one.missed, one.false) for one in worst]
    assert counts == [(2, 0, 1, 0), (0, 1, 1, 1)]
    assert [one.f1 for one in worst] == [0.0, 0.5]


def test_objects_of_an_image_are_told_as_found_and_missed(matched: Matched) -> None:
    pair = pair_objects(matched, 0, 0.5)

    assert pair.true.tolist() == [0, 1]
    assert pair.found.tolist() == [True, False]
    assert pair.rows.tolist() == [0, 1]
    assert pair.right.tolist() == [True, False]


def test_two_hits_find_two_objects() -> None:
    # Both overlap the first object most; the surer one takes it.
    two = evidence([(0, 0, 0), (0, 0, 4)], [(0, 0, 0, 0.9), (0, 0, 1.9, 0.8)]).matched()

    assert pair_objects(two, 0, 0.5).found.tolist() == [True, True]


def test_only_what_was_verified_counts_where_annotation_is_federated() -> None:
    plain = evidence([(0, 0, 0)], [(0, 1, 0, 0.9), (1, 1, 0, 0.8), (0, 0, 60, 0.7)])
    federation = Federation(absent=np.array([[1, 1]]), incomplete=np.array([[0, 0]]))

    found = federated_evidence(plain.annotations, plain.predictions, federation)

    # Of category 2 nothing is known in the first image; in the second it is absent.
    assert found.predictions.scores.tolist() == [0.8, 0.7]
    outcome = found.match()
    told = dict(zip(outcome.scores.tolist(), outcome.outcomes[0, 0].tolist(), strict=True))
    assert told == {0.8: MISS, 0.7: IGNORED}


def test_evidence_of_some_images_has_their_objects_only(matched: Matched) -> None:
    one = matched.evidence.of_units([11])

    assert one.annotations.units.tolist() == [1]
    assert one.predictions.scores.tolist() == [0.7]
    with pytest.raises(ValueError, match="keys has 99, which is not among the 3 images"):
        matched.evidence.of_units([99])


def result() -> EvaluationResult:
    return EvaluationResult(
        benchmark="coco",
        model=NASTY,
        settings={"max_objects": 100},
        deviations=("shortest is 480, in the paper's protocol 800",),
        metrics=(
            Metric(name="box AP", value=51.25, paper=55.0),
            Metric(name="mask AP", value=float("nan"), paper=48.4),
        ),
        values={"box": {"AP": 0.5125}},
        classes=(
            Row(table="box", id=1, name=NASTY, values={"AP": 0.75}),
            Row(table="box", id=2, name="dog", values={"AP": 0.25}),
        ),
        sizes=(Row(table="box", id="s", name="small", values={"AP": 0.125}),),
        counts=Counts(units=3, unit="images", predictions=4, missing=0, faults=1),
        notes=("a rule <b>applied</b>",),
        versions={"glee": "0.1.0"},
    )


class Reader(HTMLParser):
    """Collects the elements of a page, and all that a browser would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("meta", "img"):
            self.open.append(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href", "data")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def test_a_page_fetches_nothing_and_escapes_all_names(matched: Matched) -> None:
    page = build_page(result(), {"box": matched})

    reader = read(page)
    assert "script" not in reader.tags
    assert "link" not in reader.tags
    assert all(source.startswith("data:image/jpeg;base64,") for source in reader.sources)
    assert not re.search(r"url\(|@import", page)
    assert "default-src 'none'" in page
    assert NASTY not in page
    assert "&lt;script src=&quot;https://example.org/x.js&quot;&gt;" in page


def test_a_page_tells_our_number_the_papers_and_the_difference(matched: Matched) -> None:
    page = build_page(result(), {"box": matched})

    assert "<td>box AP</td><td>51.2</td><td>55.0</td><td>-3.8</td>" in page
    assert "<td>box, small</td><td>12.5</td>" in page
    assert "shortest is 480, in the paper&#x27;s protocol 800" in page
    assert page.index("<td>dog</td><td>1</td><td>25.0</td>") < page.index(
        "<td>75.0</td>"
    )  # lowest first


def test_a_page_counts_objects_and_leaves_out_classes_without_any(matched: Matched) -> None:
    told = result()
    empty = Row(table="box", id=3, name="okapi", values={"AP": float("nan")})

    page = build_page(replace(told, classes=(*told.classes, empty)), {"box": matched})

    assert "2 rows, the lowest first; 1 without objects" in page
    assert "okapi" not in page
    assert "<td>dog</td><td>1</td><td>25.0</td>" in page


def test_a_model_that_the_paper_does_not_have_gets_no_empty_columns(matched: Matched) -> None:
    told = replace(result(), metrics=(Metric(name="box AP", value=51.25),))

    assert "<tr><td>box AP</td><td>51.2</td></tr>" in build_page(told, {"box": matched})


def test_the_worst_images_are_drawn_in_pairs(matched: Matched, tmp_path: Path) -> None:
    Image.new("RGB", (100, 100), (90, 120, 150)).save(tmp_path / "10.png")

    page = build_page(result(), {"box": matched}, lambda key: tmp_path / f"{key}.png")

    # Image 12 comes first; its picture is not there, and grey.
    assert page.index("image 12: 0 found, 1 missed") < page.index("image 10: 1 found, 1 missed")
    assert read(page).tags.count("img") == 4


def test_masks_are_drawn_too(matched: Matched) -> None:
    mask = np.zeros((100, 100), dtype=np.bool_)
    mask[10:40, 10:60] = True
    masks = Masks([_counts(mask)] * 4, np.full((4, 2), 100))
    plain = matched.evidence
    drawn = replace(
        plain,
        annotations=replace(plain.annotations, regions=masks),
        predictions=replace(plain.predictions, regions=masks),
    )

    page = build_page(replace(result(), values={"mask": {"AP": 0.5}}), {"mask": drawn.matched()})

    assert "by mask" in page


def _counts(mask: NDArray[np.bool_]) -> bytes:
    import torch  # noqa: PLC0415 - only here

    (rle,) = encode_rle(torch.from_numpy(mask)[None])
    return rle["counts"].encode()


def test_a_benchmark_without_matched_objects_has_a_page(tmp_path: Path) -> None:
    write_page(tmp_path / "report.html", result(), {})

    assert read((tmp_path / "report.html").read_text()).tags.count("img") == 0


def test_scores_beyond_one_are_told_and_not_drawn(matched: Matched) -> None:
    predictions = matched.evidence.predictions
    logits = replace(predictions, scores=predictions.scores * 10)
    found = replace(matched.evidence, predictions=logits).matched()

    assert "No calibration: scores lie in 1..9" in build_page(result(), {"box": found})


def test_a_curve_is_broken_where_there_is_no_number() -> None:
    points = [(0.0, 1.0), (0.5, float("nan")), (1.0, 0.0)]

    chart = line_chart([Line("<a>", points)], "x", "y")

    (path,) = re.findall(r' d="([^"]+)"', chart)
    assert path.count("M") == 2
    assert "nan" not in chart


def test_names_of_curves_do_not_run_into_each_other() -> None:
    names = ("0.5 to 0.95", "0.5", "0.75")

    chart = line_chart([Line(name, []) for name in names], "x", "y")

    places = [float(one) for one in re.findall(r'text-anchor="start" x="([0-9.]+)"', chart)]
    starts = [float(one) for one in re.findall(r'class="line s0" x1="([0-9.]+)"', chart)]
    for name, place, following in zip(names, places, starts[1:], strict=False):  # the last has none
        assert place + 6 * len(name) < following


def test_bars_are_as_high_as_their_share_of_the_largest() -> None:
    chart = bar_chart([("a", 50), ("b", 20_000), ("c", 10_000)], "label")

    heights = [float(one) for one in re.findall(r'height="([0-9.]+)"', chart)]
    assert heights[2] == pytest.approx(heights[1] / 2, abs=0.01)
    assert ">20k<" in chart
