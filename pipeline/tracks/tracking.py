"""Links the people of single frames into tracks, none of which mixes two people."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from pydantic import Field, NonNegativeFloat, PositiveFloat
from scipy.optimize import linear_sum_assignment

from crossdiff.config import Config
from crossdiff.pipeline.backends.base import Person
from crossdiff.pipeline.tracks.appearance import Colours, difference
from crossdiff.pipeline.tracks.boxes import box_iou

_TREND = 5  # frames over which a person's movement is measured
_COLOUR_WEIGHT = 0.1  # of a new frame's colours in their average
_FARTHEST = 1.0  # body sizes that somebody unseen may have gone


class TrackingConfig(Config):
    """When two detections are the same person.

    In neighbouring frames the keypoints must be similar: mean of exp(-(d / reach)^2 / 2), weighted by score, where d is
    the distance that a keypoint moved and reach = `slack` + `speed` * seconds, in body sizes (COCO's object keypoint
    similarity with a reach that grows with time). A person who was lost must reappear in the same place, or within
    reach in clothes of the same colours. Any other detection starts a new track.
    """

    slack: PositiveFloat = 0.1
    """Distance, in body sizes, that keypoints may be off at any frame rate."""
    speed: NonNegativeFloat = 1.5
    """Further distance that they may move, in body sizes per second."""
    min_similarity: float = Field(0.3, ge=0, le=1)
    """Lowest similarity of the keypoints in neighbouring frames."""
    max_scale: PositiveFloat = 1.6
    """Largest factor by which the size of the box may change."""
    max_gap: NonNegativeFloat = 1.0
    """Time without a detection after which a track ends, in seconds."""
    min_iou: NonNegativeFloat = 0.5
    """Lowest overlap of the boxes (intersection over union) of a person who reappears in the same place."""
    max_colour: PositiveFloat = 0.15
    """Largest difference of clothing colours (trunk and thighs), in [0, 1], of a person who reappears elsewhere."""


@dataclass
class Track:
    """One person in successive frames.

    places: the person's index among the people of each frame; colours: their clothes', see `Colours`, averaged over
    the last frames.
    """

    frames: list[int] = field(default_factory=list)
    people: list[Person] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    colours: Colours = field(default_factory=lambda: np.full(6, np.nan))

    def add(self, frame: int, person: Person, place: int, colours: Colours) -> None:
        self.frames.append(frame)
        self.people.append(person)
        self.places.append(place)
        averaged = self.colours + _COLOUR_WEIGHT * (colours - self.colours)
        self.colours = np.where(np.isnan(averaged), np.where(np.isnan(colours), self.colours, colours), averaged)

    def extend(self, later: Track) -> None:
        self.frames += later.frames
        self.people += later.people
        self.places += later.places


def link_tracks(
    found: Sequence[Sequence[Person]],
    time: Float[ndarray, " f"],
    cfg: TrackingConfig,
    mirror: Sequence[int],
    to_first: Float[ndarray, "f 3 3"] | None = None,
    cuts: Collection[int] = (),
    worn: Sequence[Float[ndarray, "p 6"]] | None = None,
) -> list[Track]:
    """Tracks in the order of their first frames; every detected person is in exactly one.

    found: people of each frame.
    time: time of each frame, in seconds.
    mirror: index of each keypoint's counterpart on the other side of the body; swapping left and right within one box
        does not change the person.
    to_first: map from each frame's pixels to the first frame's; None for a static camera.
    cuts: frames at which all tracks end.
    worn: clothing colours of the people of each frame.
    """
    worn = [np.full((len(people), 6), np.nan) for people in found] if worn is None else worn
    tracks: list[Track] = []
    begun: list[Track] = []  # since the last cut
    to_first = np.tile(np.eye(3), (len(found), 1, 1)) if to_first is None else to_first
    from_first = np.linalg.inv(to_first)
    for frame, people in enumerate(found):
        if frame in cuts:
            begun = []
        # Neighbouring frames are always within reach, however low the frame rate.
        begun = [t for t in begun if frame - t.frames[-1] <= 1 or time[frame] - time[t.frames[-1]] <= cfg.max_gap]
        new = set(range(len(people)))
        if begun and people:
            expected = [_expected(track, frame, time, from_first[frame], to_first) for track in begun]
            unseen = [track.frames[-1] for track in begun]
            unlike = difference(np.stack([track.colours for track in begun]), worn[frame]) / cfg.max_colour
            cost = _costs(expected, people, unlike, frame - np.array(unseen), time[frame] - time[unseen], mirror, cfg)
            # A forbidden pair costs more than all allowed ones together.
            for i, j in zip(*linear_sum_assignment(np.minimum(cost, 1e6)), strict=True):
                if np.isfinite(cost[i, j]):
                    begun[i].add(frame, people[j], j, worn[frame][j])
                    new.remove(j)
        fresh = [Track([frame], [people[j]], [j], worn[frame][j]) for j in sorted(new)]
        tracks += fresh
        begun += fresh
    return _rejoin(tracks, time, cfg, to_first, cuts, worn)


def _rejoin(
    tracks: Sequence[Track],
    time: Float[ndarray, " f"],
    cfg: TrackingConfig,
    to_first: Float[ndarray, "f 3 3"],
    cuts: Collection[int],
    worn: Sequence[Float[ndarray, "p 6"]],
) -> list[Track]:
    """Tracks of which some continue others: those of people who were lost and found in another posture.

    Frame by frame, somebody who crouches or turns over is unlike themselves. Their size over a second and the colours
    of a whole track tell more.
    """

    def size(people: Sequence[Person]) -> float:
        return max(float((p.box[2:] - p.box[:2]).max()) for p in people)

    def clothes(track: Track) -> Colours:
        return _median_colours(np.stack([worn[n][place] for n, place in zip(track.frames, track.places, strict=True)]))

    joined: list[Track] = []
    for track in tracks:
        first = track.frames[0]
        early = [p for n, p in zip(track.frames, track.people, strict=True) if time[n] - time[first] <= 1]
        fits: list[tuple[float, Track]] = []
        for other in joined:
            last = other.frames[-1]
            seconds = time[first] - time[last]
            if last >= first or seconds > cfg.max_gap or any(last < cut <= first for cut in cuts):
                continue
            late = [p for n, p in zip(other.frames, other.people, strict=True) if time[last] - time[n] <= 1]
            here = shift_person(other.people[-1], np.linalg.inv(to_first[first]) @ to_first[last])
            sizes = size(late), size(early)
            way = np.linalg.norm((here.box[:2] + here.box[2:] - track.people[0].box[:2] - track.people[0].box[2:]) / 2)
            near = way <= min(cfg.slack + cfg.speed * seconds, _FARTHEST) * sizes[0]
            unlike = difference(clothes(other)[None], clothes(track)[None])[0, 0]
            if near and unlike <= cfg.max_colour and max(sizes) <= cfg.max_scale * min(sizes):
                fits.append((unlike, other))
        if fits:
            min(fits, key=lambda fit: fit[0])[1].extend(track)
        else:
            joined.append(track)
    return joined


def _median_colours(worn: Float[ndarray, "f 6"]) -> Colours:
    """NaN where they were never seen."""
    seen = ~np.isnan(worn).all(axis=0)
    found = np.full(6, np.nan)
    found[seen] = np.nanmedian(worn[:, seen], axis=0)
    return found


def _expected(
    track: Track,
    frame: int,
    time: Float[ndarray, " f"],
    to_here: Float[ndarray, "3 3"],
    to_first: Float[ndarray, "f 3 3"],
) -> Person:
    """The position expected in this frame: the last one, moved with the camera and at the person's recent velocity.

    to_here: from the pixels of the first frame to those of `frame`.
    """
    last, person = track.frames[-1], shift_person(track.people[-1], to_here @ to_first[track.frames[-1]])
    first = max(0, len(track.frames) - _TREND)
    if frame - last > 1 or track.frames[first] == last:  # nobody knows where somebody unseen went
        return person
    earlier = shift_person(track.people[first], to_here @ to_first[track.frames[first]])
    way = np.median(person.xy, axis=0) - np.median(earlier.xy, axis=0)
    step = way * (time[frame] - time[last]) / (time[last] - time[track.frames[first]])
    return Person(person.xy + step, person.score, person.box + np.tile(step, 2))


def shift_person(person: Person, move: Float[ndarray, "3 3"]) -> Person:
    xy, corners = (points @ move[:2, :2].T + move[:2, 2] for points in (person.xy, person.box.reshape(2, 2)))
    return Person(xy, person.score, corners.ravel())


def _costs(
    expected: Sequence[Person],
    people: Sequence[Person],
    unlike: Float[ndarray, "t p"],
    frames: ndarray,
    seconds: Float[ndarray, " t"],
    mirror: Sequence[int],
    cfg: TrackingConfig,
) -> Float[ndarray, "t p"]:
    """Cost of linking each expected person to each detected one; infinite beyond the limits.

    unlike: difference of their colours over the limit, NaN if unknown.
    frames, seconds: time since the last detection of each expected person, shape (t,).
    """
    before, after = (np.stack([p.xy for p in some]) for some in (expected, people))
    old, new = (np.stack([p.box for p in some]) for some in (expected, people))
    score = np.minimum(np.stack([p.score for p in expected])[:, None], np.stack([p.score for p in people]))
    old_size, new_size = (np.maximum((b[:, 2:] - b[:, :2]).max(axis=1), 1.0) for b in (old, new))
    reach = (cfg.slack + cfg.speed * seconds) * old_size
    overlap, scale = box_iou(old, new), new_size / old_size[:, None]
    exchanged = oks(before, after[:, list(mirror)], score, reach)
    alike = np.maximum(oks(before, after, score, reach), np.where(overlap >= cfg.min_iou, exchanged, 0))
    centres = [(b[:, :2] + b[:, 2:]) / 2 for b in (old, new)]
    near = np.linalg.norm(centres[0][:, None] - centres[1], axis=-1) <= np.minimum(reach, _FARTHEST * old_size)[:, None]
    stayed = (alike >= cfg.min_similarity) & (overlap >= cfg.min_iou)
    successive = (alike >= cfg.min_similarity) & (frames == 1)[:, None]
    # What is unlike is NaN where colours are unknown, and then no comparison holds.
    allowed = successive | (stayed & ~(unlike > 2)) | (near & (unlike <= 1))
    allowed &= np.maximum(scale, 1 / scale) <= cfg.max_scale
    return np.where(allowed, 2 - alike - overlap + np.nan_to_num(unlike), np.inf)


def oks(
    before: Float[ndarray, "t k 2"], after: Float[ndarray, "p k 2"], score: Float[ndarray, "t p k"], reach: ndarray
) -> Float[ndarray, "t p"]:
    """Mean over keypoints of exp(-(distance / reach)^2 / 2), weighted by score. reach: in pixels, shape (t,)."""
    squared = np.square(before[:, None] - after).sum(axis=-1) / np.square(reach)[:, None, None]
    weight = score + 1e-3  # a person without a sure keypoint is compared too
    return (weight * np.exp(-squared / 2)).sum(axis=-1) / weight.sum(axis=-1)
