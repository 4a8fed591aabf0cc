"""Datasets and batches: pure functions of seed and step, padding, spans, what is skipped and why."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from synthetic import person, write_run
from torch.testing import assert_close

from crossdiff.data.batch import ClipWindow, collate
from crossdiff.data.batches import MixedBatches, MocapBatches, WildBatches, load_steps, make_batch, split_positions
from crossdiff.data.mocap import MocapDataset, ViewConfig
from crossdiff.data.wild import WildDataset
from crossdiff.errors import ClipError, InputError
from crossdiff.files import load_npz, save_npz, write_text
from crossdiff.representation.features2d import joints_to_features_2d
from crossdiff.representation.projection import project_orthographic

ALL_VIEWS = ViewConfig(yaw_jitter=20, hide=0.5)


@pytest.fixture
def run(tmp_path):
    write_run(tmp_path / "run", [30, 44, 50])
    return tmp_path / "run"


def equal(one, other) -> bool:
    return (
        one.captions == other.captions
        and all(torch.equal(one.features[d], other.features[d]) for d in one.features)
        and all(torch.equal(one.trusted[d], other.trusted[d]) for d in one.features)
        and torch.equal(one.seen, other.seen)
        and torch.equal(one.frames, other.frames)
        and torch.equal(one.wild, other.wild)
    )


def sources(prepared, run, seed=0):
    mocap = MocapBatches(MocapDataset(prepared), 3, 48, ALL_VIEWS, seed)
    wild = WildBatches(WildDataset(run), 2, 40, seed)
    return {"mocap": mocap, "wild": wild, "mixed": MixedBatches(wild, mocap)}


@pytest.mark.parametrize("kind", ["mocap", "wild", "mixed"])
def test_a_batch_is_a_function_of_seed_and_step_alone(prepared, run, kind):
    one, other = (sources(prepared, run)[kind] for _ in range(2))
    forwards = [make_batch(one, step) for step in range(6)]
    backwards = [make_batch(other, step) for step in reversed(range(6))][::-1]
    assert all(equal(a, b) for a, b in zip(forwards, backwards, strict=True))
    assert not equal(forwards[0], forwards[3])
    assert not equal(forwards[0], make_batch(sources(prepared, run, seed=1)[kind], 0))


@pytest.mark.parametrize("kind", ["mocap", "wild", "mixed"])
def test_padding_is_zero_and_never_counts(prepared, run, kind):
    source = sources(prepared, run)[kind]
    for step in range(4):
        batch = make_batch(source, step)
        assert batch.frames.any(dim=1).all()
        assert batch.frames.shape[1] == int(batch.frames.sum(1).max())
        for d, x in batch.features.items():
            assert x.shape[:2] == batch.frames.shape
            assert (x[~batch.frames] == 0).all()
            assert not batch.trusted[d][~batch.frames].any()
        assert not batch.seen[~batch.frames].any()
        assert set(batch.captions) <= {"", *source.captions()}


def test_an_epoch_holds_every_clip_once(prepared):
    source = MocapBatches(MocapDataset(prepared), 4, 196, ViewConfig(), 0)
    for epoch in (0, 1):
        seen = [c for step in (2 * epoch, 2 * epoch + 1) for c in make_batch(source, step).captions]
        sides = [f"person {i} turns {s}" for i in range(4) for s in ("left", "right")]
        assert sorted(seen) == sides
    assert [make_batch(source, s).captions for s in (0, 1)] != [make_batch(source, s).captions for s in (2, 3)]


def test_balance_draws_rare_captions_more_often(copy):
    for i in range(3):
        for mark in ("", "M"):
            write_text(copy / "texts" / f"{mark}clip{i}.txt", "a person walks#a/DET person/NOUN walk/VERB#0.0#0.0\n")
    shares = []
    for balance in (0.0, 0.5, 1.0):
        source = MocapBatches(MocapDataset(copy), 8, 40, ViewConfig(), 0, balance=balance)
        drawn = [c for step in range(100) for c in make_batch(source, step).captions]
        shares.append(sum(c != "a person walks" for c in drawn) / len(drawn))
    # Six clips with one caption weigh 6, 6 ** 0.5 and 1 beside two clips of their own.
    assert_close(shares, [2 / 8, 2 / (2 + 6**0.5), 2 / 3], atol=0.06, rtol=0)


def test_balance_of_wild_clips(run):
    data = WildDataset(run)
    data.captions = [["a person jumps"], ["a person runs"], ["a person runs"]]
    for balance, share in ((0.0, 1 / 3), (1.0, 1 / 2)):
        source = WildBatches(data, 8, 20, 0, balance=balance)
        drawn = [c for step in range(100) for c in make_batch(source, step).captions]
        assert abs(drawn.count("a person jumps") / len(drawn) - share) < 0.06


def test_each_epoch_cuts_and_sees_a_clip_anew(prepared, run):
    mocap = MocapBatches(MocapDataset(prepared), 8, 40, ViewConfig(), 0)
    wild = WildBatches(WildDataset(run), 8, 10, 0)
    for source in (mocap, wild):
        first_frames = {step: set(make_batch(source, step).features["2d"][:, 0, 5].tolist()) for step in (0, 1)}
        assert len(first_frames[0] - first_frames[1]) > 3


@pytest.mark.parametrize("count", [21, 150])
def test_what_fills_no_batch_is_left_out_by_chance_alone(count):
    """Where lengths were sorted first, the longest clips were left out of every epoch."""
    data = SimpleNamespace(ids=[f"{n:03}" for n in range(count)], lengths=np.arange(40, 40 + count), packed=None)
    source = MocapBatches(data, 20, 196, ViewConfig(), 0)
    epoch = count // 20
    seen = [np.concatenate([source.clips(e * epoch + n) for n in range(epoch)]) for e in range(60)]
    assert all(len(np.unique(s)) == epoch * 20 for s in seen)
    uses = np.bincount(np.concatenate(seen), minlength=count) / 60
    assert uses[-5:].mean() == pytest.approx(epoch * 20 / count, abs=0.1)
    assert uses.min() > 0.7 * epoch * 20 / count


def test_fewer_clips_than_a_batch_are_drawn_again(prepared):
    source = MocapBatches(MocapDataset(prepared), 20, 196, ViewConfig(), 0)
    assert len(make_batch(source, 0).captions) == len(make_batch(source, 5).captions) == 20


def test_mixed_batches_hold_both_kinds_and_say_which(prepared, run):
    batch = make_batch(sources(prepared, run)["mixed"], 0)
    assert batch.wild.tolist() == [True, True, False, False, False]
    assert all(("wild" in c or c == "") == w for c, w in zip(batch.captions, batch.wild.tolist(), strict=True))
    assert batch.quality.tolist() == [1.0] * 5
    assert batch.to(torch.device("cpu")).captions == batch.captions


def test_every_tensor_of_a_batch_is_pinned(prepared, monkeypatch):
    # On a machine without a GPU no memory can be pinned: a copy stands for it.
    monkeypatch.setattr(torch.Tensor, "pin_memory", torch.Tensor.clone)
    batch = make_batch(MocapBatches(MocapDataset(prepared), 3, 24, ALL_VIEWS, 0), 0)
    pinned = batch.pin_memory()
    assert equal(pinned, batch)

    def tensors(b):
        return [*b.features.values(), *b.trusted.values(), b.seen, b.frames, b.wild, b.has_3d, b.quality]

    assert not any(one is other for one, other in zip(tensors(pinned), tensors(batch), strict=True))


def test_a_crop_is_a_stretch_of_the_clip_seen_in_one_view(prepared):
    data = MocapDataset(prepared)
    features = np.load(prepared / "new_joint_vecs" / "clip3.npy")
    joints = torch.from_numpy(np.load(prepared / "new_joints" / "clip3.npy"))
    rng = np.random.default_rng(0)
    starts = set()
    for _ in range(20):
        crop = data.crop(data.ids.index("clip3"), 40, ViewConfig(views=("left",)), rng)
        start = int(np.flatnonzero((features == crop.features["3d"][0]).all(1))[0])
        starts.add(start)
        np.testing.assert_array_equal(crop.features["3d"], features[start : start + 40])
        flat, mask = joints_to_features_2d(project_orthographic(joints[start : start + 41], "left"))
        np.testing.assert_array_equal(crop.features["2d"], flat.numpy())
        np.testing.assert_array_equal(crop.seen, mask.numpy())
    assert len(starts) > 5


def test_hidden_joints_are_not_seen_but_still_count_in_the_loss(prepared):
    data = MocapDataset(prepared)
    rng = np.random.default_rng(0)
    crops = [data.crop(0, 40, ViewConfig(hide=1.0), rng) for _ in range(10)]
    assert any(not c.seen.all() for c in crops)
    assert all(c.trusted["2d"].all() for c in crops)
    assert all((c.seen <= c.trusted["2d"]).all() for c in crops)
    assert all(c.seen[:, :2].all() for c in crops)  # the root is never hidden


@pytest.fixture
def copy(prepared, tmp_path):
    return shutil.copytree(prepared, tmp_path / "copy", ignore=shutil.ignore_patterns("packed"))


def test_a_clip_that_comes_alone_is_cut_and_seen_anew_each_time(copy):
    (copy / "train.txt").write_text("clip3\n")
    source = MocapBatches(MocapDataset(copy), 1, 40, ViewConfig(), 0)
    for domain in ("3d", "2d"):
        assert len({float(make_batch(source, step).features[domain][0, 0, 5]) for step in range(8)}) > 4


def test_a_captions_span_is_cut_out(copy):
    (copy / "texts" / "clip3.txt").write_text("a#a/X#1.0#3.2\n")
    data = MocapDataset(copy)
    crop = data.crop(data.ids.index("clip3"), 196, ViewConfig(), np.random.default_rng(0))
    np.testing.assert_array_equal(crop.features["3d"], np.load(copy / "new_joint_vecs" / "clip3.npy")[20:64])


@pytest.mark.parametrize("span", ["0.0#1.0", "3.0#1.0", "90#95", "0.0#0.0", "nan#nan"])
def test_spans_too_short_or_outside_mean_the_whole_clip(copy, span):
    (copy / "texts" / "clip3.txt").write_text(f"a#a/X#{span}\n")
    data = MocapDataset(copy)
    crop = data.crop(data.ids.index("clip3"), 196, ViewConfig(), np.random.default_rng(0))
    assert crop.num_frames == 68


def test_unusable_clips_are_skipped_with_their_reasons(copy):
    vecs, joints, texts = (copy / name for name in ("new_joint_vecs", "new_joints", "texts"))
    np.save(vecs / "clip0.npy", np.zeros((44, 251), np.float32))
    (vecs / "Mclip0.npy").unlink()
    np.save(joints / "clip1.npy", np.zeros((30, 22, 3), np.float32))
    (joints / "Mclip1.npy").write_bytes(b"")
    np.savez(vecs / "clip2", np.zeros(3))
    (vecs / "clip2.npz").replace(vecs / "clip2.npy")
    (texts / "Mclip2.txt").unlink()
    (texts / "clip3.txt").write_text("no caption\n")
    data = MocapDataset(copy)
    assert data.ids == ["Mclip3"]
    assert list(data.skipped) == ["clip0", "Mclip0", "clip1", "Mclip1", "clip2", "Mclip2", "clip3"]
    words = [
        "width 263",
        "no such file",
        "joints of shape",
        "not a plain",
        "magic string",
        "no caption file",
        "expected",
    ]
    for reason, word in zip(data.skipped.values(), words, strict=True):
        assert word in reason
    shutil.rmtree(texts)
    with pytest.raises(InputError, match="no usable clip"):
        MocapDataset(copy)


def test_packed_clips_are_the_clips_and_are_packed_anew_after_a_change(copy):
    def first_rows() -> list[float]:
        data = MocapDataset(copy)
        return [float(data.packed.features(i, n - 1, n)[0, 50]) for i, n in enumerate(data.lengths)]

    def on_disk() -> list[float]:
        ids = (copy / "train.txt").read_text().split()
        return [float(np.load(copy / "new_joint_vecs" / f"{i}.npy")[-1, 50]) for i in ids]

    assert first_rows() == on_disk()
    packs = sorted(p.name for p in (copy / "packed").iterdir())
    assert first_rows() == on_disk()
    assert sorted(p.name for p in (copy / "packed").iterdir()) == packs
    changed = np.load(copy / "new_joint_vecs" / "clip2.npy")
    np.save(copy / "new_joint_vecs" / "clip2.npy", changed + 1)
    assert first_rows() == on_disk()
    again = sorted(p.name for p in (copy / "packed").iterdir())
    assert len(again) == len(packs) == 2
    assert not set(again) & set(packs)
    shutil.rmtree(copy / "packed")
    (copy / "packed").write_text("a folder cannot be made here")
    assert first_rows() == on_disk()


def test_a_clip_with_an_empty_caption_file_is_learnt_from_without_text(copy):
    (copy / "texts" / "clip3.txt").write_text("\n")
    data = MocapDataset(copy)
    assert data.crop(data.ids.index("clip3"), 196, ViewConfig(), np.random.default_rng(0)).caption == ""


def test_ids_are_lines_of_the_list_and_may_hold_spaces(copy):
    for kind, suffix in (("new_joint_vecs", "npy"), ("new_joints", "npy"), ("texts", "txt")):
        (copy / kind / f"clip3.{suffix}").rename(copy / kind / f"clip 3 b.{suffix}")
    names = (copy / "train.txt").read_text().replace("\nclip3\n", "\nclip 3 b\n")
    (copy / "train.txt").write_bytes(b"\xef\xbb\xbf" + names.replace("\n", "\r\n\r\n").encode())
    data = MocapDataset(copy)
    assert data.ids == names.splitlines() and not data.skipped
    (copy / "train.txt").write_bytes(b"clip\xff\n")
    with pytest.raises(InputError, match=r"train\.txt: not readable as text"):
        MocapDataset(copy)


def test_an_unknown_skeleton_and_no_views_at_all_are_refused(copy):
    (copy / "dataset.json").write_text('{"skeleton": "dog"}')
    with pytest.raises(InputError, match=r"humanml3d or kit.*'dog'"):
        MocapDataset(copy)
    with pytest.raises(ValidationError, match="at least 1"):
        ViewConfig(views=())


def test_humanml3ds_own_folders_have_no_joints_after_the_last_features(copy):
    (copy / "dataset.json").unlink()
    for path in (copy / "new_joints").glob("*.npy"):
        np.save(path, np.load(path)[:-1])
    data = MocapDataset(copy)
    assert len(data) == 8
    assert data.lengths[data.ids.index("clip3")] == 68
    crop = data.crop(data.ids.index("clip3"), 196, ViewConfig(), np.random.default_rng(0))
    assert crop.features["2d"].shape == (68, 132)
    assert crop.features["3d"].shape == (68, 263)


def test_a_folder_without_lists_says_how_to_make_them(tmp_path):
    with pytest.raises(InputError, match=r"no train\.txt; make a dataset with: crossdiff prepare"):
        MocapDataset(tmp_path)


def test_statistics_are_those_on_disk(prepared):
    stats = MocapDataset(prepared).statistics()
    np.testing.assert_array_equal(stats["3d"].mean, np.load(prepared / "Mean.npy"))
    np.testing.assert_array_equal(stats["2d"].std, np.load(prepared / "Std2d.npy"))


def test_wild_clips_with_their_captions(run):
    data = WildDataset(run)
    assert data.ids == ["wild0", "wild1", "wild2"]
    assert data.captions == [[""], ["wild caption 1"], ["wild caption 2"]] and data.uncaptioned == ["wild0"]
    write_text(run / "texts" / "wild1.txt", "")
    assert WildDataset(run).uncaptioned == ["wild0", "wild1"] and WildDataset(run).captions[1] == [""]
    assert data.lengths.tolist() == [30, 44, 50]
    assert data.dims == {"2d": 132, "3d": 263}
    stored = load_npz(run / "features2d" / "wild1.npz")
    crop = data.crop(1, 20, np.random.default_rng(0))
    start = int(np.flatnonzero((stored["features"] == crop.features["2d"][0]).all(1))[0])
    np.testing.assert_array_equal(crop.seen, stored["mask"][start : start + 20])
    np.testing.assert_array_equal(crop.trusted["2d"], crop.seen)
    assert crop.trusted["3d"].all()
    assert crop.caption == "wild caption 1"


def test_the_authors_root_is_measured_from_the_first_frame_of_a_crop(tmp_path):
    joints = project_orthographic(person(61), "left")
    features, mask = joints_to_features_2d(joints, layout="official")
    save_npz(tmp_path / "features2d" / "a.npz", features=features.numpy(), mask=mask.numpy())
    save_npz(tmp_path / "pseudo3d" / "a.npz", features=np.zeros((60, 263), np.float32))
    crop = WildDataset(tmp_path).crop(0, 20, np.random.default_rng(0))
    start = int(np.flatnonzero((features.numpy()[:, 2:] == crop.features["2d"][0, 2:]).all(1))[0])
    assert start > 0
    expected, _ = joints_to_features_2d(joints[start : start + 21], layout="official")
    np.testing.assert_allclose(crop.features["2d"], expected, atol=1e-5)


def test_a_wild_clip_is_as_good_as_its_label(run):
    before = WildDataset(run).fingerprint()
    label = run / "pseudo3d" / "wild1.npz"
    save_npz(label, **load_npz(label), quality=np.float64(0.25))
    data = WildDataset(run)
    assert [data.crop(n, 20, np.random.default_rng(0)).quality for n in range(3)] == [1.0, 0.25, 1.0]
    assert data.fingerprint() != before
    batch = make_batch(WildBatches(data, 3, 40, 0), 0)
    assert sorted(batch.quality.tolist()) == [0.25, 1.0, 1.0]
    assert WildDataset(run, labelled=False).clips[1].quality == 1.0
    save_npz(label, **load_npz(label, ("features",)), quality=np.float64(np.nan))
    assert WildDataset(run).skipped == {"wild1": "clip: expected a quality in [0, 1], got nan"}


def test_without_a_label_within_the_limits_the_next_step_is_other_limits(run):
    (run / "pseudo3d").rename(run / "pseudo3d_filtered")
    with pytest.raises(InputError, match=r"all labels were filtered.*--stage pseudo.*--set LIMIT=VALUE"):
        WildDataset(run)


def test_unusable_wild_clips_are_skipped_with_their_reasons(run):
    write_run(run, [30, 44, 50, 40, 40, 40, 40])
    flat, solid = run / "features2d", run / "pseudo3d"
    (flat / "wild0.npz").unlink()
    (solid / "wild1.npz").write_bytes(b"PK")
    save_npz(solid / "wild2.npz", features=np.zeros((49, 263), np.float32))
    save_npz(solid / "wild3.npz", features=np.full((40, 263), np.nan, np.float32))
    save_npz(flat / "wild4.npz", features=np.zeros((40, 132), np.float32), mask=np.ones((40, 131), bool))
    (run / "texts" / "wild5.txt").write_text("no caption\n")
    data = WildDataset(run)
    assert data.ids == ["wild6"]
    words = ["no such file", "not a readable npz", "as many 2D as 3D", "NaN", "masks of shape", "expected caption"]
    for reason, word in zip(data.skipped.values(), words, strict=True):
        assert word in reason
    (solid / "wild6.npz").unlink()
    with pytest.raises(InputError, match="crossdiff pseudo-label"):
        WildDataset(run)


def test_a_run_without_labels_says_how_to_make_them(tmp_path):
    with pytest.raises(InputError, match=r"pseudo3d/ is empty.*crossdiff pseudo-label"):
        WildDataset(tmp_path)


def test_crops_of_unequal_lengths_or_masks_are_refused():
    x2, x3 = np.zeros((4, 132), np.float32), np.zeros((5, 263), np.float32)
    with pytest.raises(ClipError, match="as many 2D as 3D"):
        ClipWindow({"2d": x2, "3d": x3}, {"2d": x2 == 0, "3d": x3 == 0}, x2 == 0, "")
    with pytest.raises(ClipError, match=r"2d masks of shape \(4, 132\)"):
        ClipWindow({"2d": x2, "3d": x3[:4]}, {"2d": x2 == 0, "3d": x3[:4] == 0}, x2[:3] == 0, "")


def test_collating_pads_to_the_longest():
    def crop(frames: int) -> ClipWindow:
        x2, x3 = np.ones((frames, 132), np.float32), np.ones((frames, 263), np.float32)
        return ClipWindow({"2d": x2, "3d": x3}, {"2d": x2 > 0, "3d": x3 > 0}, x2 > 0, str(frames))

    batch = collate([crop(3), crop(7), crop(1)])
    assert batch.features["3d"].shape == (3, 7, 263)
    assert batch.frames.sum(1).tolist() == [3, 7, 1]
    assert torch.equal(batch.features["2d"][..., 0] > 0, batch.frames)


@pytest.mark.parametrize("kind", ["mocap", "wild", "mixed"])
def test_devices_share_a_batch_row_by_row(prepared, run, kind):
    source = sources(prepared, run)[kind]
    whole = make_batch(source, 3)
    assert whole.rows == list(range(source.batch_size))
    shards = [next(iter(load_steps(source, range(3, 4), rank=rank, world_size=2))) for rank in range(2)]
    assert sorted(row for shard in shards for row in shard.rows) == whole.rows
    for shard in shards:
        for own, row in enumerate(shard.rows):
            n = whole.lengths[row]
            assert shard.lengths[own] == n
            assert shard.captions[own] == whole.captions[row]
            assert bool(shard.wild[own]) == bool(whole.wild[row])
            for domain, x in whole.features.items():
                assert_close(shard.features[domain][own, :n], x[row, :n], atol=1e-5, rtol=0)
                assert torch.equal(shard.trusted[domain][own, :n], whole.trusted[domain][row, :n])


def test_places_are_even_and_mirrored_copies_share_them():
    ids = [f"{n:03d}" for n in range(50)] + [f"M{n:03d}" for n in range(50)] + ["Mary"]
    place = split_positions(ids, seed=0)
    assert sorted(place[:50])[-1] < 1
    assert len(set(place)) == 51
    np.testing.assert_array_equal(place[:50], place[50:100])
    np.testing.assert_array_equal(place, split_positions(ids, seed=0))
    assert (place != split_positions(ids, seed=1)).any()
    reordered = split_positions(ids[::-1], seed=0)[::-1]
    np.testing.assert_array_equal(place, reordered)


@pytest.mark.parametrize(
    ("share_3d", "share_2d", "with_3d", "in_all"), [(1, 1, 8, 8), (0.5, 0.5, 4, 4), (0.5, 1, 4, 8), (0.25, 0.75, 2, 6)]
)
def test_shares_of_clips_with_3d_and_with_2d_alone(prepared, share_3d, share_2d, with_3d, in_all):
    data = MocapDataset(prepared)
    assert len(data) == 8
    source = MocapBatches(data, 2, 48, ViewConfig(), 0, share_3d, share_2d)
    seen: dict[str, bool] = {}
    for step in range(in_all // 2):
        batch = make_batch(source, step)
        for row in range(2):
            n = batch.lengths[row]
            key = repr(batch.features["2d"][row, : n // 2, 2:5].abs().sum().item())
            seen[key] = bool(batch.has_3d[row])
            assert bool(batch.trusted["3d"][row, :n].all()) == bool(batch.has_3d[row])
            assert bool((batch.features["3d"][row] != 0).any()) == bool(batch.has_3d[row])
            assert batch.trusted["2d"][row, :n].any()
    assert len(seen) == in_all
    assert sum(seen.values()) == with_3d


def test_wild_clips_without_labels_teach_2d_alone(run):
    (run / "pseudo3d" / "wild0.npz").unlink()
    assert len(WildDataset(run)) == 2
    data = WildDataset(run, labelled=False)
    assert data.ids == ["wild0", "wild1", "wild2"]
    batch = make_batch(WildBatches(data, 4, 40, 0), 0)
    assert batch.wild.all() and not batch.has_3d.any()
    assert not batch.trusted["3d"].any()
    assert (batch.features["3d"] == 0).all()
    assert batch.features["3d"].shape[-1] == 263
    shutil.rmtree(run / "features2d")
    with pytest.raises(InputError, match=r"features2d/ is empty.*crossdiff build-2d"):
        WildDataset(run, labelled=False)


@pytest.mark.parametrize(("views", "count"), [(("front",), 1), (("front", "left", "back", "right"), 4), (None, 5)])
def test_one_four_or_five_views(prepared, views, count):
    cfg = ViewConfig(views=views or ("front", "left", "back", "right", "top"))
    data = MocapDataset(prepared)
    rngs = [np.random.default_rng(n) for n in range(60)]
    crops = data.crops([0] * 60, 196, cfg, rngs)
    starts = {tuple(np.round(c.features["2d"][0, 2:8], 4)) for c in crops if c.num_frames == crops[0].num_frames}
    assert len(starts) == count


def test_short_windows_come_first(prepared):
    """For the first steps no crop is longer than asked, and from then on batches are as they always are."""
    data = MocapDataset(prepared)
    short = MocapBatches(data, 2, 196, ViewConfig(), 0, first=(6, 24))
    whole = MocapBatches(data, 2, 196, ViewConfig(), 0)
    lengths = [[c.num_frames for c in short.crops(step, range(2))] for step in range(16)]
    assert all(n == 24 for batch in lengths[:6] for n in batch)
    assert lengths[8:] == [[c.num_frames for c in whole.crops(step, range(2))] for step in range(8, 16)]
    assert min(min(batch) for batch in lengths[6:]) > 24
