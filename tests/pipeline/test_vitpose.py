"""The vitpose backend, with small networks of random weights."""

import weakref
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from small_pose import noise, save_detector, save_vitpose
from transformers import RTDetrImageProcessorPil, VitPoseImageProcessorPil
from wild import write_video

from crossdiff.errors import ClipError, ConfigError, InputError, MissingDependencyError
from crossdiff.pipeline.backends import create_backend
from crossdiff.pipeline.extract import extract_2d
from crossdiff.pipeline.run import Run
from crossdiff.types import Keypoints2D


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    return f"detector={save_detector(tmp_path_factory.mktemp('detector'))}"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return f"weights={save_vitpose(tmp_path_factory.mktemp('pose'))}"


@pytest.fixture(scope="module")
def backend(detector, weights):
    """Sees a few people in every frame."""
    return create_backend("vitpose", [detector, weights, "threshold=0.4"])


def test_people_lie_in_the_frame_with_17_keypoints_each(backend):
    people = list(backend.estimate(noise(3)))
    assert backend.keypoint_set == "coco17" and len(people) == 3 and all(people)
    for person in (p for those in people for p in those):
        left, top, right, bottom = person.box
        assert 0 <= left < right <= 320 and 0 <= top < bottom <= 240
        assert person.xy.shape == (17, 2) and (person.score >= 0).all() and (person.score <= 1).all()
        outside = ((person.xy < 0) | (person.xy >= (320, 240))).any(axis=1)
        assert (person.score[outside] == 0).all()


def test_batches_change_nothing(backend, detector, weights):
    frames = [*noise(4), *noise(1, size=(200, 300))]
    one_by_one = create_backend("vitpose", [detector, weights, "threshold=0.4", "batch_size=1", "crop_batch_size=1"])
    for some, same in zip(backend.estimate(frames), one_by_one.estimate(frames), strict=True):
        assert len(some) == len(same)
        for one, other in zip(some, same, strict=True):
            np.testing.assert_allclose(one.box, other.box, atol=1e-2)
            np.testing.assert_allclose(one.score, other.score, atol=1e-4)


def test_no_more_than_a_batch_of_frames_is_held(detector, weights):
    backend = create_backend("vitpose", [detector, weights, "batch_size=3"])
    made: list[weakref.ref] = []
    most = 0

    def decoded():
        nonlocal most
        for number in range(10):
            frame = np.full((240, 320, 3), number, np.uint8)
            made.append(weakref.ref(frame))
            most = max(most, sum(one() is not None for one in made))
            yield frame
            del frame

    assert len(list(backend.estimate(decoded()))) == 10
    assert most <= 4  # and the one that is being decoded


def test_frames_without_people_and_no_frames_at_all(detector, weights):
    backend = create_backend("vitpose", [detector, weights, "threshold=0.99"])
    assert list(backend.estimate(noise(2))) == [[], []] and list(backend.estimate([])) == []


def test_peaks_of_heat_maps_become_pixels_of_the_frame(backend, monkeypatch):
    """The crop is the box, padded by a quarter and to 3 : 4; its corner pixels are the heat map's (UDP)."""
    generator = np.random.default_rng(0)
    x, y = generator.uniform(3, 8, (2, 17)), generator.uniform(3, 12, (2, 17))
    rows, columns = np.mgrid[:16, :12]
    peaks = 0.8 * np.exp(-((columns - x[..., None, None]) ** 2 + (rows - y[..., None, None]) ** 2) / 4)
    monkeypatch.setattr(backend, "heatmaps", lambda crops: torch.from_numpy(peaks))
    boxes = np.array([[10.0, 20, 40, 100], [100, 50, 200, 110]])  # tall, and wide
    xy, score = backend.keypoints([(noise(1)[0], box) for box in boxes])
    width, height = np.array([60, 100]) * 1.25, np.array([80, 400 / 3]) * 1.25
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    expected = np.stack([x / 11 * width[:, None], y / 15 * height[:, None]], axis=-1)
    expected += (centre - np.stack([width, height], axis=-1) / 2)[:, None]
    np.testing.assert_allclose(xy, expected, atol=0.05)
    assert (score > 0.6).all()


def test_flipping_gives_the_mean_with_the_mirrored_picture(backend, detector, weights):
    flipping = create_backend("vitpose", [detector, weights, "flip=true"])
    crops = np.stack(noise(2, size=(48, 64)))
    pairs = [0] + [i + 1 if i % 2 else i - 1 for i in range(1, 17)]
    mirrored = backend.heatmaps(np.ascontiguousarray(crops[:, :, ::-1]))[:, pairs].flip(-1)
    torch.testing.assert_close(flipping.heatmaps(crops), (backend.heatmaps(crops) + mirrored) / 2)
    assert not torch.allclose(flipping.heatmaps(crops), backend.heatmaps(crops), atol=1e-3)


def test_inputs_are_those_of_the_processors(backend):
    """Which are not used for frames and crops, as they are slow."""
    frame, box = noise(1)[0], np.array([100.0, 60, 180, 160])
    expected = VitPoseImageProcessorPil(size=backend._processor.size, do_normalize=False, do_rescale=False)(
        frame, boxes=[[[100.0, 60, 80, 100]]], return_tensors="np"
    ).pixel_values[0]
    assert np.abs(expected.transpose(1, 2, 0).astype(int) - backend._cut(frame, box)).max() <= 1
    size = {"height": 64, "width": 64}
    expected = RTDetrImageProcessorPil(size=size)(frame, return_tensors="pt").pixel_values[0]
    torch.testing.assert_close(backend.detector._input(frame), expected, atol=1.01 / 255, rtol=0)


@pytest.mark.parametrize(("count", "name"), [(26, "halpe26"), (133, "wholebody133")])
def test_other_keypoint_sets_are_told_by_their_number(count, name, detector, tmp_path):
    backend = create_backend("vitpose", [detector, f"weights={save_vitpose(tmp_path / 'p', count)}", "threshold=0.4"])
    assert backend.keypoint_set == name
    assert next(iter(backend.estimate(noise(1))))[0].xy.shape == (count, 2)


def test_networks_of_several_experts_take_the_first(detector, tmp_path):
    backend = create_backend("vitpose", [detector, f"weights={save_vitpose(tmp_path / 'p', experts=2)}"])
    assert backend.heatmaps(np.stack(noise(2, size=(48, 64)))).shape == (2, 17, 16, 12)


def test_bfloat16_is_near(backend, detector, weights):
    low = create_backend("vitpose", [detector, weights, "precision=bfloat16", "threshold=0.4"])
    assert low.identity != backend.identity and all(low.estimate(noise(2)))


def test_a_video_becomes_tracks_and_is_left_alone_after_that(backend, detector, weights, tmp_path):
    run = Run.create(tmp_path / "run")
    video = write_video(tmp_path / "clip.mp4", frames=12, size=(320, 240))
    assert extract_2d([video], run, backend).tracks
    found = Keypoints2D.load(next(iter(run.keypoints.glob("*.npz"))))
    assert found.keypoint_set == "coco17" and found.xy.shape[1:] == (17, 2)
    other_batch = create_backend("vitpose", [detector, weights, "threshold=0.4", "batch_size=2"])
    assert extract_2d([video], run, other_batch).unchanged == 1
    other_weights = create_backend("vitpose", [detector, f"weights={save_vitpose(tmp_path / 'p', simple=False)}"])
    assert extract_2d([video], run, other_weights).unchanged == 0


@pytest.mark.parametrize("setting", ["weights", "detector"])
def test_missing_weights_say_what_to_download(setting, detector, weights, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(MissingDependencyError, match=rf"model\.safetensors .*--pose-set {setting}=FOLDER"):
        create_backend("vitpose", [detector, weights, f"{setting}={tmp_path / 'nothing'}"])


def test_other_networks_are_refused(detector, weights, tmp_path):
    pose, people = weights.partition("=")[2], detector.partition("=")[2]
    with pytest.raises(MissingDependencyError, match="--pose-set weights"):
        create_backend("vitpose", [detector, f"weights={people}"])
    with pytest.raises(MissingDependencyError, match="--pose-set detector"):
        create_backend("vitpose", [weights, f"detector={pose}"])
    dogs = save_detector(tmp_path / "dogs", labels=("cat", "dog"))
    with pytest.raises(InputError, match="class person, got rt_detr with cat, dog"):
        create_backend("vitpose", [weights, f"detector={dogs}"])
    with pytest.raises(ClipError, match=r"14 keypoints: expected one of 17 \(coco17\)"):
        create_backend("vitpose", [detector, f"weights={save_vitpose(tmp_path / 'p', 14)}"])


def test_the_mmpose_backend_names_its_environment():
    if find_spec("mmpose") is not None:
        pytest.skip("mmpose is installed here")
    with pytest.raises(MissingDependencyError, match="make mmpose"):
        create_backend("mmpose", ["weights=pose.pth"])


def test_settings_are_checked(detector, weights):
    with pytest.raises(ConfigError, match=r"--pose-set: unknown key 'treshold' .*threshold"):
        create_backend("vitpose", ["treshold=0.5"])
    with pytest.raises(ConfigError, match=r"--pose-set 'flip': expected key=value, such as --pose-set"):
        create_backend("vitpose", ["flip"])
    with pytest.raises(InputError, match="device 'gpu' is not available"):
        create_backend("vitpose", [detector, weights, "device=gpu"])
    with pytest.raises(ConfigError, match="detection"):
        create_backend("mediapipe", ["detection=2"])
