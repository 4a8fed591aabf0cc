"""Preparing raw motion: what is written, what is left out and why, and statistics."""

from __future__ import annotations

import zipfile
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from synthetic import person, write_raw

from crossdiff.config import load_config
from crossdiff.data.clip_names import dataset_names
from crossdiff.data.conversion import resample
from crossdiff.data.mocap import MocapDataset
from crossdiff.data.prepare import PrepareConfig, prepare
from crossdiff.data.sources import open_source
from crossdiff.data.tally import Tally
from crossdiff.errors import ConfigError, InputError, PartialFailure
from crossdiff.files import read_json
from crossdiff.representation.features2d import joints_to_features_2d
from crossdiff.representation.features3d import (
    bone_lengths,
    canonicalise,
    features_to_joints,
    joints_to_features_3d,
    retarget,
)
from crossdiff.representation.layouts import layout_2d, layout_3d
from crossdiff.representation.projection import project_orthographic
from crossdiff.representation.rotations import rotate, yaw_quaternion
from crossdiff.skeleton import HUMANML3D

FEW = PrepareConfig(max_bad_share=0.5)


def ids_of(folder: Path, split: str) -> list[str]:
    return (folder / f"{split}.txt").read_text().split()


def test_a_humanml3d_folder_is_written(prepared):
    assert ids_of(prepared, "train") == ["clip0", "Mclip0", "clip1", "Mclip1", "clip2", "Mclip2", "clip3", "Mclip3"]
    assert ids_of(prepared, "val") == ["clip4", "Mclip4", "clip5", "Mclip5"]
    assert ids_of(prepared, "test") == ["clip6", "Mclip6", "clip7", "Mclip7"]
    for clip_id, frames in (("clip0", 45), ("Mclip3", 70)):
        features = np.load(prepared / "new_joint_vecs" / f"{clip_id}.npy")
        joints = torch.from_numpy(np.load(prepared / "new_joints" / f"{clip_id}.npy"))
        assert features.shape == (frames - 1, 263)
        assert joints.shape == (frames, 22, 3)
        torch.testing.assert_close(canonicalise(joints), joints, atol=1e-5, rtol=0)
        np.testing.assert_allclose(joints_to_features_3d(joints).numpy()[:, :259], features[:, :259], atol=1e-4)
        torch.testing.assert_close(bone_lengths(joints)[0], torch.tensor(HUMANML3D.body), atol=1e-4, rtol=0)
    record = read_json(prepared / "dataset.json")
    assert record["clips"] == {"train": 8, "val": 4, "test": 4}
    assert record["skeleton"] == "humanml3d"


def test_mirrored_copies_have_mirrored_motion_and_captions(prepared):
    one, other = (np.load(prepared / "new_joints" / f"{i}.npy") for i in ("clip1", "Mclip1"))
    np.testing.assert_allclose(other, one[:, list(HUMANML3D.mirror)] * (-1, 1, 1), atol=2e-2)
    assert (prepared / "texts" / "clip1.txt").read_text().startswith("person 1 turns left#")
    assert (prepared / "texts" / "Mclip1.txt").read_text().startswith("person 1 turns right#")
    assert "right/ADV" in (prepared / "texts" / "Mclip1.txt").read_text()


def test_statistics_are_numpys_over_the_training_clips(prepared):
    solid, flat = [], []
    for clip_id in ids_of(prepared, "train"):
        solid.append(np.load(prepared / "new_joint_vecs" / f"{clip_id}.npy"))
        joints = torch.from_numpy(np.load(prepared / "new_joints" / f"{clip_id}.npy"))
        flat += [
            joints_to_features_2d(project_orthographic(joints, v))[0].numpy()
            for v in ("front", "left", "back", "right")
        ]
    for suffix, clips, layout in (("", solid, layout_3d()), ("2d", flat, layout_2d())):
        every = np.concatenate(clips).astype(np.float64)
        np.testing.assert_allclose(np.load(prepared / f"Mean{suffix}.npy"), every.mean(0), atol=1e-5)
        std, plain = np.load(prepared / f"Std{suffix}.npy"), every.std(0)
        for part in (layout.positions, layout.rotations, layout.velocities, layout.contacts):
            np.testing.assert_allclose(std[part], plain[part].mean(), rtol=1e-4)
        root = [slice(0, 1), slice(1, 3), slice(3, 4)] if not suffix else [slice(0, 2)]
        for part in root:
            np.testing.assert_allclose(std[part], plain[part].mean(), rtol=1e-4)


def test_every_clip_left_out_is_counted_by_its_reason(tmp_path):
    write_raw(tmp_path / "raw", [50] * 12)
    joints = tmp_path / "raw" / "joints"
    broken = np.load(joints / "clip0.npy")
    broken[3, 4, 1] = np.nan
    np.save(joints / "clip0.npy", broken)
    np.save(joints / "clip1.npy", np.zeros((50, 21, 3)))
    (joints / "clip2.npy").write_bytes((joints / "clip2.npy").read_bytes()[:300])
    np.save(joints / "clip3.npy", person(30).numpy())
    (tmp_path / "raw" / "texts" / "clip4.txt").unlink()
    np.save(joints / "extra.npy", person(50).numpy())
    (tmp_path / "raw" / "texts" / "extra.txt").write_text("a#a/X#0.0#0.0\nno caption\n")
    summary = prepare(tmp_path / "raw", tmp_path / "data", FEW)
    assert summary.skipped == {
        "with NaN or infinite joints": 1,
        "not of shape (frames, 22, 3)": 1,
        "not readable": 1,
        "shorter than 40 frames": 1,
        "without a caption": 1,
        "in no split list": 1,
        "caption lines not readable": 1,
    }
    assert summary.clips == {"train": 2, "val": 6, "test": 6}
    assert "1 not readable" in str(summary)
    assert read_json(tmp_path / "data" / "dataset.json")["left_out"] == summary.skipped


def test_a_clip_that_is_listed_but_not_there_is_broken(tmp_path):
    write_raw(tmp_path / "raw", [50] * 8)
    with (tmp_path / "raw" / "train.txt").open("a") as handle:
        handle.write("Mclip0\ngone\n")
    with pytest.raises(PartialFailure, match=r"1 of 9 clips are broken.*\n  gone: listed, but without a motion"):
        prepare(tmp_path / "raw", tmp_path / "data").raise_failures()
    summary = prepare(tmp_path / "raw", tmp_path / "data", FEW)
    assert summary.skipped == {"listed, but without a motion": 1}
    assert 'gone,"listed, but without a motion",' in (tmp_path / "data" / "left_out.csv").read_text()


def test_too_many_caption_lines_that_cannot_be_read_are_an_error(tmp_path):
    write_raw(tmp_path / "raw", [50] * 8)
    with (tmp_path / "raw" / "texts" / "clip1.txt").open("a") as handle:
        handle.write("no form\n")
    with pytest.raises(PartialFailure, match=r"1 of 9 caption lines are broken.*\n  clip1: caption.*expected caption#"):
        prepare(tmp_path / "raw", tmp_path / "data").raise_failures()
    assert prepare(tmp_path / "raw", tmp_path / "data", FEW).skipped == {"caption lines not readable": 1}
    assert (tmp_path / "data" / "texts" / "clip1.txt").read_text().count("\n") == 1


def test_a_cut_clip_loses_the_captions_of_what_is_cut_off(tmp_path):
    write_raw(tmp_path / "raw", [260, 50, 50])
    spans = ("all#a/X#0.0#0.0", "early#a/X#2.0#4.5", "half#a/X#6.0#60.0", "late#a/X#9.0#12.0")
    (tmp_path / "raw" / "texts" / "clip0.txt").write_text("\n".join(spans))
    summary = prepare(tmp_path / "raw", tmp_path / "data", PrepareConfig(long_clips="crop"))
    assert summary.skipped == {"captions of frames that are cut off": 2, "ends of clips that are too long": 1}
    assert "clip0,ends of clips that are too long,60 of 259 frames" in (tmp_path / "data" / "left_out.csv").read_text()
    for clip_id in ("clip0", "Mclip0"):
        kept = (tmp_path / "data" / "texts" / f"{clip_id}.txt").read_text().splitlines()
        assert kept == list(spans[:3])


def test_what_is_not_utf8_is_left_out_line_by_line(tmp_path):
    write_raw(tmp_path / "raw", [50] * 3)
    (tmp_path / "raw" / "texts" / "clip0.txt").write_bytes("caf\u00e9#a/X#0#0\n".encode("latin-1") + b"walks#a/X#0#0\n")
    assert prepare(tmp_path / "raw", tmp_path / "data", FEW).skipped == {"caption lines not readable": 1}
    assert (tmp_path / "data" / "texts" / "clip0.txt").read_text() == "walks#a/X#0.0#0.0\n"


def test_captions_of_mirrored_copies_are_taken_and_checked(tmp_path):
    write_raw(tmp_path / "raw", [50] * 3)
    (tmp_path / "raw" / "texts" / "Mclip0.txt").write_text("the other way round#way/NOUN#0#0\nno form\n")
    summary = prepare(tmp_path / "raw", tmp_path / "data", FEW)
    assert summary.skipped == {"caption lines not readable": 1}
    assert "Mclip0,caption lines" in (tmp_path / "data" / "left_out.csv").read_text()
    assert (tmp_path / "data" / "texts" / "Mclip0.txt").read_text() == "the other way round#way/NOUN#0.0#0.0\n"


def test_the_source_is_not_written_to(tmp_path):
    write_raw(tmp_path / "raw", [50] * 3)
    with pytest.raises(InputError, match="is the source; name another folder"):
        prepare(tmp_path / "raw", tmp_path / "raw")
    with pytest.raises(InputError, match="an index cuts AMASS or BVH recordings"):
        open_source(tmp_path / "raw", index=tmp_path / "index.csv")


def test_too_many_broken_clips_are_an_error_and_the_others_are_prepared(tmp_path):
    write_raw(tmp_path / "raw", [50] * 4)
    np.save(tmp_path / "raw" / "joints" / "clip0.npy", np.full((50, 22, 3), np.inf))
    summary = prepare(tmp_path / "raw", tmp_path / "data", PrepareConfig())
    assert summary.failed == {"clip0": "with NaN or infinite joints"}
    with pytest.raises(PartialFailure, match=r"1 of 4 clips are broken; the dataset is without them.*--max-bad-share"):
        summary.raise_failures()
    assert ids_of(tmp_path / "data", "train") == ["clip1", "Mclip1"]
    prepare(tmp_path / "raw", tmp_path / "data", FEW).raise_failures()


def test_preparing_anew_that_stops_half_way_leaves_no_dataset(tmp_path, monkeypatch):
    write_raw(tmp_path / "raw", [50] * 4)
    prepare(tmp_path / "raw", tmp_path / "data", PrepareConfig())
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Tally, "add", Mock(side_effect=[None, KeyboardInterrupt]))
        prepare(tmp_path / "raw", tmp_path / "data", PrepareConfig(retarget=False))
    with pytest.raises(InputError, match=r"no train\.txt"):
        MocapDataset(tmp_path / "data")


def test_long_clips_are_cut_and_many_short_ones_are_not_broken(tmp_path):
    write_raw(tmp_path / "raw", [230, 50, 10, 10])
    summary = prepare(tmp_path / "raw", tmp_path / "data", PrepareConfig(mirror=False, long_clips="crop"))
    assert summary.skipped == {"ends of clips that are too long": 1, "shorter than 40 frames": 2}
    assert np.load(tmp_path / "data" / "new_joint_vecs" / "clip0.npy").shape == (199, 263)


def test_long_clips_become_windows_and_nothing_is_lost(tmp_path):
    write_raw(tmp_path / "raw", [601, 50, 50])
    spans = ("all#a/X#0.0#0.0", "early#a/X#2.0#4.5", "across#a/X#6.0#10.0", "late#a/X#25.0#99.0")
    (tmp_path / "raw" / "texts" / "clip0.txt").write_text("\n".join(spans))
    summary = prepare(tmp_path / "raw", tmp_path / "data")
    assert summary.skipped == {}
    assert (summary.minutes_in, summary.minutes_out) == (0.58, 0.58)  # 698 frames
    assert "0.6 of 0.6 minutes; left out: none" in str(summary)
    names = [f"{mark}clip0_w{n}" for mark in ("", "M") for n in range(4)]
    assert set(names) <= set(ids_of(tmp_path / "data", "train"))
    whole = person_of(tmp_path / "raw" / "joints" / "clip0.npy")
    for n in range(4):
        joints = torch.from_numpy(np.load(tmp_path / "data" / "new_joints" / f"clip0_w{n}.npy"))
        window = retarget(whole[150 * n : 150 * n + 151], torch.tensor(HUMANML3D.body), HUMANML3D)
        torch.testing.assert_close(joints, canonicalise(window), atol=1e-4, rtol=0)
    texts = [(tmp_path / "data" / "texts" / f"clip0_w{n}.txt").read_text().splitlines() for n in range(4)]
    assert texts[0] == ["all#a/X#0.0#0.0", "early#a/X#2.0#4.5"]
    assert texts[1] == ["all#a/X#0.0#0.0", "across#a/X#0.0#2.5"]  # its middle is at 8 s
    assert texts[2] == ["all#a/X#0.0#0.0"]
    assert texts[3] == ["all#a/X#0.0#0.0", "late#a/X#2.5#7.5"]


def test_windows_that_would_be_too_short_are_counted(tmp_path):
    write_raw(tmp_path / "raw", [61, 51, 51])
    summary = prepare(tmp_path / "raw", tmp_path / "data", PrepareConfig(max_frames=50, mirror=False))
    assert summary.skipped == {"ends of clips that are too long": 1}
    assert np.load(tmp_path / "data" / "new_joint_vecs" / "clip0.npy").shape == (50, 263)
    assert (summary.minutes_in, summary.minutes_out) == (0.13, 0.12)


def person_of(path: Path) -> torch.Tensor:
    return torch.from_numpy(np.load(path)).float()


def test_ids_are_one_word_each_and_kept_apart(tmp_path):
    clips = {"a b": 0, "a_b": 1, "c/d": 2, "Ma_b-2": 3, "..": 4, "\x1b[2Jx": 5, "long" * 60: 6, "e\u2028f": 7}
    np.savez(tmp_path / "raw.npz", **{name: person(42, seed=n).numpy() for name, n in clips.items()})
    for split in ("train", "val", "test"):
        (tmp_path / f"{split}.txt").write_bytes(b"\xef\xbb\xbf")
    (tmp_path / "train.txt").write_text("\ufeff" + "\n".join(clips), encoding="utf-8")
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a b.txt").write_text("\ufefffirst#first/X#0.0#0.0\n", encoding="utf-8")
    for name in ("a_b", "Ma_b-2"):
        (tmp_path / "texts" / f"{name}.txt").write_text(f"{name}#a/X#0.0#0.0\n")
    source = open_source(tmp_path / "raw.npz")
    names = {clip.id: clip.name for clip in source.clips}
    assert names["a_b"] == "a_b" and names["Ma_b-2"] == "Ma_b-2"
    assert names["a b"] == "a_b-3"  # a_b is another clip's, and the mirrored copy of a_b-2 would be Ma_b-2
    assert names["c/d"] == "c_d" and names[".."] == "_" and names["e\u2028f"] == "e_f"
    assert len(set(names.values())) == len(clips) and max(map(len, names.values())) < 200
    summary = prepare(tmp_path / "raw.npz", tmp_path / "data")
    assert summary.skipped == {"without a caption": 5}
    written = ids_of(tmp_path / "data", "train")
    assert sorted(written) == ["MMa_b-2", "Ma_b", "Ma_b-2", "Ma_b-3", "a_b", "a_b-3"]
    assert (tmp_path / "data" / "texts" / "a_b-3.txt").read_text() == "first#first/X#0.0#0.0\n"
    assert MocapDataset(tmp_path / "data").ids == written


def test_paths_that_join_to_one_name_are_kept_apart():
    assert dataset_names(["a_b_c", "a_b_c", "a_b_c-2"]) == ["a_b_c", "a_b_c-3", "a_b_c-2"]


def test_one_bad_clip_costs_only_itself(tmp_path):
    clips = {f"good{n}": person(60, seed=n).numpy() for n in range(3)}
    flat = person(60).numpy()
    flat[:, 13] = flat[:, 9]
    bad = {
        "words": np.full((60, 22, 3), "x"),
        "huge": person(60).numpy().astype(np.float64) * 1e300,
        "far": person(60).numpy() + 1e6,
        "point": np.zeros((60, 22, 3)),
        "toes": person(60).numpy()[:, [*range(10), 7, 8, *range(12, 22)]],
        "collar": flat,
        "scalar": np.float64(3),
    }
    np.savez(tmp_path / "raw.npz", **clips, **bad)
    cfg = PrepareConfig(test_share=0, val_share=0, mirror=False)
    summary = prepare(tmp_path / "raw.npz", tmp_path / "data", cfg)
    assert ids_of(tmp_path / "data", "train") == list(clips)
    assert summary.failed.keys() == bad.keys()
    assert summary.failed["collar"] == ("not plausible (bones without length: spine3 - l_collar; check the joint map)")
    assert "frame 1 of 60 has a joint 100 km away" in summary.failed["far"]
    assert summary.failed["scalar"] == "not of shape (frames, 22, 3) (())"


def test_one_end_joint_without_length_is_rebuilt_and_recorded(tmp_path):
    whole = person(60, swing=0.1).numpy()
    for joint, parent, name in ((10, 7, "l_ankle - l_foot"), (15, 12, "neck - head"), (21, 19, "r_elbow - r_wrist")):
        flat = whole.copy()
        flat[:, joint] = flat[:, parent]
        (tmp_path / name).mkdir()
        np.savez(tmp_path / name / "raw.npz", flat=flat, whole=whole)
        cfg = PrepareConfig(test_share=0, val_share=0, mirror=False)
        summary = prepare(tmp_path / name / "raw.npz", tmp_path / name / "data", cfg)
        assert summary.skipped == {"end joints rebuilt from the target body": 1}
        assert (
            f"flat,end joints rebuilt from the target body,{name}"
            in (tmp_path / name / "data" / "left_out.csv").read_text()
        )
        rebuilt, true = (np.load(tmp_path / name / "data" / "new_joints" / f"{n}.npy") for n in ("flat", "whole"))
        np.testing.assert_allclose(np.delete(rebuilt, joint, 1)[:, 0], np.delete(true, joint, 1)[:, 0], atol=0.2)
        length = np.linalg.norm(rebuilt[:, joint] - rebuilt[:, parent], axis=-1)
        np.testing.assert_allclose(length, HUMANML3D.body[joint], atol=1e-4)
        bones = [motion[:, joint] - motion[:, parent] for motion in (rebuilt, true)]
        cosine = (bones[0] * bones[1]).sum(-1) / (length * np.linalg.norm(bones[1], axis=-1))
        assert cosine.min() > 0.5


def test_a_frame_without_a_body_is_named(tmp_path):
    joints = person(60).numpy()
    joints[0] = 0
    np.savez(tmp_path / "raw.npz", a=joints, b=person(60).numpy())
    summary = prepare(tmp_path / "raw.npz", tmp_path / "data", PrepareConfig(test_share=0, val_share=0))
    assert summary.failed == {"a": "not plausible (the leg has no length in frame 1 of 60)"}


def test_a_frame_rate_that_no_recording_has_is_refused(tmp_path):
    for fps in ("1e300", "1e-300", "0", "nan", "yes"):
        with pytest.raises(ConfigError, match="fps"):
            load_config(PrepareConfig, overrides=[f"fps={fps}"])


def test_no_training_clip_is_an_error(tmp_path):
    write_raw(tmp_path / "raw", [10, 10, 50, 50])
    with pytest.raises(InputError, match="no training clip left of 4"):
        prepare(tmp_path / "raw", tmp_path / "data")


def test_an_npz_of_clips_without_split_lists(tmp_path):
    clips = {f"c{i:03d}": person(42, seed=i).numpy() for i in range(30)}
    np.savez(tmp_path / "raw.npz", **clips)
    with zipfile.ZipFile(tmp_path / "texts.zip", "w") as z:
        for name in clips:
            z.writestr(f"texts/{name}.txt", "someone moves#someone/X#0.0#0.0\n")
    cfg = PrepareConfig(mirror=False, val_share=0.2, test_share=0.3)
    summary = prepare(tmp_path / "raw.npz", tmp_path / "one", cfg)
    assert sum(summary.clips.values()) == 30
    assert all(n > 0 for n in summary.clips.values())
    prepare(tmp_path / "raw.npz", tmp_path / "two", cfg)
    assert all(ids_of(tmp_path / "one", s) == ids_of(tmp_path / "two", s) for s in summary.clips)


def test_a_damaged_archive_of_captions_is_named(tmp_path):
    write_raw(tmp_path / "raw", [50])
    (tmp_path / "raw" / "texts.zip").write_bytes(b"PK\x03\x04 not a zip")
    with pytest.raises(InputError, match=r"texts\.zip: not a readable zip"):
        open_source(tmp_path / "raw")
    (tmp_path / "raw" / "texts.zip").unlink()
    (tmp_path / "raw" / "train.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"train\.txt: not readable as text"):
        open_source(tmp_path / "raw")


def test_packed_clips_are_running_sums_in_small_units(tmp_path):
    clips = [person(n, seed=n).numpy() for n in (5, 9)]
    ticks = [np.round(c / 0.0002).astype(np.int32) for c in clips]
    delta = np.concatenate([np.diff(t, axis=0, prepend=0) for t in ticks])
    np.savez(
        tmp_path / "motions.npz",
        joints_delta=delta.astype(np.int16),
        offsets=np.array([0, 5, 14]),
        ids=np.array(["a", "b"]),
        unit_m=0.0002,
    )
    source = open_source(tmp_path)
    for clip, expected, clip_id in zip(source.clips, clips, "ab", strict=True):
        assert clip.id == clip_id
        np.testing.assert_allclose(clip.read().joints, expected, atol=1.1e-4)


@pytest.mark.shared
def test_the_shared_clips_can_be_read(shared):
    source = open_source(shared / "data")
    assert len(source.clips) == 3925
    assert not source.absent
    clip_id, joints = source.clips[0].id, source.clips[0].read().joints
    assert joints.shape[1:] == (22, 3)
    assert abs(float(joints[..., 1].min())) < 1e-3
    assert source.captions(clip_id)[0]
    assert clip_id in source.splits


def test_a_source_that_holds_mirrored_copies_is_not_mirrored_again(tmp_path):
    raw = tmp_path / "raw"
    write_raw(raw, [50] * 4)
    for kind, suffix in (("joints", "npy"), ("texts", "txt")):
        (raw / kind / f"Mclip0.{suffix}").write_bytes((raw / kind / f"clip1.{suffix}").read_bytes())
    (raw / "train.txt").write_text("clip0\nMclip0\nclip1\n")
    prepare(raw, tmp_path / "data")
    assert ids_of(tmp_path / "data", "train") == ["Mclip0", "clip0", "clip1", "Mclip1"]
    assert "person 1" in (tmp_path / "data" / "texts" / "Mclip0.txt").read_text()


def test_sources_that_cannot_be_used(tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        open_source(tmp_path / "nothing")
    with pytest.raises(InputError, match="holds no motions"):
        open_source(tmp_path)
    (tmp_path / "a.csv").write_text("")
    with pytest.raises(InputError, match=r"expected an \.npz or \.bvh"):
        open_source(tmp_path / "a.csv")
    for name in "ab":
        np.savez(tmp_path / f"{name}.npz", x=np.zeros(3))
    with pytest.raises(InputError, match="holds 2 npz files; give one of them"):
        open_source(tmp_path)
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 not a zip")
    with pytest.raises(InputError, match=r"a\.npz: not a readable npz"):
        prepare(tmp_path / "a.npz", tmp_path / "out")


def test_resampling_keeps_the_first_frame_and_the_shape_of_the_path():
    line = np.arange(31, dtype=np.float32)[:, None, None] * np.ones((1, 22, 3), np.float32)
    slow = resample(line, 30.0, 20.0)
    assert slow.shape == (21, 22, 3)
    np.testing.assert_allclose(slow[:, 0, 0], np.arange(21) * 1.5, atol=1e-5)
    fast = resample(line, 12.5, 20.0)
    np.testing.assert_allclose(fast[:, 0, 0], np.arange(len(fast)) * 0.625, atol=1e-4)
    assert resample(line, 20.0, 20.0) is line
    assert len(resample(line[:1], 30.0, 20.0)) == 1


def test_the_sources_frame_rate_is_brought_to_the_skeletons(tmp_path):
    write_raw(tmp_path / "raw", [121, 121, 121])
    prepare(tmp_path / "raw", tmp_path / "data", PrepareConfig(fps=40, mirror=False))
    assert np.load(tmp_path / "data" / "new_joints" / "clip0.npy").shape == (61, 22, 3)


def test_turns_are_read_back_right_unless_parity_is_asked_for(tmp_path):
    still = person(1, swing=0.0).expand(120, -1, -1)
    spin = rotate(yaw_quaternion(torch.arange(120) * 0.06)[:, None], still)
    spin = spin + torch.linspace(0, 5, 120)[:, None, None] * torch.tensor([0.0, 0.0, 1.0])
    write = tmp_path / "raw"
    write.mkdir()
    np.save(write / "spin.npy", spin.numpy())
    (write / "train.txt").write_text("spin\n")
    off = {}
    for parity in (False, True):
        out = tmp_path / str(parity)
        prepare(write, out, PrepareConfig(min_frames=8, mirror=False, parity=parity))
        joints = np.load(out / "new_joints" / "spin.npy")[:-1]
        features = torch.from_numpy(np.load(out / "new_joint_vecs" / "spin.npy"))
        off[parity] = float(np.abs(features_to_joints(features).numpy() - joints).max())
    assert off[False] < 1e-4 < off[True]


def test_described_clips_of_the_training_split_have_captions_of_events(tmp_path):
    names = write_raw(tmp_path / "raw", [60] * 4)
    kick = person(60, swing=0.0, turn=0.0).double()
    ahead = torch.tensor([0.0, -0.1, 0.7])
    for end, length in (("r_knee", 1.0), ("r_ankle", 2.0), ("r_foot", 2.0)):
        kick[27:33, HUMANML3D.index(end)] = kick[27:33, HUMANML3D.index("r_hip")] + ahead / 1.8 * length
    for name in names:
        np.save(tmp_path / "raw" / "joints" / f"{name}.npy", kick.numpy())
    prepare(tmp_path / "raw", tmp_path / "out", PrepareConfig(describe=True))
    for split, count in (("train", 1), ("val", 0), ("test", 0)):
        for name in ids_of(tmp_path / "out", split):
            side = "left" if name.startswith("M") else "right"
            lines = (tmp_path / "out" / "texts" / f"{name}.txt").read_text().splitlines()
            events = [line for line in lines if "kick" in line]
            assert len(events) == count and all(f"the {side}" in line for line in events)
