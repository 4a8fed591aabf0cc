"""Labels of a run on the interactive page: beside the video, by the name of clip or label, with what is wrong said."""

import numpy as np
import pytest

from crossdiff.errors import InputError
from crossdiff.pipeline.report.view_clips import labels_named, run_of, show_label
from crossdiff.pipeline.run import Run


def test_a_label_comes_with_its_camera_caption_and_video(labelled):
    row = next(row for row in labelled.ledger.rows("pseudo") if row.state == "done")
    shown = show_label(labelled, row.id)
    assert shown.yaw == 10.0 and shown.name == row.id
    assert "jumping jack" in shown.caption or "pull" in shown.caption
    assert len(shown.pictures) == len(shown.motion.joints) and shown.motion.joints.shape[1:] == (22, 3)
    first = shown.pictures[0]
    assert first.shape[0] == first.shape[1] == pytest.approx(320, rel=0.05)
    # The skeleton's blue and orange, on a grey video.
    assert np.ptp(first.astype(int), axis=-1).max() > 100
    assert len({picture.tobytes() for picture in shown.pictures}) > len(shown.pictures) // 3


def test_labels_are_named_by_clip_or_label_and_the_best_come_without_a_name(labelled):
    rows = labelled.ledger.rows("pseudo")
    kept = [row.id for row in rows if row.state == "done"]
    assert labels_named(labelled, [], 5) == kept
    assert labels_named(labelled, [rows[1].parent, rows[0].id, rows[0].parent], 1) == [rows[1].id, rows[0].id]
    assert labels_named(labelled, ["nobody"], 1) == ["nobody"]
    with pytest.raises(InputError, match="no pseudo label nobody"):
        show_label(labelled, "nobody")


def test_a_run_without_labels_says_what_to_do(run):
    with pytest.raises(InputError, match="crossdiff pseudo-label"):
        labels_named(run, [], 4)


def test_a_video_that_is_gone_leaves_a_grey_picture(labelled, videos):
    (row,) = [row for row in labelled.ledger.rows("pseudo") if row.parent.startswith("jumping")]
    (videos / "jumping_jacks_01.mp4").unlink()
    pictures = show_label(labelled, row.id).pictures
    assert np.median(pictures[0]) == 90 and np.ptp(pictures[0].astype(int), axis=-1).max() > 100


def test_the_run_of_a_label_is_found_by_its_path(labelled, tmp_path, monkeypatch):
    label = next(labelled.pseudo3d.glob("*.npz"))
    found = run_of(label)
    assert isinstance(found, Run) and found.root == labelled.root
    monkeypatch.chdir(labelled.pseudo3d)
    assert run_of(label.relative_to(labelled.pseudo3d)).root == labelled.root
    assert run_of(labelled.motion2d / label.name) is None
    assert run_of(tmp_path / "pseudo3d" / label.name) is None
