"""`crossdiff sample` with a prompt."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from command import crossdiff, state_of
from synthetic import person

from crossdiff.data.motion_files import caption_of
from crossdiff.representation.features3d import canonicalise
from crossdiff.representation.foot_lock import plant_feet
from crossdiff.types import Motion3D

SQUATS = ["sample", "a person squats", "--mixture", "--switch-step", "1", "--frames", "120", "--seed", "0"]


def test_a_prompt_becomes_joints_and_a_video(here):
    said = crossdiff(*SQUATS, "--out", "squats").ok().out
    joints = np.load("squats/00_a-person-squats.npy")
    assert joints.shape == (120, 22, 3) and np.isfinite(joints).all()
    assert Path("squats/00_a-person-squats.mp4").read_bytes()[4:8] == b"ftyp"
    record = json.loads(Path("squats/samples.json").read_text())
    assert record["options"]["mixture"] and record["motions"][0]["prompt"] == "a person squats"
    assert said.splitlines()[-1].startswith("1 motion of 120 frames in squats")
    assert sorted(p.name for p in here.iterdir()) == ["squats"]


def test_same_seed_same_bytes(here):
    made = []
    for folder, seed in (("a", 0), ("b", 0), ("c", 1)):
        crossdiff("sample", "a person squats", "--steps", "3", "--seed", seed, "--out", folder, "--no-video").ok()
        made.append(Path(folder, "00_a-person-squats.npy").read_bytes())
    assert made[0] == made[1] != made[2]


def test_a_motion_does_not_depend_on_its_neighbours(here):
    quick = ["--steps", "3", "--frames", "40", "--no-video"]
    crossdiff("sample", "a", "b", "--out", "both", *quick).ok()
    crossdiff("sample", "b", "--seed", "1", "--out", "one", *quick).ok()
    np.testing.assert_allclose(np.load("both/01_b.npy"), np.load("one/00_b.npy"), atol=1e-4)


def test_the_same_again_does_nothing_and_another_setting_does(here):
    args = ["sample", "a person squats", "--steps", "2", "--no-video"]
    said = crossdiff(*args).ok().out
    assert "out = samples  (name it with --out)" in said and "checkpoint = tiny  (the shipped model)" in said
    before = state_of(here)
    crossdiff(*args).ok()
    assert state_of(here) == before
    crossdiff(*args, "--guidance", "1").ok()
    assert state_of(here)["samples/00_a-person-squats.npy"][1] != before["samples/00_a-person-squats.npy"][1]


def test_a_video_never_lies_beside_another_motion(here):
    quick = ["sample", "a", "--steps", "2", "--frames", "4"]
    crossdiff(*quick).ok()
    crossdiff(*quick, "--seed", "1", "--no-video").ok()
    assert not Path("samples/00_a.mp4").exists()
    crossdiff(*quick, "--seed", "1").ok()
    assert Path("samples/00_a.mp4").is_file()


def test_what_was_stopped_while_drawing_is_sampled_again(here, monkeypatch):
    quick = ["sample", "a", "--steps", "2", "--frames", "4"]
    crossdiff("sample", "b", *quick[2:], "--no-video").ok()
    crossdiff(*quick).ok()
    first = Path("samples/00_a.npy").read_bytes()

    def interrupted(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("crossdiff.viewing.video.render_motion", interrupted)
        assert crossdiff(*quick, "--seed", "1").code == 130
    assert Path("samples/00_a.npy").read_bytes() != first and caption_of(Path("samples/00_b.npy")) == "b"
    crossdiff(*quick).ok()
    assert Path("samples/00_a.npy").read_bytes() == first


def test_a_part_of_a_motion_is_kept_and_text_fills_the_rest(here):
    quick = ["--steps", "2", "--no-video"]
    crossdiff("sample", "a", "--frames", "30", "--out", "first", *quick).ok()
    first = np.load("first/00_a.npy")
    edit = ["sample", "b", "--edit", "first/00_a.npy", *quick]
    crossdiff(*edit, "--keep-frames", "0:10,-5:", "--out", "filled").ok()
    filled = np.load("filled/00_b.npy")
    assert filled.shape == first.shape
    # The edited motion is put on the floor and turned to face +Z, which an untrained model's samples do not quite.
    given = canonicalise(torch.from_numpy(first)).numpy()
    np.testing.assert_allclose(filled[:10], given[:10], atol=1e-3)
    assert np.abs(filled[10:25] - given[10:25]).max() > 0.05
    record = json.loads(Path("filled/samples.json").read_text())["edit"]
    assert (record["motion"], record["keep_frames"], record["keep_joints"]) == ("00_a.npy", "0:10,-5:", None)

    before = state_of(here / "filled")
    crossdiff(*edit, "--keep-frames", "0:10,-5:", "--out", "filled").ok()
    assert state_of(here / "filled") == before
    crossdiff(*edit, "--keep-joints", "lower,head", "--out", "filled").ok()
    assert np.abs(np.load("filled/00_b.npy") - filled).max() > 0.05


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--keep-frames", "0:10"], ["--edit MOTION.npy"]),
        (["--edit", "motion.npy"], ["frames or joints to keep", "neither"]),
        (["--edit", "motion.npy", "--keep-frames", "0-10"], ["0:30,90:120", "0-10"]),
        (["--edit", "motion.npy", "--keep-frames", "0:10,"], ["0:30,90:120", "0:10,"]),
        (["--edit", "motion.npy", "--keep-frames", "0:50"], ["24 frames", "0:50"]),
        (["--edit", "motion.npy", "--keep-joints", "tail"], ["lower, upper", "tail"]),
        (["--edit", "motion.npy", "--keep-joints", "upper", "--mixture"], ["standard sampling", "mixture"]),
        (["--edit", "cm.npy", "--keep-joints", "upper"], ["cm.npy: a leg is 81", "joints must be in metres"]),
        (["--edit", "nan.npy", "--keep-joints", "upper"], ["NaN or infinite"]),
        (["--edit", "text.npy", "--keep-joints", "upper"], ["expected numbers, got <U1"]),
        (["--edit", "nowhere.npy", "--keep-joints", "upper"], ["nowhere.npy: no such file"]),
        (["--edit", "flat.npy", "--keep-joints", "upper"], ["(any, 22, 3)", "(24, 22, 2)"]),
        (["--edit", "number.npy", "--keep-joints", "upper"], ["(any, 22, 3)", "()"]),
    ],
)
def test_what_cannot_be_kept_is_one_line(here, args, words):
    np.save("motion.npy", person(24).numpy())
    np.save("flat.npy", person(24).numpy()[..., :2])
    np.save("number.npy", np.float32(1))
    np.save("cm.npy", 100 * person(24).numpy())
    np.save("nan.npy", np.full((24, 22, 3), np.nan))
    np.save("text.npy", np.full((24, 22, 3), "x"))
    crossdiff("sample", "a", "--steps", "2", "--no-video", *args).failed(*words)
    assert not Path("samples").exists()


def test_motions_of_an_earlier_call_keep_their_prompts(here):
    quick = ["--steps", "2", "--frames", "24", "--no-video"]
    crossdiff("sample", "a", "b", *quick).ok()
    crossdiff("sample", "c", *quick).ok()
    Path("samples/00_a.npy").unlink()
    crossdiff("sample", "d", *quick).ok()
    assert [caption_of(Path("samples", f"{n}.npy")) for n in ("00_a", "01_b", "00_c", "00_d")] == ["", "b", "c", "d"]
    before = state_of(here)
    crossdiff("sample", "d", *quick).ok()
    assert state_of(here) == before
    crossdiff("sample", "c", *quick).ok()
    record = json.loads(Path("samples/samples.json").read_text())
    assert [m["name"] for m in record["earlier"]] == ["01_b", "00_d"]


@pytest.mark.parametrize(
    "damaged", ["{", "[1]", '{"motions": 3}', '{"motions": ["a"]}', '{"motions": [], "earlier": [{}]}']
)
def test_a_damaged_record_is_made_anew(here, damaged):
    args = ["sample", "a", "--steps", "2", "--no-video"]
    crossdiff(*args).ok()
    Path("samples/samples.json").write_text(damaged)
    crossdiff(*args).ok()
    assert json.loads(Path("samples/samples.json").read_text())["frames"] == 120


@pytest.mark.parametrize("solver", ["dpm++", "ddim", "ddpm"])
def test_every_solver_samples_both_ways(here, solver):
    for mode in ([], ["--mixture"]):
        args = ["--solver", solver, "--steps", "4", "--frames", "30", "--no-video", "--out", f"out{len(mode)}"]
        crossdiff("sample", "a person waves", *mode, *args).ok()
        assert np.load(f"out{len(mode)}/00_a-person-waves.npy").shape == (30, 22, 3)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--frames", "0"], ["expected 1 to 196", "got 0"]),
        (["--frames", "500"], ["expected 1 to 196", "got 500"]),
        (["--solver", "euler"], ["'dpm++', 'ddim' or 'ddpm'", "euler"]),
        (["--guidance", "-1"], ["greater than or equal to 0", "-1"]),
        (["--guidance", "nan"], ["finite", "nan"]),
        (["--steps", "0"], ["1 to 1000", "got 0"]),
        (["--switch-step", "300"], ["belongs to mixture sampling", "--mixture"]),
        (["--mixture", "--switch-step", "1000"], ["0 to 999", "got 1000"]),
        (["--device", "abacus"], ["auto", "abacus"]),
        (["--checkpoint", "org/model"], ["org/model: no checkpoint", "shipped model"]),
        (["--run", "nowhere"], ["nowhere: not a run folder", "crossdiff extract-2d"]),
    ],
)
def test_a_value_out_of_range_is_one_line(here, args, words):
    crossdiff("sample", "a person squats", *args, "--no-video").failed(*words)
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(("seed", "limit"), [("-1", "equal to 0"), ("99999999999999999999", "equal to 4294967295")])
def test_a_seed_out_of_range_is_a_usage_error(here, seed, limit):
    said = crossdiff("sample", "a", "--seed", seed)
    assert said.code == 2 and limit in said.err


@pytest.mark.parametrize("prompt", ["", "  \t"])
def test_an_empty_prompt_is_refused(here, prompt):
    crossdiff("sample", prompt).failed("expected a sentence")


def test_no_prompt_and_no_run(here):
    crossdiff("sample", "--mixture").failed("no prompt", 'crossdiff sample "a person walks"')


def test_a_set_of_prompts_is_sampled_at_every_switch_step(here):
    Path("two.yaml").write_text("prompts: [a person rides a bike, a person jumps]\nswitch_steps: [1, 500]\n")
    quick = ["--steps", "2", "--frames", "20", "--out", "swept"]
    said = crossdiff("sample", "--prompts", "two.yaml", "--sweep", *quick).ok().out
    assert said.splitlines()[-1].startswith("6 motions in swept: standard and 2 switch steps")
    records = [json.loads(p.read_text())["options"] for p in sorted(Path("swept").glob("*/samples.json"))]
    assert [(r["mixture"], r["switch_step"]) for r in records] == [(True, 1), (True, 500), (False, 1)]
    assert sorted(p.name for p in Path("swept").glob("*.mp4")) == [
        "00_a-person-rides-a-bike.mp4", "01_a-person-jumps.mp4",
    ]  # fmt: skip
    crossdiff("sample", "--prompts", "two.yaml", *quick[:-1], "plain", "--no-video").ok()
    standard, plain = (np.load(f"{f}/00_a-person-rides-a-bike.npy") for f in ("swept/standard", "plain"))
    np.testing.assert_array_equal(standard, plain)


def test_a_sweep_of_the_other_skeleton_is_drawn(here, kit):
    Path("one.yaml").write_text("prompts: [a]\n")
    args = ["--sweep", "--checkpoint", kit, "--steps", "2", "--frames", "24", "--out", "swept"]
    crossdiff("sample", "--prompts", "one.yaml", *args).ok()
    assert Path("swept/00_a.mp4").is_file()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["a", "--prompts", "paper-prompts"], "expected sentences or --prompts FILE, got both"),
        (["a", "--sweep"], "needs --prompts FILE"),
    ],
)
def test_prompts_that_contradict_each_other(here, args, said):
    crossdiff("sample", *args).failed(said)


def test_a_prompt_far_from_what_the_model_learnt_is_sampled_and_said_to_be(here, caplog):
    quick = ["--checkpoint", "stage2-small", "--steps", "2", "--frames", "8", "--no-video"]
    crossdiff("sample", "colourless green ideas", "a person walks forward", *quick).ok()
    (line,) = [line for line in caplog.messages if "unlike what the model has learnt" in line]
    assert "colourless green ideas" in line and "nearest captions: " in line
    assert len(list(Path("samples").glob("*.npy"))) == 2


def test_prompts_in_a_row_are_one_motion_and_typed_again_nothing_is_done(here):
    row = ["sample", "a person walks | 1.5", "a person waves | 25 s | guidance=2", "--in-a-row", "--steps", "2"]
    said = crossdiff(*row, "--repeats", "2", "--no-video").ok().out
    assert "2 parts, 530 frames" in said
    names = ["00_a-person-walks-then-a-person-waves", "01_a-person-walks-then-a-person-waves"]
    first, second = (np.load(f"samples/{name}.npy") for name in names)
    assert first.shape == second.shape == (530, 22, 3) and np.abs(first - second).max() > 0.05
    record = json.loads(Path("samples/samples.json").read_text())
    assert [part["frames"] for part in record["in_a_row"]] == [30, 500]
    assert [part["guidance_scale"] for part in record["in_a_row"]] == [None, 2.0]
    assert caption_of(Path("samples", f"{names[1]}.npy")) == "a person walks, then a person waves"
    before = state_of(here)
    crossdiff(*row, "--repeats", "2", "--no-video").ok()
    assert state_of(here) == before


def test_feet_are_planted_unless_raw_is_asked_for_and_the_record_says_so(here):
    quick = ["sample", "a", "--steps", "2", "--frames", "40", "--no-video"]
    crossdiff(*quick).ok()
    crossdiff(*quick, "--raw", "--out", "raw").ok()
    planted, raw = np.load("samples/00_a.npy"), np.load("raw/00_a.npy")
    np.testing.assert_allclose(plant_feet(Motion3D(raw, 20.0)).joints, planted, atol=1e-5)
    records = [json.loads(Path(folder, "samples.json").read_text())["feet"] for folder in ("samples", "raw")]
    assert records == ["planted", "raw"]


def test_a_path_of_a_file_or_of_points_and_goals_are_recorded(here):
    Path("path.csv").write_text("x, z, time\n0, 0, 0\n0, 0.5, 1\n0.5, 0.5, 1.5\n")
    quick = ["sample", "a", "--steps", "2", "--no-video"]
    crossdiff(*quick, "--path", "path.csv", "--out", "timed").ok()
    assert np.load("timed/00_a.npy").shape == (31, 22, 3)
    record = json.loads(Path("timed/samples.json").read_text())
    assert record["path"] == {"points": [[0, 0], [0, 0.5], [0.5, 0.5]], "times": [0, 1, 1.5]}
    crossdiff(*quick, "--frames", "30", "--waypoints", "0,0 0,1", "--goal", "r_wrist=0,1,0.5@1", "--out", "points").ok()
    record = json.loads(Path("points/samples.json").read_text())
    assert record["path"]["times"] is None and record["goals"][0]["position"] == [0, 1, 0.5]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--waypoints", "0,0 1"], ["waypoints", "'0,0 1'"]),
        (["--waypoints", "0,0"], ["two points or more"]),
        (["--waypoints", "0,0 0,1", "--path", "path.csv"], ["got both"]),
        (["--path", "nowhere.csv"], ["nowhere.csv: no such file"]),
        (["--path", "path.csv"], ["path.csv", "x,z,time"]),
        (["--path", "order.csv"], ["order.csv", "increasing times"]),
        (["--goal", "nose=0,1,0@1"], ["l_wrist", "nose"]),
        (["--goal", "r_wrist=0,1,0@99"], ["sample a longer motion"]),
        (["--waypoints", "0,0 0,1", "--mixture"], ["standard sampling", "--waypoints"]),
        (["--in-a-row", "--frames", "2"], ["part: expected 4 frames"]),
    ],
)
def test_what_cannot_lead_a_motion_is_one_line(here, args, words):
    Path("path.csv").write_text("a,b\n1,2\n")
    Path("order.csv").write_text("x,z,time\n0,0,1\n0,1,0\n")
    crossdiff("sample", "a", "--steps", "2", "--no-video", *args).failed(*words)
    assert not Path("samples").exists()
