"""A dataset of some clips of another: new lists and statistics, links to the arrays and captions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from crossdiff.data.companions import read_ids
from crossdiff.data.mocap import MocapDataset
from crossdiff.data.tally import ClipResult, Tally, Written
from crossdiff.errors import InputError
from crossdiff.files import load_npy, read_json
from crossdiff.progress import track
from crossdiff.representation.layouts import Layout2D
from crossdiff.skeleton import SKELETONS

_SHARED = ("new_joints", "new_joint_vecs", "texts")


def write_subset(data: Path, out: Path, splits: Mapping[str, Sequence[str]], layout: Layout2D = "paper") -> None:
    """Make a HumanML3D folder at `out` whose splits are these clips of the dataset `data`, as links.

    Statistics are those of its training split, with 2D features of this layout. An existing subset of the same lists,
    source and layout is kept. Raises InputError if the arrays of a clip are missing.
    """
    made_of = {"source": f"{data.resolve()} {MocapDataset(data, 'train', layout).fingerprint()}", "layout_2d": layout}
    if _is_made(out, splits, made_of):
        return
    record = read_json(data / "dataset.json") if (data / "dataset.json").is_file() else {}
    skeleton = SKELETONS[record.get("skeleton", "humanml3d")]
    out.mkdir(parents=True, exist_ok=True)
    for kind in _SHARED:
        _link(out / kind, data / kind)
    (out / "dataset.json").unlink(missing_ok=True)  # written last; marks a complete folder
    tally = Tally(skeleton, layout)
    for clip, split in track([(clip, split) for split, ids in splits.items() for clip in ids], "subset"):
        features = load_npy(data / "new_joint_vecs" / f"{clip}.npy")
        joints = load_npy(data / "new_joints" / f"{clip}.npy")
        tally.add(ClipResult([Written(clip, split, features, joints, _captions(data, clip))]))
    tally.finish(out, source=made_of["source"], layout_2d=layout)


def _link(link: Path, target: Path) -> None:
    if link.is_symlink():
        link.unlink()
    if link.exists():
        raise InputError(f"{link.parent}: holds another dataset; give another folder for the subset")
    link.symlink_to(target.resolve(), target_is_directory=True)


def _captions(data: Path, clip: str) -> int:
    path = data / "texts" / f"{clip}.txt"
    return len(path.read_text(encoding="utf-8").splitlines()) if path.is_file() else 0


def _is_made(out: Path, splits: Mapping[str, Sequence[str]], made_of: Mapping[str, str]) -> bool:
    if not (out / "dataset.json").is_file() or not made_of.items() <= read_json(out / "dataset.json").items():
        return False
    paths = [(out / f"{split}.txt", ids) for split, ids in splits.items()]
    return all(path.is_file() and read_ids(path) == list(ids) for path, ids in paths)
