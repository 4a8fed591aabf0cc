"""Folders as HumanML3D and KIT-ML publish them: taken over bit for bit, checked, given 2D statistics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from synthetic import person, small_config

from crossdiff.data.mocap import MocapDataset, ViewConfig
from crossdiff.data.prepare import PrepareConfig, prepare
from crossdiff.errors import InputError, PartialFailure
from crossdiff.files import read_json
from crossdiff.representation.features2d import joints_to_features_2d
from crossdiff.representation.features3d import features_to_joints, joints_to_features_3d
from crossdiff.representation.layouts import layout_2d, layout_3d
from crossdiff.representation.projection import VIEW_YAW, project_orthographic
from crossdiff.skeleton import HUMANML3D, KIT, Skeleton

SOME = PrepareConfig(max_bad_share=0.5)


def write_published(folder: Path, frames: list[int], skeleton: Skeleton = HUMANML3D, joints: bool = True) -> None:
    """What the authors' scripts leave behind: as many joints as features, M copies, lists, statistics."""
    lists: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    for kind in ("new_joint_vecs", "new_joints", "texts"):
        (folder / kind).mkdir(parents=True)
    for n, count in enumerate(frames):
        for clip_id in (f"{n:05d}", f"M{n:05d}"):
            moved = person(count + 1, skeleton, seed=n) / skeleton.metres_per_unit
            features = joints_to_features_3d(moved, skeleton)
            np.save(folder / "new_joint_vecs" / f"{clip_id}.npy", features.numpy())
            if joints:
                np.save(folder / "new_joints" / f"{clip_id}.npy", features_to_joints(features, skeleton).numpy())
            (folder / "texts" / f"{clip_id}.txt").write_text(f"walks {n}#walk/VERB#0.0#0.0\nturns#turn/VERB#nan#nan\n")
            lists["train" if n < len(frames) - 2 else "val" if n < len(frames) - 1 else "test"].append(clip_id)
    for name, ids in (*lists.items(), ("train_val", lists["train"] + lists["val"])):
        (folder / f"{name}.txt").write_text("\n".join(ids) + "\n")
    rng = np.random.default_rng(0)
    for name in ("Mean", "Std"):
        np.save(folder / f"{name}.npy", rng.uniform(1, 2, layout_3d(skeleton).dim).astype(np.float32))


def in_metres(folder: Path, ids: list[str], skeleton: Skeleton) -> np.ndarray:
    """2D features of the clips in all side views, computed one at a time."""
    rows = []
    for clip_id in ids:
        joints = torch.from_numpy(np.load(folder / "new_joints" / f"{clip_id}.npy")) * skeleton.metres_per_unit
        rows += [joints_to_features_2d(project_orthographic(joints, view), skeleton)[0].numpy() for view in VIEW_YAW]
    return np.concatenate(rows)


@pytest.mark.parametrize("skeleton", [HUMANML3D, KIT], ids=lambda s: s.name)
def test_a_published_folder_is_taken_over_and_can_be_learned_from(tmp_path, skeleton):
    source, out = tmp_path / "published", tmp_path / "data"
    write_published(source, [45, 60, 52, 70], skeleton)
    summary = prepare(source, out)
    assert summary.clips == {"train": 4, "val": 2, "test": 2}
    assert summary.skipped == {}
    for name in ("new_joint_vecs/00000.npy", "new_joints/M00001.npy"):
        assert (out / name).samefile(source / name)
    for name in ("Mean.npy", "Std.npy"):
        assert (out / name).read_bytes() == (source / name).read_bytes()
    record = read_json(out / "dataset.json")
    assert (record["source"], record["skeleton"], record["captions"]) == ("published", skeleton.name, 16)
    flat = in_metres(source, ["00000", "M00000", "00001", "M00001"], skeleton).astype(np.float64)
    np.testing.assert_allclose(np.load(out / "Mean2d.npy"), flat.mean(0), atol=1e-4)
    std = np.load(out / "Std2d.npy")
    positions = layout_2d(skeleton).positions
    np.testing.assert_allclose(std[positions], flat.std(0)[positions].mean(), rtol=1e-3)

    data = MocapDataset(out)
    assert len(data) == 4
    assert data.skeleton is skeleton
    model = small_config(skeleton=skeleton.name)
    crop = data.crop(0, 20, ViewConfig(), np.random.default_rng(0))
    for domain in ("2d", "3d"):
        width = model.layout(domain).dim
        assert crop.features[domain].shape == (20, width)
        assert data.statistics()[domain].mean.shape == (width,)


def test_what_is_broken_is_left_out_with_its_reason(tmp_path):
    source = tmp_path / "published"
    write_published(source, [50] * 8 + [30, 50, 50])
    vecs = source / "new_joint_vecs"
    broken = np.load(vecs / "00000.npy")
    broken[3, 7] = np.nan
    np.save(vecs / "00000.npy", broken)
    (vecs / "00001.npy").unlink()
    np.save(vecs / "00002.npy", np.zeros((50, 251), dtype=np.float32))
    (vecs / "00003.npy").write_bytes((vecs / "00003.npy").read_bytes()[:300])
    np.save(source / "new_joints" / "00004.npy", np.zeros((7, 22, 3), dtype=np.float32))
    (source / "texts" / "00005.txt").unlink()
    (source / "texts" / "00006.txt").write_text("walks#walk/VERB#0.0#0.0\nwalks without a form\n")
    np.save(vecs / "extra.npy", broken)
    with pytest.raises(PartialFailure, match=r"6 of 23 clips are broken.*--max-bad-share:\n  00000: with NaN"):
        prepare(source, tmp_path / "data").raise_failures()
    summary = prepare(source, tmp_path / "data", SOME)
    assert summary.skipped == {
        "with NaN or infinite features": 1,
        "listed, but without a motion": 1,
        "not of shape (frames, 263)": 1,
        "not readable": 1,
        "with joints that do not fit the features": 1,
        "without a caption": 1,
        "caption lines not readable": 1,
        "in no split list": 1,
        "shorter than 40 frames": 2,
    }
    assert (tmp_path / "data" / "texts" / "00006.txt").read_text() == "walks#walk/VERB#0.0#0.0\n"
    rows = (tmp_path / "data" / "left_out.csv").read_text()
    assert '00001,"listed, but without a motion",no new_joint_vecs/00001.npy' in rows
    assert MocapDataset(tmp_path / "data").skipped == {}


def test_folders_without_joints_statistics_or_lists_get_them(tmp_path):
    source = tmp_path / "published"
    write_published(source, [50] * 4, joints=False)
    for name in ("Mean.npy", "Std.npy", "train.txt", "val.txt", "test.txt"):
        (source / name).unlink()
    summary = prepare(source, tmp_path / "data", PrepareConfig(val_share=0.1, test_share=0.1))
    assert sum(summary.clips.values()) == 8
    features = np.load(source / "new_joint_vecs" / "00000.npy")
    joints = np.load(tmp_path / "data" / "new_joints" / "00000.npy")
    assert joints.shape == (51, 22, 3)
    np.testing.assert_allclose(joints_to_features_3d(torch.from_numpy(joints))[:, :259], features[:, :259], atol=1e-4)
    ids = (tmp_path / "data" / "train.txt").read_text().split()
    every = np.concatenate([np.load(source / "new_joint_vecs" / f"{i}.npy") for i in ids])
    np.testing.assert_allclose(np.load(tmp_path / "data" / "Mean.npy"), every.mean(0), atol=1e-5)


def test_long_clips_are_cut_and_lose_captions_of_what_is_cut_off(tmp_path):
    source = tmp_path / "published"
    write_published(source, [230, 50, 50])
    (source / "texts" / "00000.txt").write_text("a#a/X#0.0#0.0\nb#b/X#1.0#3.0\nc#c/X#9.0#11.4\nd#d/X#9.0#10.5\n")
    summary = prepare(source, tmp_path / "data")
    assert summary.skipped == {"captions of frames that are cut off": 1, "ends of clips that are too long": 2}
    assert "00000,ends of clips that are too long,31 of 230 frames" in (tmp_path / "data" / "left_out.csv").read_text()
    assert np.load(tmp_path / "data" / "new_joint_vecs" / "00000.npy").shape == (199, 263)
    assert len(np.load(source / "new_joint_vecs" / "00000.npy")) == 230
    assert [line[0] for line in (tmp_path / "data" / "texts" / "00000.txt").read_text().splitlines()] == ["a", "b", "d"]


@pytest.mark.parametrize("name", ["Mean", "Std"])
def test_statistics_that_cannot_be_divided_by_are_refused(tmp_path, name):
    source = tmp_path / "published"
    write_published(source, [50] * 4)
    np.save(source / "Mean.npy", np.ones(263, dtype=np.float32))
    np.save(source / "Std.npy", np.ones(263, dtype=np.float32))
    np.save(source / f"{name}.npy", np.full(263, 0 if name == "Std" else np.nan, dtype=np.float32))
    with pytest.raises(InputError, match=rf"{name}\.npy: .*delete it to have them computed"):
        prepare(source, tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_preparing_again_replaces_links_and_leaves_the_source_alone(tmp_path):
    source, out = tmp_path / "published", tmp_path / "data"
    write_published(source, [50] * 4)
    before = {p: p.read_bytes() for p in source.rglob("*") if p.is_file()}
    prepare(source, out)
    prepare(source, out)
    assert {p: p.read_bytes() for p in source.rglob("*") if p.is_file()} == before
    assert not list(out.rglob(".*"))
    with pytest.raises(InputError, match="is the source; name another folder"):
        prepare(source, source)


def test_statistics_of_something_else_are_refused(tmp_path):
    write_published(tmp_path / "published", [50] * 4)
    np.save(tmp_path / "published" / "Std.npy", np.ones(7))
    with pytest.raises(InputError, match=r"Std\.npy: not statistics of these features"):
        prepare(tmp_path / "published", tmp_path / "data")
    for path in (tmp_path / "published" / "new_joint_vecs").glob("*.npy"):
        np.save(path, np.zeros((50, 7)))
    with pytest.raises(InputError, match="no array has 263 or 251 values per frame"):
        prepare(tmp_path / "published", tmp_path / "data")


@pytest.mark.parametrize(("unit", "fps"), [(None, None), (1.0, 100.0)])
def test_kit_joints_in_their_own_unit_or_in_metres_become_features(tmp_path, unit, fps):
    source = tmp_path / "raw"
    source.mkdir()
    for n in range(3):
        joints = person(401 if fps else 51, KIT, seed=n).numpy()
        np.save(source / f"c{n}.npy", joints if unit else joints / KIT.metres_per_unit)
    cfg = PrepareConfig(skeleton="kit", fps=fps, metres_per_unit=unit, val_share=0, test_share=0)
    prepare(source, tmp_path / "data", cfg)
    features = np.load(tmp_path / "data" / "new_joint_vecs" / "Mc0.npy")
    assert features.shape == (50, 251)
    assert 200 < features[:, layout_3d(KIT).root][:, 3].mean() < 400  # the root's height in millimetre-like units
    data = MocapDataset(tmp_path / "data")
    crop = data.crop(0, 40, ViewConfig(), np.random.default_rng(0))
    assert float(np.abs(crop.features["2d"][:, layout_2d(KIT).positions]).max()) < 2  # metres
    mean = data.statistics()["2d"].mean
    assert float(np.abs(mean[layout_2d(KIT).positions]).max()) < 2


def test_2d_statistics_of_the_layout_asked_for(tmp_path):
    write_published(tmp_path / "published", [45, 60, 52])
    prepare(tmp_path / "published", tmp_path / "data", PrepareConfig(layout_2d="official"))
    flat = []
    for clip_id in ("00000", "M00000"):
        joints = torch.from_numpy(np.load(tmp_path / "data" / "new_joints" / f"{clip_id}.npy"))
        flat += [joints_to_features_2d(project_orthographic(joints, v), layout="official")[0].numpy() for v in VIEW_YAW]
    mean, std = (np.load(tmp_path / "data" / f"{name}2d.npy") for name in ("Mean", "Std"))
    assert mean.shape == std.shape == (134,)
    np.testing.assert_allclose(mean, np.concatenate(flat).mean(0), atol=1e-4)
