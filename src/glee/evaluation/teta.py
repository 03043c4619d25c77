"""TETA, track every thing accuracy: localisation, association and classification, held apart.

Li et al., "Tracking Every Thing in the Wild" (arXiv:2207.12978, section 3). Where many categories
are annotated in part, a prediction of the wrong class should not cost its track, and a prediction
that lies on no annotated object should cost nothing. So tracks are compared in local clusters: the
true objects of one category with every prediction that overlaps them, whatever its class.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from glee.evaluation.arrays import BoolArray, FloatArray, IntArray
from glee.evaluation.combine import combine_sequences
from glee.evaluation.labelled_video import LabelledFrame, LabelledVideo, categories_with_truth
from glee.evaluation.scores import Scores
from glee.evaluation.track_matching import Matches, association, match_aligned, reached
from glee.evaluation.tracked_video import FrameOverlap, TrackedVideo, tracked_video

# Localisation and association are averaged over 0 to 0.95, classification over 0.5 to 0.95.
LOC_ALPHAS: FloatArray = np.arange(0.0, 0.99, 0.05)
FIRST_CLS = 10
# Overlap that takes a prediction into the cluster of a true object.
CLUSTER_OVERLAP = 0.5


@dataclass(frozen=True, slots=True)
class Teta:
    """Counts of one category at each threshold, and the measures that follow from them.

    loc_tp, loc_fn, loc_fp  [20] matched pairs, missed objects, cluster members that match none
    assoc_sum, assoc_re_sum, assoc_pr_sum  [20] sums over the pairs of how well tracks agree
    cls_tp, cls_fn          [10] pairs with the right class and with a wrong one
    cls_fp                  [10] pairs of other categories that were given this class
    """

    loc_tp: FloatArray
    loc_fn: FloatArray
    loc_fp: FloatArray
    assoc_sum: FloatArray
    assoc_re_sum: FloatArray
    assoc_pr_sum: FloatArray
    cls_tp: FloatArray
    cls_fn: FloatArray
    cls_fp: FloatArray

    @property
    def loc_a(self) -> FloatArray:
        """Localisation accuracy [20]."""
        return self.loc_tp / np.maximum(1, self.loc_tp + self.loc_fn + self.loc_fp)

    @property
    def assoc_a(self) -> FloatArray:
        """Association accuracy [20]."""
        return self.assoc_sum / np.maximum(1, self.loc_tp)

    @property
    def cls_a(self) -> FloatArray:
        """Classification accuracy [10]."""
        return self.cls_tp / np.maximum(1, self.cls_tp + self.cls_fn + self.cls_fp)


def teta(videos: Iterable[LabelledVideo]) -> dict[int, Teta]:
    """Compare the tracks of all videos of a benchmark.

    Returns the counts of each category that has a true object in any video.
    """
    videos = list(videos)
    categories = categories_with_truth(videos)
    parts = {category: [_no_counts()] for category in categories}
    for video in videos:
        for category, counts in _video_counts(video, frozenset(categories)):
            parts[category].append(counts)
    return {category: combine_sequences(counts) for category, counts in parts.items()}


def teta_summary(result: Teta) -> dict[str, float]:
    """Return the measures of one category by the paper's names, 0..1, means over thresholds."""
    cls = {
        "ClsA": result.cls_a,
        "ClsRe": result.cls_tp / np.maximum(1, result.cls_tp + result.cls_fn),
        "ClsPr": result.cls_tp / np.maximum(1, result.cls_tp + result.cls_fp),
    }
    loc = {
        "LocA": result.loc_a,
        "LocRe": result.loc_tp / np.maximum(1, result.loc_tp + result.loc_fn),
        "LocPr": result.loc_tp / np.maximum(1, result.loc_tp + result.loc_fp),
        "AssocA": result.assoc_a,
        "AssocRe": result.assoc_re_sum / np.maximum(1, result.loc_tp),
        "AssocPr": result.assoc_pr_sum / np.maximum(1, result.loc_tp),
    }
    means = {name: float(values.mean()) for name, values in {**loc, **cls}.items()}
    return {"TETA": (means["LocA"] + means["AssocA"] + means["ClsA"]) / 3, **means}


def teta_scores(videos: Iterable[LabelledVideo]) -> Scores:
    """Compute TETA of a benchmark: the mean of `teta_summary` over categories, and each category's.

    Raises ValueError if no category has a true object.
    """
    summaries = {category: teta_summary(result) for category, result in teta(videos).items()}
    if not summaries:
        raise ValueError("videos have no true object; TETA needs a category with at least one")
    names = next(iter(summaries.values()))
    means = {name: float(np.mean([one[name] for one in summaries.values()])) for name in names}
    return Scores(means, {category: values for category, values in summaries.items()})


def _no_counts() -> Teta:
    loc, cls = np.zeros(len(LOC_ALPHAS)), np.zeros(len(LOC_ALPHAS) - FIRST_CLS)
    return Teta(loc, loc, loc, loc, loc, loc, cls, cls, cls)


@dataclass(frozen=True, slots=True)
class _Cluster:
    """Some true objects of a video, and the tracks that overlap one of them in any frame.

    tracks   the objects and all appearances of those tracks
    rows     [P] int64, which of the video's predictions, counted over all frames, are in it
    labels   [P] int64, the class of each
    members  [P] bool, True on those that overlap one of the objects in their own frame
    """

    tracks: TrackedVideo
    rows: IntArray
    labels: IntArray
    members: BoolArray


def _cluster(
    frames: Sequence[LabelledFrame], chosen: Sequence[BoolArray], members: Sequence[BoolArray]
) -> _Cluster:
    """Gather the chosen true objects, and the tracks that are members in any frame.

    chosen   [G] bool for each frame
    members  [P] bool for each frame
    """
    all_members, all_ids = np.concatenate(members), np.concatenate([f.pred_ids for f in frames])
    track_ids = np.unique(all_ids[all_members])
    kept = [np.isin(frame.pred_ids, track_ids) for frame in frames]
    rows = np.flatnonzero(np.concatenate(kept))
    overlaps = (
        FrameOverlap(frame.gt_ids[gt], frame.pred_ids[pred], frame.similarity[np.ix_(gt, pred)])
        for frame, gt, pred in zip(frames, chosen, kept, strict=True)
    )
    return _Cluster(
        tracks=tracked_video(overlaps),
        rows=rows,
        labels=np.concatenate([frame.pred_labels for frame in frames])[rows],
        members=all_members[rows],
    )


def _owners(frames: Sequence[LabelledFrame]) -> list[IntArray]:
    """Return the category of the true object that each prediction is matched to, or -1.

    The match is between all objects and all tracks that overlap any of them.
    Returns [P] int64 for each frame.
    """
    everything = [np.ones(len(frame.gt_ids), dtype=bool) for frame in frames]
    near = [np.any(frame.similarity >= CLUSTER_OVERLAP, axis=0) for frame in frames]
    cluster = _cluster(frames, everything, near)
    matches = match_aligned(cluster.tracks)
    hit = reached(matches, np.array([CLUSTER_OVERLAP]))[0]
    owners = np.full(sum(len(frame.pred_ids) for frame in frames), -1)
    gt_labels = np.concatenate([frame.gt_labels for frame in frames])
    owners[cluster.rows[matches.pred_rows[hit]]] = gt_labels[matches.gt_rows[hit]]
    return np.split(owners, np.cumsum([len(frame.pred_ids) for frame in frames])[:-1])


def _video_counts(video: LabelledVideo, categories: frozenset[int]) -> Iterator[tuple[int, Teta]]:
    """Yield counts of one video with their category; a category can come more than once."""
    if not video.frames:
        return
    owners = _owners(video.frames)
    for category in video.gt_categories():
        chosen = [frame.gt_labels == category for frame in video.frames]
        members = [
            (frame.similarity[gt] >= CLUSTER_OVERLAP).any(axis=0) & np.isin(owner, (-1, category))
            for frame, gt, owner in zip(video.frames, chosen, owners, strict=True)
        ]
        cluster = _cluster(video.frames, chosen, members)
        matches = match_aligned(cluster.tracks)
        yield category, _category_counts(cluster, matches, category)
        yield from _wrong_classes(cluster, matches, categories - {category})


def _category_counts(cluster: _Cluster, matches: Matches, category: int) -> Teta:
    hit = reached(matches, LOC_ALPHAS)  # [20, N]
    tracks = association(cluster.tracks, matches, LOC_ALPHAS)
    right = cluster.labels[matches.pred_rows] == category
    loc_tp = hit.sum(axis=1).astype(np.float64)
    cls_tp = (hit & right)[FIRST_CLS:].sum(axis=1).astype(np.float64)
    return replace(
        _no_counts(),
        loc_tp=loc_tp,
        loc_fn=len(cluster.tracks.gt_ids) - loc_tp,
        loc_fp=cluster.members.sum() - (hit & cluster.members[matches.pred_rows]).sum(axis=1),
        assoc_sum=tracks.jaccard,
        assoc_re_sum=tracks.recall,
        assoc_pr_sum=tracks.precision,
        cls_tp=cls_tp,
        cls_fn=loc_tp[FIRST_CLS:] - cls_tp,
    )


def _wrong_classes(
    cluster: _Cluster, matches: Matches, others: frozenset[int]
) -> Iterator[tuple[int, Teta]]:
    """Yield a false positive of its class for each matched prediction that has another's class."""
    hit = reached(matches, LOC_ALPHAS[FIRST_CLS:])
    labels = cluster.labels[matches.pred_rows]
    for label in others.intersection(labels.tolist()):
        yield label, replace(_no_counts(), cls_fp=(hit & (labels == label)).sum(axis=1))
