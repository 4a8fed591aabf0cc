"""Text typed into the page: lines with seconds, motions as the pipeline samples them, files, and what is refused."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest

from crossdiff.app.models import Models
from crossdiff.app.text import make_motions, read_lines, timeline
from crossdiff.diffusion.config import SamplingConfig
from crossdiff.diffusion.parts import PartText
from crossdiff.errors import InputError
from crossdiff.representation.foot_lock import plant_feet

FEW = SamplingConfig(steps=2)


def test_a_line_is_a_motion_with_its_own_seconds_or_those_of_all():
    typed = "\n a person walks | 4 \n\na person jumps\na person sits|2.5 s\n"
    assert read_lines(typed, 6.0) == [
        PartText("a person walks", 4.0),
        PartText("a person jumps", 6.0),
        PartText("a person sits", 2.5),
    ]


@pytest.mark.parametrize(
    ("typed", "word"),
    [
        (" \n\n", "got none"),
        ("a person walks | soon", "'a person walks | soon'"),
        ("a person walks |", "seconds after the bar"),
        ("a person walks | -3", "seconds after the bar"),
        ("a person walks\n" * 9, "at most 8 lines, got 9"),
    ],
)
def test_what_cannot_be_read_is_said(typed, word):
    with pytest.raises(InputError, match=r"^text: ") as caught:
        read_lines(typed, 6.0)
    assert word in str(caught.value)


def test_motions_are_those_of_the_pipeline_and_come_as_files(models, tmp_path, told):
    typed = "a person <b>waves</b> | 1\na person walks"
    result = make_motions(models, typed, 1.5, FEW, 7, tmp_path, lambda *args: told.append(args))
    pipe = models.pipeline("text")
    expected = pipe(["a person <b>waves</b>", "a person walks"], [20, 30], seed=7, num_inference_steps=2)
    names = ["00_a-person-b-waves-b", "01_a-person-walks"]
    for name, motion in zip(names, expected, strict=True):
        np.testing.assert_array_equal(np.load(tmp_path / f"{name}.npy"), plant_feet(motion).joints)
    kinds = [f"{name}{kind}" for name in names for kind in (".mp4", ".npy", ".bvh", ".glb")]
    assert [file.name for file in result.files] == ["all.zip", "viewer.html", *kinds]
    with zipfile.ZipFile(result.files[0]) as archive:
        assert archive.namelist() == ["viewer.html", *kinds]
    assert result.notes == []
    assert "a person &lt;b&gt;waves" in result.viewer and "<b>waves" not in result.viewer
    shares = [share for share, _ in told]
    assert shares == sorted(shares) and shares[0] == 0 and shares[-1] <= 1
    assert {"Step 1 of 2", "Step 2 of 2", "Drawing video 2 of 2"} <= {what for _, what in told}


def test_one_motion_needs_no_archive(models, tmp_path):
    result = make_motions(models, "a person walks", 1.0, FEW, 0, tmp_path, lambda *_: None)
    assert "all.zip" not in [file.name for file in result.files]


def test_mixture_samples_with_the_model_of_both_domains(models, tmp_path):
    options = SamplingConfig(steps=2, mixture=True, switch_step=100)
    make_motions(models, "a person walks", 1.0, options, 3, tmp_path, lambda *_: None)
    (expected,) = models.pipeline("lift")(
        "a person walks", 20, seed=3, num_inference_steps=2, mixture=True, switch_step=100
    )
    np.testing.assert_array_equal(np.load(tmp_path / "00_a-person-walks.npy"), plant_feet(expected).joints)


def test_raw_motions_are_those_of_the_network(models, tmp_path):
    make_motions(models, "a person walks", 1.0, FEW, 3, tmp_path, lambda *_: None, raw=True)
    (expected,) = models.pipeline("text")("a person walks", 20, seed=3, num_inference_steps=2)
    np.testing.assert_array_equal(np.load(tmp_path / "00_a-person-walks.npy"), expected.joints)


def test_lines_in_a_row_are_one_motion_with_its_timeline_and_path_in_the_viewer(models, tmp_path):
    typed = "a person walks | 1.5\na <b>person</b> waves | 1 | guidance=2"
    result = make_motions(models, typed, 6.0, FEW, 7, tmp_path, lambda *_: None, in_a_row=True, path="0,0 0.5,1")
    (array,) = tmp_path.glob("*.npy")
    joints = np.load(array)
    assert joints.shape == (50, 22, 3)
    assert np.linalg.norm(joints[-1, 0, [0, 2]] - (0.5, 1)) < 0.2
    assert '<li style="flex-grow: 30" title="a person walks">' in result.viewer and "<b>" not in result.viewer
    assert '"parts": [30, 20]' in result.viewer and '"wanted": [[0.0, 0.0], [0.5, 1.0]]' in result.viewer


def test_a_line_along_a_path_lasts_as_long_as_the_path_takes(models, tmp_path):
    lasting = []
    for number, path in enumerate(("0,0 0,1", "0,0 0,3")):
        folder = tmp_path / str(number)
        folder.mkdir()
        make_motions(models, "a person walks", 6.0, FEW, 0, folder, lambda *_: None, path=path)
        lasting.append(len(np.load(folder / "00_a-person-walks.npy")))
    assert lasting[1] == pytest.approx(3 * lasting[0], abs=3)


def test_settings_of_a_part_belong_to_lines_in_a_row(models, tmp_path):
    with pytest.raises(InputError, match="belong to lines in a row"):
        make_motions(models, "a person walks | 2 | rate=2", 6.0, FEW, 0, tmp_path, lambda *_: None)


def test_the_timeline_shows_the_lines_by_their_lengths():
    bars = timeline("a <i>person</i> walks | 4\na person waves", 2.5)
    assert bars.count("<span") == 2 and "flex-grow: 4" in bars and "flex-grow: 2.5" in bars
    assert "<i>" not in bars
    assert timeline("a person walks | soon", 2.5) == ""


def test_seconds_beyond_the_model_are_refused_before_sampling(models, tmp_path):
    for typed in ("a person walks | 12", "a person walks | 0"):
        with pytest.raises(InputError, match=r"to 9\.8 seconds, got"):
            make_motions(models, typed, 6.0, FEW, 0, tmp_path, lambda *_: None)
    assert list(tmp_path.iterdir()) == []


def test_a_short_motion_that_cannot_be_exported_is_shown_with_a_note(models, tmp_path, monkeypatch):
    from crossdiff.data import plausible

    monkeypatch.setattr(plausible, "LEG_LENGTHS", (5.0, 6.0))
    result = make_motions(models, "a person walks", 1.0, FEW, 0, tmp_path, lambda *_: None)
    assert [file.suffix for file in result.files] == [".html", ".mp4", ".npy"]
    (note,) = result.notes
    assert note.startswith("00_a-person-walks.npy: no BVH and GLB. a leg is") and str(tmp_path) not in note


def test_a_model_is_loaded_once(models):
    assert models.pipeline("text") is models.pipeline("text")
    assert models.folder("text").name == "stage2-small" and models.folder("lift").name == "stage1-small"


def test_a_line_far_from_what_the_model_learnt_is_noted(tmp_path):
    typed = "the stock market fell | 1\na person walks forward | 1"
    result = make_motions(Models(), typed, 1.5, FEW, 0, tmp_path, lambda *_: None)
    assert len(result.notes) == 1 and result.notes[0].startswith('"the stock market fell" is unlike what')
    assert len(list(tmp_path.glob("*.npy"))) == 2
