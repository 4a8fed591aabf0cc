"""Labels on film with measured 3D: errors of known size, which frames are compared, the folder format, the study."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from film_folder import FPS, FRAMES, NAMES, FilmedBackend, arrays_of, motion, save_truth, write_film
from numpy.testing import assert_allclose
from synthetic import small_model

from crossdiff.checkpoint import save_model
from crossdiff.config import load_config
from crossdiff.errors import ConfigError, InputError
from crossdiff.files import save_npz
from crossdiff.representation.projection import rotate_y
from crossdiff.skeleton import HUMANML3D
from crossdiff.studies.film.comparison import DETECTOR, FLAT, LABEL, MEAN_OF_BOTH, MEAN_POSE, compare_video
from crossdiff.studies.film.config import MAIN, FilmStudyConfig
from crossdiff.studies.film.folder import FilmFolder, FilmVideo, Series
from crossdiff.studies.film.labels import FilmLabel
from crossdiff.studies.film.measures import MEASURES, clip_errors, pa_errors
from crossdiff.studies.film.report import report_page, write_film_report
from crossdiff.studies.film.result import FilmResult, MeanError
from crossdiff.studies.film.study import study_film

TIMES = np.arange(FRAMES) / FPS
ROWS = [HUMANML3D.index(name) for name in NAMES]
UP = np.array([0.0, 1.0, 0.0])


def filmed(joints: np.ndarray, up: np.ndarray = UP) -> FilmVideo:
    """A video whose truth is these joints, as the camera sees them."""
    return FilmVideo("walk", Path("walk.mp4"), "walks", Series(TIMES[: len(joints)], joints), NAMES, up)


def means(video: FilmVideo, joints: np.ndarray) -> dict[str, float]:
    return {name: float(values.mean()) for name, values in clip_errors(video, joints, video.truth.time).items()}


def tilted(joints: np.ndarray, degrees: float) -> np.ndarray:
    """Turned about the x axis."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return joints @ np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]]).T


# --- errors of known size ---

TRUE = motion(0)[:, ROWS]


def test_place_size_and_heading_do_not_matter():
    turned = rotate_y(torch.from_numpy(TRUE), 70).numpy()
    found = means(filmed(TRUE), 1.7 * turned + (3, 1, -2))
    assert found.keys() == MEASURES.keys()
    assert_allclose(list(found.values()), 0, atol=1e-6)


def test_a_tilt_counts_about_the_vertical_alone():
    found = means(filmed(TRUE), tilted(TRUE, 30))
    assert found.pop("yaw") > 50
    assert_allclose(list(found.values()), 0, atol=1e-6)


def test_the_vertical_is_that_of_the_truth_not_of_the_camera():
    # A camera that looks down by 30 degrees: bodies lean towards it, labels stand upright.
    seen = filmed(tilted(TRUE, 30), tilted(UP, 30))
    assert means(seen, rotate_y(torch.from_numpy(TRUE), 70).numpy())["yaw"] == pytest.approx(0, abs=1e-6)
    assert means(seen, tilted(TRUE, 30))["yaw"] > 50


@pytest.mark.parametrize(("axis", "column"), [(0, "across"), (1, "across"), (2, "depth")])
def test_errors_along_an_axis_and_of_acceleration(axis, column):
    still = np.repeat(TRUE[:1], 40, axis=0)
    shaken = still.copy()
    shaken[:, NAMES.index("l_wrist"), axis] += 0.005 * (-1.0) ** np.arange(40)  # its mean is the truth
    found = means(filmed(still), shaken)
    joints = len(NAMES) - 1
    wanted = {"rotation": 5 / joints, "across": 0.0, "depth": 0.0, "acceleration": 4 * 0.005 * FPS**2 / joints}
    wanted[column] = 5 / joints / (2 if column == "across" else 1)
    assert_allclose([found[name] for name in wanted], list(wanted.values()), rtol=0.01, atol=0.01)


def test_limbs_that_point_the_other_way():
    pose = np.repeat(TRUE[:1], 10, axis=0)
    root = pose[:, :1].copy()
    pose = root + (pose - root) * (1, 1, 0)  # flat, so that no limb is deep
    elbow, wrist = NAMES.index("l_elbow"), NAMES.index("l_wrist")
    pose[:, wrist, 2] += 0.2
    pose[:, NAMES.index("r_ankle"), 2] -= 0.2
    pose[:, NAMES.index("r_wrist"), 2] -= 0.05  # too little to be deep
    video = filmed(pose)
    assert means(video, pose)["wrong"] == 0
    lifted = pose.copy()
    lifted[:5, wrist, 2] = 2 * lifted[:5, elbow, 2] - lifted[:5, wrist, 2]
    assert len(clip_errors(video, lifted, video.truth.time)["wrong"]) == 20
    assert means(video, lifted)["wrong"] == 25
    assert len(clip_errors(filmed(pose * (1, 1, 0)), lifted, video.truth.time)["wrong"]) == 0


def test_pa_mpjpe_ignores_the_pelvis_but_no_reflection():
    moved = TRUE.copy()
    moved[:, NAMES.index("pelvis")] += 0.5
    video = filmed(TRUE)
    assert_allclose(pa_errors(video, tilted(2 * moved, 45), TIMES), 0, atol=1e-6)
    assert (pa_errors(video, moved * (-1, 1, 1), TIMES) > 20).all()


def test_accelerations_across_a_gap_are_left_out():
    times = np.delete(TIMES, 30)
    found = clip_errors(filmed(TRUE), np.delete(TRUE, 30, axis=0), times)
    assert len(found["acceleration"]) == FRAMES - 2 - 3
    assert len(found["depth"]) == FRAMES - 1


# --- what is compared ---

POSE = np.zeros((22, 3))
POSE[:, 0], POSE[:, 1] = np.linspace(-0.3, 0.3, 22), np.linspace(-1, 1, 22) ** 3


def label(start: int, stop: int, noise: float = 0.0, accepted: bool = True, track: str = "t0") -> FilmLabel:
    """Frames of the true motion, with noise (metres)."""
    joints = motion(0)[start:stop]
    joints = joints + noise * np.random.default_rng(start).normal(size=joints.shape)
    return FilmLabel(f"{track}_{start}", track, accepted, TIMES[start:stop], joints, joints[..., :2])


def compared(labels, detected=None, sigma=0.0):
    return compare_video(filmed(TRUE), labels, detected, POSE, sigma)


def test_of_labels_that_overlap_the_better_one_is_taken():
    found = compared([label(0, 40, noise=0.1), label(20, 50), label(25, 45, noise=0.2)])
    assert (found.labels, found.overlapping, found.compared) == (2, 1, 50)
    alone = compared([label(0, 40, noise=0.1)]).values[LABEL]["depth"]
    assert 0.2 * alone < found.values[LABEL]["depth"] < 0.6 * alone  # 20 of the 50 frames have noise


def test_coverage_counts_uncovered_frames_as_the_mean_pose():
    dull = pa_errors(filmed(TRUE), np.repeat(POSE[None, ROWS], FRAMES, axis=0), TIMES)
    found = compared([label(0, 30), label(30, 45, noise=0.5, accepted=False)])
    assert (found.truth, found.rejected) == (FRAMES, 1)
    whole = found.coverage[LABEL]
    assert (whole["covered"], whole["accepted"], whole["right"]) == pytest.approx((75, 50, 50))
    errors = 45 * found.values[LABEL]["pa_mpjpe"] + dull[45:].sum()
    assert whole["pa_mpjpe"] == pytest.approx(errors / FRAMES)
    assert found.coverage[MEAN_POSE]["pa_mpjpe"] == pytest.approx(dull.mean())
    nothing = compared([])
    assert nothing.values == {} and nothing.coverage[LABEL]["covered"] == 0
    assert nothing.coverage[LABEL]["pa_mpjpe"] == pytest.approx(dull.mean())


def test_all_methods_are_compared_on_the_frames_in_which_the_detector_sees_the_person():
    lost = np.r_[0:20, 40:FRAMES]
    detected = {"t0": Series(TIMES[lost], tilted(0.8 * TRUE, 20)[lost])}
    found = compared([label(0, FRAMES, noise=0.05)], detected)
    assert list(found.values) == [LABEL, DETECTOR, MEAN_OF_BOTH, FLAT]
    assert found.compared == FRAMES - 10  # but for the middle of the gap of one second
    ours, theirs, both = (found.values[m] for m in (LABEL, DETECTOR, MEAN_OF_BOTH))
    assert theirs["pa_mpjpe"] < 10 and theirs["yaw"] > 30
    assert 0.4 * ours["pa_mpjpe"] < both["pa_mpjpe"] < 0.7 * ours["pa_mpjpe"]
    assert found.coverage[DETECTOR]["covered"] == pytest.approx(100 * 50 / 60)
    # Another person's landmarks do not count, those of the folder are of whoever was measured.
    assert compared([label(0, FRAMES)], {"t1": detected["t0"]}).values == {}
    assert compared([label(0, FRAMES, noise=0.05)], {None: detected["t0"]}).values == found.values


def test_landmarks_are_smoothed_as_labels_are():
    shaken = TRUE + 0.05 * np.random.default_rng(0).normal(size=TRUE.shape)
    rough, smooth = (compared([label(0, FRAMES)], {None: Series(TIMES, shaken)}, s).values[DETECTOR] for s in (0, 1.5))
    assert smooth["acceleration"] < 0.3 * rough["acceleration"]


def test_means_have_standard_errors_over_videos():
    found = MeanError.of([1.0, None, 2.0, 3.0])
    assert (found.mean, found.error) == pytest.approx((2, 1 / np.sqrt(3)))
    assert MeanError.of([4.0]) == MeanError(mean=4, error=None)
    assert MeanError.of([None]) == MeanError(mean=None, error=None)


# --- the folder ---


def test_a_folder_is_read_as_the_camera_sees_it(tmp_path):
    film = FilmFolder.read(write_film(tmp_path / "film"))
    assert [(v.name, v.source) for v in film.videos] == [("walk0", "group 0"), ("walk1", "group 1")]
    assert film.landmarks is None and film.mean_pose is None
    video = film.videos[0]
    assert_allclose(video.truth.joints, TRUE, atol=1e-9)
    assert_allclose(video.up, UP, atol=1e-9)
    assert (video.names, video.root, len(video.compared)) == (NAMES, [0], len(NAMES) - 1)
    assert len(video.limbs) == 8


def test_without_pelvis_and_vertical(tmp_path):
    arrays = arrays_of(0)
    own = {k: v for k, v in arrays.items() if k not in ("up", "source")}
    folder = write_film(tmp_path / "film")
    save_truth(folder, {"walk0": own | {"joints": arrays["joints"][:, 1:], "names": arrays["names"][1:]}})
    (video,) = FilmFolder.read(folder).videos
    assert (video.source, video.root) == ("film", [0, 1])
    assert_allclose(video.up, UP)


def test_landmarks_of_the_folder_become_joints_by_its_weights(tmp_path):
    folder = write_film(tmp_path / "film")
    weights = np.random.default_rng(0).uniform(size=(len(NAMES), 33))
    save_truth(folder, {"walk0": arrays_of(0) | {"mp_weights": weights}}, mean_pose=POSE)
    world = np.random.default_rng(1).normal(size=(FRAMES, 33, 3))
    world[7] = np.nan
    save_npz(folder / "mediapipe_world.npz", **{"walk0/world": world, "walk0/time": TIMES})
    film = FilmFolder.read(folder)
    assert film.landmarks is not None
    series = film.videos[0].series_of(film.landmarks["walk0"])
    assert_allclose(series.time, np.delete(TIMES, 7))
    assert_allclose(series.joints[3], weights @ world[3] * (1, -1, -1))
    assert_allclose(film.mean_pose, POSE)
    assert FilmFolder.read(folder).fingerprint == film.fingerprint


WRONG = {
    "names": (
        np.array([*NAMES[:-1], "nose"]),
        "truth.npz: walk0/names: nose: no joint of HumanML3D; those are: pelvis",
    ),
    "joints": (np.zeros((FRAMES, len(NAMES), 2)), r"walk0/joints: expected shape \(any, any, 3\), got \(60, 13, 2\)"),
    "time": (np.zeros(FRAMES), "walk0/time: expected ascending seconds"),
    "R": (np.diag([1.0, 1.0, -1.0]), "walk0/R: no rotation"),
    "mp_weights": (np.zeros((3, 33)), r"walk0/mp_weights: expected shape \(13, 33\), got \(3, 33\)"),
    "up": (np.array(["z"] * 3), "walk0/up: expected numbers"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arrays_are_explained(name, tmp_path):
    folder = write_film(tmp_path / "film")
    save_truth(folder, {"walk0": arrays_of(0) | {name: WRONG[name][0]}})
    with pytest.raises(InputError, match=WRONG[name][1]):
        FilmFolder.read(folder)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"joints": np.full((FRAMES, 13, 3), np.nan)}, "walk0/joints: holds NaN or infinite values; leave such frames"),
        ({"time": TIMES[:-1]}, r"walk0/time: expected shape \(60\), got \(59,\)"),
        ({"names": np.array(NAMES[:5])}, "expected 13 names"),
        ({"names": np.array(["l_wrist", *NAMES[1:]])}, "named twice"),
        ({"names": np.array(["head", "neck", "l_hip"]), "joints": np.ones((FRAMES, 3, 3))}, "lacks the root"),
        ({"names": np.array(["pelvis", "neck", "l_hip"]), "joints": np.ones((FRAMES, 3, 3))}, "expected 4 joints"),
    ],
)
def test_wrong_values_are_explained(changes, words, tmp_path):
    folder = write_film(tmp_path / "film")
    save_truth(folder, {"walk0": arrays_of(0) | changes})
    with pytest.raises(InputError, match=words):
        FilmFolder.read(folder)


def test_what_a_folder_lacks_is_explained(tmp_path):
    with pytest.raises(InputError, match=r"lacks truth.npz; see docs/evaluation.md"):
        FilmFolder.read(tmp_path)
    folder = write_film(tmp_path / "film")
    save_truth(folder, {"walk0": {k: v for k, v in arrays_of(0).items() if k != "R"}})
    with pytest.raises(InputError, match=r"truth.npz: lacks walk0/R"):
        FilmFolder.read(folder)
    save_truth(folder, {"walk9": arrays_of(0)})
    with pytest.raises(InputError, match=r"no video walk9, which truth\.npz has; it has walk0, walk1"):
        FilmFolder.read(folder)
    save_truth(folder, {}, mean_pose=POSE)
    with pytest.raises(InputError, match="holds no video"):
        FilmFolder.read(folder)
    save_truth(folder, {"walk0": arrays_of(0)}, mean_pose=POSE[:3])
    with pytest.raises(InputError, match=r"truth.npz: mean_pose: expected shape \(22, 3\), got \(3, 3\)"):
        FilmFolder.read(folder)
    save_truth(folder, {"walk0": arrays_of(0)})
    save_npz(folder / "mediapipe_world.npz", **{"walk0/world": np.zeros((FRAMES, 17, 3)), "walk0/time": TIMES})
    with pytest.raises(InputError, match=r"mediapipe_world.npz: walk0/world: expected shape \(any, 33, 3\)"):
        FilmFolder.read(folder)
    (folder / "videos" / "walk0.avi").write_bytes((folder / "videos" / "walk0.mp4").read_bytes())
    with pytest.raises(InputError, match="have one name"):
        FilmFolder.read(folder)


# --- the study ---


def config(**changes) -> FilmStudyConfig:
    limits = {
        "min_height": 5,
        "min_motion": 0,
        "min_difference": 0,
        "max_camera_lost": 1,
        "max_edge": 1,
        "min_whole": 0,
    }
    exact = {"smooth_sigma": 0, "max_reprojection": None}
    return FilmStudyConfig.model_validate({"filter": limits, "pseudo_label": exact} | changes)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_model(small_model(max_frames=196), tmp_path_factory.mktemp("film") / "model")


def test_a_film_is_labelled_measured_and_resumed(model, tmp_path):
    film, out, backend = write_film(tmp_path / "film"), tmp_path / "out", FilmedBackend()
    cfg = config(variants={"strict": {"filter": {"min_frames": 1000}}})
    stages: list[str] = []
    result = study_film(cfg, model, film, out / "run", backend=backend, on_stage=lambda stage, _: stages.append(stage))
    labelling = ["filter", "build-2d", "pseudo-label"]
    assert stages == ["extract-2d", "strict: filter", "strict: build-2d", *labelling]
    assert (result.film.videos, result.film.landmarks, result.failures) == (2, "run", ())
    main, strict = result.settings
    assert (main.name, strict.name) == (MAIN, "strict")
    assert [g.name for g in main.groups] == ["group 0", "group 1"]
    for video in main.videos:
        assert (video.labels, video.truth, video.compared) == (1, FRAMES, FRAMES - 1)
        assert video.coverage[LABEL]["covered"] == pytest.approx(100 * 59 / 60)
        # Landmarks and truth are the same motion in other axes and size.
        assert video.values[DETECTOR]["pa_mpjpe"] < 0.5 and video.values[DETECTOR]["yaw"] < 0.5
        assert video.values[FLAT]["across"] < video.values[FLAT]["depth"]
        assert video.values[LABEL]["pa_mpjpe"] > video.values[MEAN_OF_BOTH]["pa_mpjpe"] > 1
    assert main.overall.labelled == 2 and main.overall.values[LABEL]["pa_mpjpe"].error is not None
    assert strict.overall.labelled == 0 and strict.overall.values == {}
    empty = strict.overall.coverage[LABEL]
    assert (empty["covered"].mean, empty["right"].mean) == (0, 0)
    assert empty["pa_mpjpe"] == strict.overall.coverage[MEAN_POSE]["pa_mpjpe"]
    kept = [path for name in ("pseudo3d", "pseudo3d_filtered") for path in (out / "run" / name).glob("*.npz")]
    assert len(kept) == 2  # of the main settings, which come last
    frames = backend.frames
    again = study_film(cfg, model, film, out / "run", backend=backend)
    assert backend.frames == frames
    assert again.settings == result.settings

    write_film_report(result, out)
    assert FilmResult.load(out) == result
    text = (out / "report.md").read_text()
    for words in (
        "Main settings: errors",
        "Strict: coverage",
        "| mean of both |",
        "walk1: 2D without depth",
        "group 0",
    ):
        assert words in text
    assert "walk1: 2D without depth" in (out / "report.html").read_text()


def test_a_detector_without_3d_leaves_two_rows(model, tmp_path):
    film = write_film(tmp_path / "film")
    result = study_film(config(), model, film, tmp_path / "run", backend=FilmedBackend(in_space=False))
    assert result.film.landmarks is None
    (main,) = result.settings
    assert list(main.overall.values) == [LABEL, FLAT] and list(main.overall.coverage) == [LABEL, MEAN_POSE]
    assert "none: the detector gives no 3D" in report_page(result).to_markdown()


def test_rejected_labels_count_unless_they_are_left_out(model, tmp_path):
    film, run = write_film(tmp_path / "film"), tmp_path / "run"
    limit = {"pseudo_label": {"smooth_sigma": 0, "min_quality": 1.0}}
    found = study_film(config(**limit), model, film, run, backend=FilmedBackend()).settings[0]
    assert sum(v.rejected for v in found.videos) == sum(v.labels for v in found.videos) == 2
    assert found.overall.coverage[LABEL]["covered"].mean > 90
    assert found.overall.coverage[LABEL]["accepted"].mean == 0
    none = study_film(config(**limit, accepted_only=True), model, film, run, backend=FilmedBackend()).settings[0]
    assert none.overall.coverage[LABEL]["covered"].mean == 0


def test_mistakes_are_found_before_a_run_is_made(model, tmp_path):
    film, run = write_film(tmp_path / "film"), tmp_path / "run"
    with pytest.raises(ConfigError, match=r"variants\.a\.build\.layout: official, but .* takes paper"):
        study_film(config(variants={"a": {"build": {"layout": "official"}}}), model, film, run)
    with pytest.raises(InputError, match="no pose backend 'open'"):
        study_film(config(backend="open"), model, film, run)
    kit = save_model(small_model(skeleton="kit"), tmp_path / "kit")
    with pytest.raises(InputError, match="a teacher for the skeleton kit"):
        study_film(config(), kit, film, run)
    assert not run.exists()


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("variants={main: {}}", "choose another"),
        ("variants={a: {filter: {min_frame: 2}}}", r"variants\.a: unknown key 'filter\.min_frame'.*filter\.min_frames"),
        ("variants={a: {lift: {impute: false}}}", "variants.a: unknown key 'lift"),
        ("filter.min_frame=2", "filter.min_frames"),
    ],
)
def test_settings_that_cannot_be(setting, words):
    with pytest.raises(ConfigError, match=words):
        load_config(FilmStudyConfig, "evaluate-film", [setting])


def test_the_shipped_configuration_measures_the_defaults_and_loose_limits():
    cfg = load_config(FilmStudyConfig, "evaluate-film")
    main, loose = cfg.settings.values()
    assert main == FilmStudyConfig().settings[MAIN]
    assert (loose.filter.min_whole, loose.build.min_frames) == (0, 21)
    assert loose.filter.max_bones == main.filter.max_bones and loose.pseudo_label == main.pseudo_label
