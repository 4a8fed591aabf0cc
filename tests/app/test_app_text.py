"""Text typed into the page: lines with seconds, motions as the pipeline samples them, files, and what is refused."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest

from crossdiff.app.models import Models
from crossdiff.app.text import Line, make_motions, read_lines
from crossdiff.diffusion.config import SamplingConfig
from crossdiff.errors import InputError

FEW = SamplingConfig(steps=2)


def test_a_line_is_a_motion_with_its_own_seconds_or_those_of_all():
    typed = "\n a person walks | 4 \n\na person jumps\na person sits|2.5 s\n"
    assert read_lines(typed, 6.0) == [
        Line("a person walks", 4.0),
        Line("a person jumps", 6.0),
        Line("a person sits", 2.5),
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
        np.testing.assert_array_equal(np.load(tmp_path / f"{name}.npy"), motion.joints)
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
    np.testing.assert_array_equal(np.load(tmp_path / "00_a-person-walks.npy"), expected.joints)


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
