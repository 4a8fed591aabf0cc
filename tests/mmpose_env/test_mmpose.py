"""The mmpose backend and the converter against mmpose's own networks, with random weights; run by `make mmpose`."""

from pathlib import Path

import numpy as np
import pytest
import torch
from small_pose import noise, save_detector
from wild import write_video

from crossdiff.errors import CheckpointError, InputError
from crossdiff.pipeline.backends import create_backend
from crossdiff.pipeline.backends.convert import convert_pose
from crossdiff.pipeline.backends.mmpose import build_model, import_mmpose
from crossdiff.pipeline.extract import extract_2d
from crossdiff.pipeline.motion2d.mapping import KEYPOINT_SETS
from crossdiff.pipeline.run import Run
from crossdiff.types import Keypoints2D

SIMPLE, CLASSIC = (f"td-hm_ViTPose-small{kind}_8xb64-210e_coco-256x192" for kind in ("-simple", ""))


@pytest.fixture(scope="session")
def detector(tmp_path_factory: pytest.TempPathFactory) -> str:
    import_mmpose()  # before transformers is, which needs a torchvision that can be imported
    return f"detector={save_detector(tmp_path_factory.mktemp('detector'))}"


def random_weights(config: str, path: Path) -> Path:
    """A checkpoint as mmpose writes them, with numpy arrays beside the tensors."""
    torch.manual_seed(0)
    state = build_model(config, "cpu", flip=False).state_dict()
    # Larger than networks begin with, so that heat maps differ from one another.
    state = {n: torch.randn_like(v) * 0.1 if n.endswith("weight") and v.ndim > 1 else v for n, v in state.items()}
    state["backbone.pos_embed"] = torch.randn_like(state["backbone.pos_embed"]) * 0.1
    for name in state:
        if name.endswith("running_var"):
            state[name] = torch.rand_like(state[name]) + 0.5
    torch.save({"state_dict": state, "meta": {"dataset_meta": {"sigmas": np.ones(17, np.float32)}}}, path)
    return path


def gaussian_peaks(count: int) -> np.ndarray:
    """Heat maps of 64 x 48 with one peak each, of the width that ViTPose is trained with."""
    generator = np.random.default_rng(0)
    x, y = (generator.uniform(5, size - 6, (count, 17, 1, 1)) for size in (48, 64))
    rows, columns = np.mgrid[:64, :48]
    return np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8).astype(np.float32)


@pytest.mark.parametrize("config", [SIMPLE, CLASSIC])
def test_a_converted_checkpoint_gives_the_same_heat_maps(config, detector, tmp_path):
    weights = random_weights(config, tmp_path / "small.pth")
    converted = convert_pose(weights, tmp_path / "converted")
    assert (converted.keypoint_set, converted.size, converted.layers) == ("coco17", (256, 192), 12)
    theirs = create_backend("mmpose", [f"config={config}", f"weights={weights}", detector])
    ours = create_backend("vitpose", [f"weights={tmp_path / 'converted'}", detector])
    frames = noise(2)
    crops = [(frames[0], np.array([20.0, 30, 150, 220])), (frames[1], np.array([200.0, 5, 310, 100]))]

    cut = np.stack([theirs._prepared(*crop)["inputs"].numpy() for crop in crops])
    np.testing.assert_array_equal(cut.transpose(0, 2, 3, 1), np.stack([ours._cut(*crop) for crop in crops]))
    batch = theirs._model.data_preprocessor({"inputs": list(torch.from_numpy(cut)), "data_samples": []})
    with torch.no_grad():
        expected = theirs._model(batch["inputs"], None, mode="tensor")
    found = ours.heatmaps(cut.transpose(0, 2, 3, 1))
    assert expected.std() > 0.01
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    np.testing.assert_allclose(ours.keypoints(crops)[1], theirs.keypoints(crops)[1], atol=1e-3)

    # Peaks as trained networks give them; of random heat maps' peaks the two decoders think differently.
    peaks = torch.from_numpy(gaussian_peaks(2))
    ours.heatmaps, theirs._model.head.forward = lambda _: peaks, lambda _: peaks
    xy, expected_xy = ours.keypoints(crops)[0], theirs.keypoints(crops)[0]
    np.testing.assert_allclose(xy, expected_xy, atol=0.02)


@pytest.mark.parametrize("flip", [False, True])
def test_people_come_out_of_frames(flip, detector, tmp_path):
    weights = random_weights(SIMPLE, tmp_path / "small.pth")
    settings = [f"config={SIMPLE}", f"weights={weights}", detector, "threshold=0.3", f"flip={flip}"]
    backend = create_backend("mmpose", [*settings, "batch_size=2", "crop_batch_size=3"])
    whole = create_backend("mmpose", settings)
    people = list(backend.estimate(noise(3)))
    assert backend.keypoint_set == "coco17" and len(people) == 3 and all(people)
    for some, same in zip(people, whole.estimate(noise(3)), strict=True):
        for one, other in zip(some, same, strict=True):
            assert one.xy.shape == (17, 2)
            np.testing.assert_allclose(one.box, other.box, atol=0.01)
            np.testing.assert_allclose(one.score, other.score, atol=1e-3)


def test_a_video_becomes_tracks_of_a_run(detector, tmp_path):
    weights = random_weights(SIMPLE, tmp_path / "small.pth")
    settings = [f"config={SIMPLE}", f"weights={weights}", detector, "threshold=0.3"]
    run = Run.create(tmp_path / "run")
    video = write_video(tmp_path / "clip.mp4", frames=12, size=(320, 240))
    extract_2d([video], run, create_backend("mmpose", settings))
    tracks = list(run.keypoints.glob("*.npz"))
    assert tracks and all(Keypoints2D.load(path).keypoint_set == "coco17" for path in tracks)


def test_wrong_names_and_weights_are_refused(detector, tmp_path):
    weights = random_weights(SIMPLE, tmp_path / "small.pth")
    with pytest.raises(InputError, match="td-hm_ViTPose-base_8xb64"):
        create_backend("mmpose", ["config=vitpose", f"weights={weights}", detector])
    with pytest.raises(CheckpointError, match="not the weights of this configuration"):
        create_backend("mmpose", [f"config={CLASSIC}", f"weights={weights}", detector])


@pytest.mark.parametrize(
    ("name", "dataset"), [("coco17", "coco"), ("halpe26", "halpe26"), ("wholebody133", "coco_wholebody")]
)
def test_keypoint_sets_are_mmposes(name, dataset):
    import mmpose
    from mmpose.datasets.datasets.utils import parse_pose_metainfo

    folder = Path(mmpose.__file__).parent / ".mim" / "configs" / "_base_" / "datasets"
    meta = parse_pose_metainfo({"from_file": str(folder / f"{dataset}.py")})
    table = KEYPOINT_SETS[name]
    assert list(table.mirror) == list(meta["flip_indices"])
    names = [name.replace("face-", "face_") for name in meta["keypoint_id2name"].values()]
    assert names == list(table.names)
