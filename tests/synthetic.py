"""Made-up motion, datasets, networks and encoders, all small."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from crossdiff.models import CrossDiffModel, ModelConfig
from crossdiff.models.network import CrossDiffNetwork
from crossdiff.models.official import official_names
from crossdiff.skeleton import HUMANML3D, Skeleton

# Offset from the parent, (sideways to the joint's own side, up, ahead) in metres, by the joint's name without side.
_OFFSETS = {
    "hip": (0.1, -0.06, 0.0), "knee": (0.01, -0.39, 0.02), "ankle": (0.0, -0.42, -0.03), "heel": (0.0, -0.05, 0.01),
    "foot": (0.0, -0.04, 0.14), "spine": (0.0, 0.2, 0.01), "spine1": (0.0, 0.12, 0.01), "spine2": (0.0, 0.13, 0.0),
    "spine3": (0.0, 0.06, 0.0), "chest": (0.0, 0.2, 0.0), "neck": (0.0, 0.2, -0.02), "head": (0.0, 0.1, 0.03),
    "collar": (0.08, 0.1, -0.01), "shoulder": (0.15, -0.03, 0.0), "elbow": (0.05, -0.25, 0.0),
    "wrist": (0.02, -0.25, 0.05),
}  # fmt: skip


def person(frames: int, skeleton: Skeleton = HUMANML3D, seed: int = 0, swing: float = 0.3, turn: float = 0.8) -> Tensor:
    """Someone who swings all limbs, walks, and turns by about `turn` radians: (F, J, 3), metres, Y up, left at +x.

    Bones keep their lengths; frame 0 faces about +z.
    """
    rng = np.random.default_rng(seed)
    time = np.arange(frames)[:, None] / skeleton.fps
    joints = np.zeros((frames, skeleton.num_joints, 3))
    joints[:, 0] = np.concatenate([0.1 * time, 0.95 + 0.02 * np.sin(6 * time), 0.9 * time], axis=1)
    for up, joint in skeleton.bones:
        name = skeleton.joint_names[joint]
        side = {"l_": 1.0, "r_": -1.0}.get(name[:2], 0.0)
        offset = np.array(_OFFSETS[name[2:] if side else name]) * (side, 1.0, 1.0)
        length = np.linalg.norm(offset)
        rate, phase = rng.uniform(1, 4, size=(2, 3))
        bent = offset / length + swing * np.sin(rate * time + phase)
        joints[:, joint] = joints[:, up] + length * bent / np.linalg.norm(bent, axis=1, keepdims=True)
    angle = turn * np.sin(time[:, 0])
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    x, y, z = np.moveaxis(joints, -1, 0)
    turned = np.stack([x * cos + z * sin, y, z * cos - x * sin], axis=-1)
    return torch.from_numpy(turned.astype(np.float32))


def small_config(**changes: Any) -> ModelConfig:
    """A network of a few thousand parameters without dropout."""
    sizes: dict[str, Any] = {
        "width": 16, "heads": 2, "feed_forward": 16, "domain_layers": 1, "shared_layers": 2, "root_layers": 1,
        "root_feed_forward": 16, "dropout": 0.0, "max_frames": 24, "text_dim": 6, "text_encoder": "stub",
    }  # fmt: skip
    return ModelConfig.model_validate(sizes | changes)


def small_model(seed: int = 0, **changes: Any) -> CrossDiffModel:
    """A small model with random weights in eval mode; its statistics are not the identity."""
    torch.manual_seed(seed)
    model = CrossDiffModel(small_config(**changes))
    for domain in model.config.domain_names:
        dim = model.config.layout(domain).dim
        model.set_statistics(domain, torch.randn(dim), 0.5 + torch.rand(dim))
    return model.eval()


def official_state(network: CrossDiffNetwork) -> dict[str, Tensor]:
    """The network's weights under the authors' names and in their shapes, with one of the tables that they store."""
    state = network.state_dict()
    named = {theirs: state[ours].clone() for ours, theirs in official_names(network).items()}
    return {k: v[:, None] if k.endswith("_token") else v for k, v in named.items()} | {
        "sequence_pos_encoder.pe": torch.zeros(5000, 1, 16)
    }


class StubEncoder:
    """A text encoder that needs no weights: a vector that depends on the letters."""

    name, dim, fingerprint, most_tokens = "stub", 6, "stub-weights", 30

    def __init__(self) -> None:
        self.encoded: list[str] = []

    def encode(self, texts: Sequence[str]) -> Tensor:
        self.encoded += texts
        rows = [[float(sum(text.encode()) % (7 + k)) / 7 for k in range(self.dim)] for text in texts]
        return torch.tensor(rows).reshape(len(texts), self.dim)

    def encode_sequence(self, texts: Sequence[str]) -> list[Tensor]:
        sentences = self.encode(texts)
        return [
            torch.stack([s, *[s + 0.1 * (n + 1) for n in range(len(t.split()))]])
            for s, t in zip(sentences, texts, strict=True)
        ]

    def count_tokens(self, text: str) -> int:
        return len(text.split())


def write_raw(folder: Path, frames: Sequence[int], splits: bool = True) -> list[str]:
    """A folder of raw clips `clip0.npy` ... with captions, the first of them for training; returns their ids."""
    (folder / "joints").mkdir(parents=True)
    (folder / "texts").mkdir()
    ids = [f"clip{i}" for i in range(len(frames))]
    for i, (clip_id, count) in enumerate(zip(ids, frames, strict=True)):
        np.save(folder / "joints" / f"{clip_id}.npy", person(count, seed=i).numpy())
        (folder / "texts" / f"{clip_id}.txt").write_text(
            f"person {i} turns left#person/NOUN {i}/NUM turn/VERB left/ADV#0.0#0.0\n"
        )
    if splits:
        held = max(1, len(ids) // 4)
        lists = {"train": ids[: -2 * held], "val": ids[-2 * held : -held], "test": ids[-held:]}
        for split, names in lists.items():
            (folder / f"{split}.txt").write_text("\n".join(names) + "\n")
    return ids


PACKED_LINE = "a person walks#a/DET person/NOUN walk/VERB#0.0#0.0\n"


def write_packed(folder: Path, suffix: str, splits: dict[str, str]) -> Path:
    """`motions{suffix}.npz` of delta-coded clips, with captions in a zip and lists; splits: clip id -> split."""
    folder.mkdir(exist_ok=True)
    ticks = [np.round(person(50, seed=n).numpy() / 0.0002).astype(np.int32) for n in range(len(splits))]
    delta = np.concatenate([np.diff(t, axis=0, prepend=0) for t in ticks]).astype(np.int16)
    path = folder / f"motions{suffix}.npz"
    offsets = np.cumsum([0, *(len(t) for t in ticks)])
    np.savez(path, joints_delta=delta, offsets=offsets, ids=np.array(list(splits)), unit_m=0.0002)
    with zipfile.ZipFile(folder / f"texts{suffix}.zip", "w") as archive:
        for clip_id in splits:
            archive.writestr(f"texts/{clip_id}.txt", PACKED_LINE)
    for split in ("train", "val", "test"):
        listed = "".join(f"{clip_id}\n" for clip_id, own in splits.items() if own == split)
        (folder / f"{split}{suffix}.txt").write_text(listed)
    return path


def write_run(run: Path, lengths: Sequence[int], dims: tuple[int, int] = (132, 263)) -> None:
    """The part of a pipeline run that training reads, with a caption for every clip but the first."""
    from crossdiff.files import save_npz, write_text

    for i, frames in enumerate(lengths):
        rng = np.random.default_rng(i)
        flat, solid = (rng.normal(size=(frames, d)).astype(np.float32) for d in dims)
        save_npz(run / "features2d" / f"wild{i}.npz", features=flat, mask=rng.random(flat.shape) < 0.8)
        save_npz(run / "pseudo3d" / f"wild{i}.npz", features=solid)
        if i:
            write_text(run / "texts" / f"wild{i}.txt", f"wild caption {i}#wild/ADJ#0.0#0.0\n")
