"""`crossdiff view`: one page of files, folders or a run's labels; what cannot be shown is named, the rest is there."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from command import crossdiff
from synthetic import person

from crossdiff.files import save_npy, save_npz, write_json
from crossdiff.representation.features3d import joints_to_features_3d

pytest.importorskip("jupyter_threejs_sage", reason="the view extra is not installed")


@pytest.fixture
def samples(tmp_path, monkeypatch) -> Path:
    """The current folder, with two motions below `samples/` as `crossdiff sample` leaves them."""
    monkeypatch.chdir(tmp_path)
    names = ["00_walk", "01_jump"]
    for seed, name in enumerate(names):
        save_npy(tmp_path / "samples" / f"{name}.npy", person(40, seed=seed).numpy())
    motions = [{"name": name, "prompt": f"a person <{name}>", "seed": 0} for name in names]
    write_json(tmp_path / "samples" / "samples.json", {"motions": motions})
    return tmp_path


def headings(page: Path) -> list[str]:
    return re.findall(r"<h2[^>]*>(.*?)</h2>", page.read_text(encoding="utf-8"))


def test_a_folder_becomes_one_page_with_the_prompts(samples):
    said = crossdiff("view", "samples", "--out", "pages/both.html", "--title", "Mine & yours").ok()
    assert "2 motions in pages/both.html" in said.out
    page = samples / "pages" / "both.html"
    assert headings(page) == ["a person &lt;00_walk&gt;", "a person &lt;01_jump&gt;"]
    assert "<title>Mine &amp; yours</title>" in page.read_text(encoding="utf-8")
    assert [f.name for f in page.parent.iterdir()] == ["both.html"]


def test_features_and_labels_stand_beside_joints(samples):
    features = joints_to_features_3d(person(40)).numpy()
    save_npy(Path("vectors.npy"), features)
    save_npz(Path("label.npz"), features=features, fps=np.float64(20))
    crossdiff("view", "samples/00_walk.npy", "vectors.npy", "label.npz").ok()
    assert headings(samples / "view.html") == ["a person &lt;00_walk&gt;", "vectors.npy", "label.npz"]


def test_bad_files_are_named_and_the_rest_is_shown(samples):
    save_npy(Path("flat.npy"), np.zeros((5, 22, 2)))
    Path("text.npy").write_text("nothing")
    said = crossdiff("view", "flat.npy", "samples/01_jump.npy", "text.npy", "none.npy")
    said.failed("3 motions could not be shown", "got shape (5, 22, 2)", "none.npy: no such file", code=3)
    assert "1 motion in view.html" in said.out
    assert headings(samples / "view.html") == ["a person &lt;01_jump&gt;"]


def test_without_anything_good_there_is_no_page(samples):
    crossdiff("view", "none.npy").failed("no motion could be shown", "none.npy: no such file")
    Path("empty").mkdir()
    crossdiff("view", "empty").failed("empty: holds no motions")
    crossdiff("view", "--title", "x").failed("expected files to show, or --run RUN")
    crossdiff("view", "samples", "--out", "page.png").failed("page.png", ".html")
    crossdiff("view", "--run", "nowhere").failed("nowhere: not a run folder")
    assert sorted(p.name for p in samples.iterdir()) == ["empty", "samples"]


def test_what_is_wrong_with_the_page_is_said_before_motions_are_read(samples, monkeypatch):
    monkeypatch.setattr("crossdiff.workflows.view.read_motion", None)
    crossdiff("view", "samples", "--out", "labels").failed("labels: pages are written as .html")
    monkeypatch.setattr("crossdiff.viewing.player.view._PACKAGE", "no_such_package")
    crossdiff("view", "samples").failed("three.js is not installed")


def test_labels_of_a_run_stand_beside_their_videos(labelled):
    label = next((labelled / "pseudo3d").glob("*.npz"))
    said = crossdiff("view", "--run", labelled, label.stem.rsplit("_", 1)[0], "nobody")
    said.failed("nobody", "no pseudo label", code=3)
    page = Path("view.html").read_text(encoding="utf-8")
    data = json.loads(re.search(r'<script type="application/json" id="motions">(.*?)</script>', page)[1])
    (motion,) = data["motions"]
    assert len(motion["film"]) > 10 and max(motion["film_of"]) == len(motion["film"]) - 1
    assert "jumping jacks" in headings(Path("view.html"))[0]
    # The same by the label's path.
    crossdiff("view", label, "--out", "path.html").ok()
    assert Path("path.html").read_text(encoding="utf-8") == page
