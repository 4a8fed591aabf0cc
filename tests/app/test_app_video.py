"""A video given to the page: its stages, what is shown of it, and what is refused with which reason."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from wild import texture, write_frames, write_video

from crossdiff.app import video as app_video
from crossdiff.app.video import lift_video
from crossdiff.errors import ClipError
from crossdiff.pipeline import labelling
from crossdiff.pipeline.pseudo_label import PseudoLabelConfig


def test_a_video_becomes_motion_beside_its_pictures(models, pose, jumper, tmp_path, told):
    result = lift_video(models, jumper, "", pose, tmp_path, lambda *args: told.append(args))
    data = json.loads(re.search(r'<script type="application/json" id="motions">(.*?)</script>', result.viewer)[1])
    (motion,) = data["motions"]
    assert len(motion["film"]) > 10
    assert "jumping jack" in re.search(r"<h2[^>]*>(.*?)</h2>", result.viewer)[1]
    names = [file.name for file in result.files]
    assert names == ["viewer.html", *(f"jumping_jacks_t0_0{kind}" for kind in (".mp4", ".npy", ".bvh", ".glb"))]
    assert all(file.stat().st_size > 1000 for file in result.files)
    shares = [share for share, _ in told]
    assert shares == sorted(shares) and shares[0] == 0 and shares[-1] <= 1
    said = [what for _, what in told]
    assert "Finding people: frame 70 of 70" in said and "Lifting to 3D" in said


def test_a_caption_is_the_motions_title(models, pose, jumper, tmp_path):
    result = lift_video(models, jumper, " someone <waves> ", pose, tmp_path, lambda *_: None)
    assert re.findall(r"<h2[^>]*>(.*?)</h2>", result.viewer) == ["someone &lt;waves&gt;"]


def test_what_the_filter_refuses_is_said_with_the_limit(models, pose, tmp_path):
    """The person leaves after 15 frames."""
    short = write_frames(tmp_path / "short.mp4", [*[texture((160, 140)) + 92] * 15, *[np.zeros((140, 160, 3))] * 25])
    result = lift_video(models, short, "", pose, tmp_path / "work", lambda *_: None)
    assert result.viewer == "" and result.files == []
    assert result.notes == ["No motion could be lifted.", "short_t0 was left out: too short, 15 (limit 20)"]


@pytest.mark.parametrize(
    ("frames", "fps", "reason"),
    [
        (15, 20.0, r"^clip\.mp4: too short: 0\.75 s, expected 1 s or more; give a longer video$"),
        (60, 8.0, r"^clip\.mp4: source frame rate too low: 8 frames a second, expected 12 or more"),
    ],
)
def test_what_the_header_tells_is_refused_before_people_are_looked_for(models, pose, tmp_path, frames, fps, reason):
    clip = write_video(tmp_path / "clip.mp4", frames, fps)
    with pytest.raises(ClipError, match=reason):
        lift_video(models, clip, "", pose, tmp_path / "work", lambda *_: None)
    assert pose.backend.frames == 0


def test_a_doubtful_label_is_shown_and_said_to_be_so(models, pose, jumper, tmp_path, monkeypatch):
    strict = labelling.pseudo_label

    def with_limit(run, checkpoint, cfg, device):
        return strict(run, checkpoint, PseudoLabelConfig(max_jerk=0.001), device)

    monkeypatch.setattr(labelling, "pseudo_label", with_limit)
    result = lift_video(models, jumper, "", pose, tmp_path, lambda *_: None)
    (note,) = result.notes
    assert note.startswith("jumping_jacks_t0_0 is doubtful: ") and result.viewer


def test_of_many_motions_the_first_are_shown(models, pose, tmp_path, monkeypatch):
    monkeypatch.setattr(app_video, "MAX_MOTIONS", 1)
    long = write_video(tmp_path / "long.mp4", frames=300)
    result = lift_video(models, long, "", pose, tmp_path / "work", lambda *_: None)
    assert result.viewer.count("<h2") == 1
    assert result.notes == ["The first 1 of 2 motions are here; give the others as shorter videos."]


def test_a_video_without_a_person_is_an_error(models, pose, tmp_path):
    nobody = write_video(tmp_path / "nobody.mp4", frames=45, grey=0)
    with pytest.raises(ClipError, match=r"^nobody\.mp4: no person found; give a video"):
        lift_video(models, nobody, "", pose, tmp_path / "work", lambda *_: None)


def test_a_file_that_is_no_video_is_an_error(models, pose, tmp_path):
    text = tmp_path / "text.mp4"
    text.write_text("not a video")
    with pytest.raises(ClipError, match=r"^text\.mp4: .*another video"):
        lift_video(models, text, "", pose, tmp_path / "work", lambda *_: None)


@pytest.mark.parametrize(
    "text", ["#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n", "ffconcat version 1.0\nfile '{}'\n"]
)
def test_a_playlist_shows_nothing_of_the_files_that_it_names(models, jumper, pose, tmp_path, text):
    (tmp_path / "list.mp4").write_text(text.format(jumper))
    with pytest.raises(ClipError, match=r"^list\.mp4: not a video"):
        lift_video(models, tmp_path / "list.mp4", "", pose, tmp_path / "work", lambda *_: None)
    assert pose.backend.frames == 0
