"""AMASS recordings: joints against the smplx package, missing models, HumanML3D's index of clips."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from recordings import body_arrays, turn, write_amass

from crossdiff.data.amass import BodyModels, load_body_model, read_amass
from crossdiff.data.prepare import PrepareConfig, prepare
from crossdiff.data.segments import read_segments
from crossdiff.errors import ClipError, InputError, MissingDependencyError, PartialFailure

pytest.importorskip("smplx", reason="smplx is not installed")

ALL = PrepareConfig(val_share=0, test_share=0)


@pytest.fixture
def models(tmp_path):
    """A folder of body models as AMASS lays them out."""
    for n, gender in enumerate(("male", "female")):
        (tmp_path / "models" / "smplh" / gender).mkdir(parents=True)
        np.savez(tmp_path / "models" / "smplh" / gender / "model.npz", **body_arrays(n))
    return tmp_path / "models"


def test_joints_are_those_of_smplx(tmp_path, models):
    from smplx import SMPLH
    from smplx.utils import Struct
    from smplx.vertex_ids import vertex_ids

    content = write_amass(tmp_path / "a.npz", 9)
    surface = dict.fromkeys(vertex_ids["smplh"], 0)  # points of the skin, which a body of 60 vertices does not have
    body = SMPLH("", data_struct=Struct(**body_arrays(0)), use_pca=False, batch_size=9, vertex_ids=surface)
    poses, trans, betas = (torch.from_numpy(content[n]).float() for n in ("poses", "trans", "betas"))
    posed = body(
        betas=betas[None, :10].expand(9, -1), global_orient=poses[:, :3], body_pose=poses[:, 3:66], transl=trans
    )
    x, y, z = posed.joints[:, :22].detach().numpy().transpose(2, 0, 1)
    joints = BodyModels(models).joints(read_amass(tmp_path / "a.npz"))
    np.testing.assert_allclose(joints, np.stack([x, z, -y], axis=-1), atol=1e-5)


def test_only_what_hangs_on_a_joint_turns_with_it(tmp_path, models):
    content = write_amass(tmp_path / "a.npz", 1)
    still = content | {"poses": np.zeros((1, 156)), "trans": np.zeros((1, 3))}
    bent = still["poses"].copy()
    bent[0, 3 * 4] = np.pi / 2  # the left knee, about x
    np.savez(tmp_path / "still.npz", **still)
    np.savez(tmp_path / "bent.npz", **(still | {"poses": bent}))
    rest, moved = (BodyModels(models).joints(read_amass(tmp_path / f"{n}.npz"))[0] for n in ("still", "bent"))
    below = [7, 10]
    others = [j for j in range(22) if j not in below]
    np.testing.assert_allclose(moved[others], rest[others], atol=1e-6)
    expected = rest[4] + (rest[below] - rest[4]) @ turn("X", 90).T
    np.testing.assert_allclose(moved[below], expected, atol=1e-5)


def test_a_folder_of_recordings_becomes_a_dataset(tmp_path, models):
    raw = tmp_path / "raw"
    write_amass(raw / "CMU" / "01" / "walk_poses.npz", 181, fps=60)
    write_amass(raw / "CMU" / "02" / "run_poses.npz", 361, fps=120, gender="female", seed=1)
    np.savez(raw / "CMU" / "01" / "shape.npz", betas=np.zeros(16), gender=np.array("male"))
    summary = prepare(raw, tmp_path / "data", ALL, body_models=models)
    assert summary.skipped == {}
    assert (tmp_path / "data" / "train.txt").read_text().split() == [
        "walk_poses",
        "Mwalk_poses",
        "run_poses",
        "Mrun_poses",
    ]
    for name in ("walk_poses", "run_poses"):
        assert np.load(tmp_path / "data" / "new_joint_vecs" / f"{name}.npy").shape == (60, 263)


def test_an_index_cuts_recordings_into_clips(tmp_path, models):
    raw = tmp_path / "raw"
    write_amass(raw / "KIT" / "3" / "kick_poses.npz", 601, fps=100)
    write_amass(raw / "TotalCapture" / "s1" / "turn_poses.npz", 601, fps=100, seed=1)
    (raw / "index.csv").write_text(
        "source_path,start_frame,end_frame,new_name\n"
        "./pose_data/KIT/3/kick_poses.npy,10,70,000000.npy\n"
        "./pose_data/TotalCapture/s1/turn_poses.npy,5,-1,000001.npy\n"
        "./pose_data/humanact12/humanact12/P1.npy,0,-1,000002.npy\n"
    )
    (raw / "texts").mkdir()
    for i in range(3):
        (raw / "texts" / f"00000{i}.txt").write_text("kicks left#kick/VERB left/ADV#0.0#0.0\n")
        (raw / "texts" / f"M00000{i}.txt").write_text("kicks to the other side#kick/VERB#0.0#0.0\n")
    (raw / "train.txt").write_text("000000\nM000000\n000001\nM000001\n000002\nM000002\n")
    with pytest.raises(
        PartialFailure, match=r"1 of 3 clips are broken.*--max-bad-share:\n  000002: listed, but without a motion"
    ):
        prepare(raw, tmp_path / "data", ALL, body_models=models).raise_failures()
    summary = prepare(raw, tmp_path / "data", ALL.model_copy(update={"max_bad_share": 0.5}), body_models=models)
    assert summary.skipped == {"listed, but without a motion": 1}
    lengths = {i: len(np.load(tmp_path / "data" / "new_joints" / f"{i}.npy")) for i in ("000000", "M000000", "000001")}
    assert lengths == {"000000": 60, "M000000": 60, "000001": 121 - 20 - 5}
    assert (tmp_path / "data" / "texts" / "M000000.txt").read_text().startswith("kicks to the other side#")


def test_the_indexs_frames_are_seconds_after_the_lead(tmp_path):
    path = tmp_path / "index.csv"
    path.write_text(
        "source_path,start_frame,end_frame,new_name\n./pose_data/MPI_Limits/a b/c.d_poses.npy,1,201,7.npy\n"
    )
    (segment,) = read_segments(path)
    assert (segment.clip_id, segment.recording) == ("7", "MPI_Limits/a b/c.d_poses")
    assert (segment.start, segment.stop) == (1.05, 11.05)
    for row in ("x.npy,9,3,1.npy", "x.npy,a,3,1.npy", "x.npy,1"):
        path.write_text(f"source_path,start_frame,end_frame,new_name\n{row}\n")
        with pytest.raises(InputError, match=r"index\.csv: not an index"):
            read_segments(path)


def test_without_a_body_model_it_is_said_where_to_get_one(tmp_path, models):
    write_amass(tmp_path / "raw" / "a_poses.npz", 100, gender="female")
    with pytest.raises(MissingDependencyError, match=r"mano\.is\.tue\.mpg\.de.*--body-models"):
        prepare(tmp_path / "raw", tmp_path / "data")
    with pytest.raises(InputError, match="no such folder"):
        BodyModels(tmp_path / "nothing")
    (models / "smplh" / "female" / "model.npz").unlink()
    with pytest.raises(MissingDependencyError, match="no smplh model for gender 'female'"):
        prepare(tmp_path / "raw", tmp_path / "data", body_models=models)


def test_models_that_are_pickles_or_of_another_kind_are_refused(tmp_path):
    arrays = body_arrays()
    np.savez(tmp_path / "pickled.npz", **(arrays | {"J_regressor": np.array([{}], dtype=object)}), allow_pickle=True)
    with pytest.raises(InputError, match="only models saved as plain arrays"):
        load_body_model(tmp_path / "pickled.npz")
    np.savez(tmp_path / "cat.npz", **(arrays | {"kintree_table": np.zeros((2, 52), dtype=np.uint32)}))
    with pytest.raises(InputError, match="not a body model of the SMPL family"):
        load_body_model(tmp_path / "cat.npz")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"poses": np.zeros((5, 72))}, "expected poses of width"),
        ({"trans": np.zeros((4, 3))}, "expected trans of shape"),
        ({"mocap_framerate": np.array(0.0)}, "frame rate must be positive"),
        ({"mocap_framerate": None}, "holds none of mocap_framerate"),
    ],
)
def test_recordings_that_do_not_fit_are_refused(tmp_path, change, said):
    content = write_amass(tmp_path / "a.npz", 5) | change
    np.savez(tmp_path / "a.npz", **{k: v for k, v in content.items() if v is not None})
    with pytest.raises(ClipError, match=said):
        read_amass(tmp_path / "a.npz")


def test_smplx_recordings_take_smplx_models(tmp_path, models):
    content = write_amass(tmp_path / "raw" / "a_stageii.npz", 100, gender="neutral")
    rate = content.pop("mocap_framerate")
    np.savez(
        tmp_path / "raw" / "a_stageii.npz",
        **(content | {"poses": np.zeros((100, 165)), "mocap_frame_rate": rate, "gender": np.array(b"neutral")}),
    )
    with pytest.raises(MissingDependencyError, match="no smplx model for gender 'neutral'"):
        prepare(tmp_path / "raw", tmp_path / "data", ALL, body_models=models)
    (models / "smplx").mkdir()
    np.savez(models / "smplx" / "SMPLX_NEUTRAL.npz", **body_arrays(3))
    cfg = PrepareConfig(val_share=0, test_share=0, min_frames=10)
    assert prepare(tmp_path / "raw", tmp_path / "data", cfg, body_models=models).clips["train"] == 2


def test_amass_releases_genders_and_hidden_files(tmp_path, models):
    """Fits of the first stage and what macOS adds are no recordings; an index of `_poses` finds `_stageii`."""
    raw = tmp_path / "raw"
    for n, gender in enumerate(("Male", b"male", "b'male'")):
        write_amass(raw / "KIT" / str(n) / "kick_stageii.npz", 601, fps=100)
        content = dict(np.load(raw / "KIT" / str(n) / "kick_stageii.npz")) | {"gender": np.array(gender)}
        np.savez(raw / "KIT" / str(n) / "kick_stageii.npz", **content)
        np.savez(raw / "KIT" / str(n) / "male_stagei.npz", betas=np.zeros(16))
        (raw / "KIT" / str(n) / "._kick_stageii.npz").write_bytes(b"finder")
    (raw / "__MACOSX" / "KIT").mkdir(parents=True)
    (raw / "__MACOSX" / "KIT" / "kick_stageii.npz").write_bytes(b"finder")
    assert read_amass(raw / "KIT" / "1" / "kick_stageii.npz").gender == "male"
    summary = prepare(raw, tmp_path / "all", ALL, body_models=models)
    assert summary.skipped == {} and summary.clips["train"] == 3 * (2 if ALL.mirror else 1)
    rows = "".join(f"./pose_data/KIT/{n}/kick_poses.npy,0,60,00000{n}.npy\n" for n in range(3))
    (raw / "index.csv").write_text("source_path,start_frame,end_frame,new_name\n" + rows)
    summary = prepare(raw, tmp_path / "cut", ALL, body_models=models)
    assert summary.skipped == {} and len(np.load(tmp_path / "cut" / "new_joints" / "000002.npy")) == 60
