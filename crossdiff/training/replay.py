"""Replay: motions that a model samples of the captions it learnt, to be learnt again beside something new.

Generative replay keeps what a network knows without its training data (Shin et al., Continual Learning with Deep
Generative Replay, NeurIPS 2017). The targets are the starting model's predictions from the noised motions, which are
smoother than the motions themselves (Li and Hoiem, Learning without Forgetting, ECCV 2016).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from crossdiff.checkpoint import weights_hash
from crossdiff.data.captions import Caption
from crossdiff.data.prepare import PrepareConfig, prepare
from crossdiff.device import pick_device
from crossdiff.diffusion.pipeline import CrossDiffPipeline
from crossdiff.errors import InputError
from crossdiff.files import cache_folder, load_npz, save_npy, save_npz, write_text
from crossdiff.learnt import LearntCaption, learnt_captions
from crossdiff.models import CrossDiffModel
from crossdiff.progress import track

log = logging.getLogger(__name__)

# Frames of the motions, in turn: short ones cost less, and long ones keep long ones.
_LENGTHS = (60, 90, 120, 160, 196)
_BATCH = 16
# Of what is sampled, as part of the name in the cache: of captured motion alone, and with captions of film.
_VERSION, _VERSION_WITH_FILM = "v1", "v2"


@dataclass(frozen=True)
class Replay:
    """Sampled motions with their captions."""

    captions: list[str]
    motions: list[Float[ndarray, "f j 3"]]
    """Joints (F, J, 3) in the skeleton's unit, Y up."""
    name: str
    """Identifies the motions: model, number and seed."""


def sample_replay(
    model: CrossDiffModel, checkpoint: Path, count: int, seed: int = 0, device: str = "auto"
) -> Replay | None:
    """`count` motions of captions that the checkpoint lists, the standard way; None if it lists none.

    Captions of film, which an earlier fine-tuning taught, have their share (see `draw_learnt`).
    They are kept in the user's cache, by the hash of the weights. InputError if `count` is below 1.
    """
    name = replay_name(checkpoint, count, seed)
    if name is None:
        return None
    captions = draw_learnt(learnt_captions(checkpoint), count, seed)
    lengths = [min(_LENGTHS[i % len(_LENGTHS)], model.config.max_frames) for i in range(count)]
    path = cache_folder() / "replay" / f"{name}.npz"
    joints = _cached(path, lengths)
    if joints is None:
        joints = np.concatenate(_sample(checkpoint, captions, lengths, seed, device)).astype(np.float32)
        try:
            save_npz(path, joints=joints)
        except OSError as error:
            log.warning("%s: not written (%s); the motions are sampled again next time", path, error.strerror)
    return Replay(captions, np.split(joints, np.cumsum(lengths)[:-1]), name)


def replay_name(checkpoint: Path, count: int, seed: int = 0) -> str | None:
    """What identifies the motions of `sample_replay`, before they are sampled; None if there are none."""
    if count < 1:
        raise InputError(f"replay: expected 1 motion or more, got {count}")
    known = learnt_captions(checkpoint)
    if not known:
        return None
    version = _VERSION_WITH_FILM if any(one.origin == "film" for one in known) else _VERSION
    return f"{weights_hash(checkpoint)[:16]}-{count}-{seed}-{version}"


def protection(count: int, checkpoint: Path, data: Path | None) -> tuple[str, str]:
    """What keeps a fine-tuned model from forgetting, and why it is that or what to do, for a message.

    count: of replay; data: 3D dataset, if there is one.
    """
    if data is not None:
        return f"3D motion of {data}", "--data"
    if not count:
        return "nothing", "replay is 0, so the model forgets what else it knew; mix 3D motion in with --data DATASET"
    known = learnt_captions(checkpoint)
    if not known:
        why = f"{checkpoint.name} lists no captions, so it forgets what else it knew; mix 3D motion in"
        return "nothing", f"{why} with --data DATASET"
    filmed = film_share(known, count)
    learnt = f", {filmed} of them of what it learnt from film" if filmed else ""
    return f"3D motion: {count} samples of {checkpoint.name}{learnt}", "replay; --data DATASET takes their place"


@contextmanager
def replay_dataset(replay: Replay, model: CrossDiffModel) -> Iterator[Path]:
    """The motions as a HumanML3D folder with a training and a validation split, which exists within the block."""
    with TemporaryDirectory() as folder:
        raw, out = Path(folder) / "raw", Path(folder) / "dataset"
        for number, (caption, joints) in enumerate(zip(replay.captions, replay.motions, strict=True)):
            save_npy(raw / "joints" / f"{number:05d}.npy", joints)
            write_text(raw / "texts" / f"{number:05d}.txt", Caption(caption, "").line + "\n")
        skeleton, layout = model.skeleton.name, model.config.layout_2d
        cfg = PrepareConfig(skeleton=skeleton, layout_2d=layout, min_frames=2, val_share=0.1, test_share=0.0)
        prepare(raw, out, cfg)
        yield out


def draw_learnt(known: Sequence[LearntCaption], count: int, seed: int) -> list[str]:
    """Captions of captured motion and of film, as many of each as their share of the clips, in random order.

    Of either, all captions come once before any comes again.
    """
    filmed = film_share(known, count)
    if not filmed:
        return draw_captions([one.text for one in known if one.origin == "capture"], count, seed)
    of_film = draw_captions([one.text for one in known if one.origin == "film"], filmed, seed)
    captured = [one.text for one in known if one.origin == "capture"]
    drawn = [*of_film, *(draw_captions(captured, count - filmed, seed) if captured else [])]
    return [drawn[i] for i in np.random.default_rng(seed).permutation(count)]


def film_share(known: Sequence[LearntCaption], count: int) -> int:
    """How many of `count` captions are of film: its share of the clips, but one at least of each origin if possible."""
    clips = {origin: sum(one.clips for one in known if one.origin == origin) for origin in ("capture", "film")}
    if not clips["film"] or not clips["capture"]:
        return count if clips["film"] else 0
    share = round(count * clips["film"] / sum(clips.values()))
    return min(max(share, min(1, count - 1)), max(count - 1, 0))


def draw_captions(known: Sequence[str], count: int, seed: int) -> list[str]:
    """Captions in random order, all of them once before any comes again."""
    rng = np.random.default_rng(seed)
    rounds = -(-count // len(known))
    return [known[i] for _ in range(rounds) for i in rng.permutation(len(known))][:count]


def _cached(path: Path, lengths: Sequence[int]) -> ndarray | None:
    """The motions of an earlier call, one after the other; None if they are not there or damaged."""
    try:
        joints = load_npz(path, ("joints",))["joints"]
    except InputError:
        return None
    return joints if joints.ndim == 3 and len(joints) == sum(lengths) and np.isfinite(joints).all() else None


def _sample(checkpoint: Path, captions: Sequence[str], lengths: Sequence[int], seed: int, device: str) -> list[ndarray]:
    """Joints of one motion per caption, in batches of similar length."""
    pipe = CrossDiffPipeline.from_pretrained(checkpoint, pick_device(device))
    order = np.argsort(lengths, kind="stable")
    made: dict[int, ndarray] = {}
    for start in track(range(0, len(order), _BATCH), "replay"):
        rows = order[start : start + _BATCH].tolist()
        motions = pipe([captions[i] for i in rows], [lengths[i] for i in rows], seed=[seed + i for i in rows])
        made |= {i: motion.joints for i, motion in zip(rows, motions, strict=True)}
    return [made[i] for i in range(len(captions))]
