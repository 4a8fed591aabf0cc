"""What goes into the interactive page: data that can be read back, captions that stay text, nothing from elsewhere."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from crossdiff.errors import ClipError, InputError, MissingDependencyError
from crossdiff.types import Motion3D
from crossdiff.viewing.player import view as view_module
from crossdiff.viewing.player.data import motion_data
from crossdiff.viewing.player.view import Shown, write_view

NASTY = "</script><!-- <script>alert('x')</script> & \"more\" {{ 7 * 7 }} \u2028 шаг"


class Reader(HTMLParser):
    """Elements with their attributes, each script's text, and the text outside of scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.words = ""
        self.inside = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside == "script":
            self.scripts[-1] += data
        elif self.inside != "style":
            self.words += data

    @property
    def data(self) -> dict:
        return json.loads(self.scripts[1])


@pytest.fixture
def three(monkeypatch) -> None:
    """A page does not need the library to be looked at here."""
    monkeypatch.setattr(view_module, "three_js", lambda: "const THREE = '</script>';")


def unpack(text: str, *shape: int) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<f4").reshape(shape)


def test_a_caption_is_text_whatever_it_holds(three, walking, tmp_path):
    path = write_view(tmp_path / "view.html", [Shown(walking(), NASTY, NASTY)], NASTY)
    page = Reader(path.read_text(encoding="utf-8"))
    assert len(page.scripts) == 3, "no caption opens or closes a script"
    assert page.words.count(NASTY) == 4, "as title, heading, caption and name"
    assert page.scripts[0].strip() == r"const THREE = '\x3c/script>';"
    labels = [attributes["aria-label"] for tag, attributes in page.elements if tag == "article"]
    assert labels == [NASTY]
    assert {tag for tag, _ in page.elements} >= {"canvas", "input", "output"}


def test_joints_arrive_as_they_are(walking, skeleton):
    motion = walking(5, skeleton=skeleton, fps=skeleton.fps)
    data = json.loads(json.dumps(motion_data(Shown(motion))))
    joints = len(skeleton.joint_names)
    points = unpack(data["points"], 5, -1, 3)
    assert_allclose(points[:, :joints], motion.joints, atol=1e-6)
    assert data["names"] == list(skeleton.joint_names) and data["fps"] == skeleton.fps
    assert unpack(data["path"], 5, 2)[-1, 1] > unpack(data["path"], 5, 2)[0, 1], "the camera walks along"
    for start, end, *radii, side in data["limbs"]:
        assert 0 <= start < points.shape[1] and 0 <= end < points.shape[1] and start != end
        assert min(radii) > 0 and side in ("l", "r", "m")
    used = {n for limb in data["limbs"] for n in limb[:2]}
    assert used == set(range(points.shape[1])), "every joint and every tip is drawn"
    hands = [limb for limb in data["limbs"] if limb[1] >= joints + 2]
    assert sorted(limb[4] for limb in hands) == ["l", "r"]


def test_the_flat_views_look_at_the_front_and_from_the_right(walking):
    """Someone who faces +z has the left hand at +x: on the right of the picture for who stands in front."""
    front, side = motion_data(Shown(walking()))["flat"]
    assert_allclose(front, (1, 0), atol=1e-6)
    assert_allclose(side, (0, 1), atol=1e-6)
    assert Shown(walking()).flat_titles == ("Front", "Side")


def test_a_label_is_seen_from_its_camera(walking):
    plain, turned = (motion_data(Shown(walking(), yaw=yaw)) for yaw in (0.0, 90.0))
    assert_allclose(plain["flat"][0], (1, 0), atol=1e-6)
    assert_allclose(turned["flat"][0], plain["flat"][1], atol=1e-6)
    assert turned["azimuth"] - plain["azimuth"] == pytest.approx(np.pi / 2)
    assert "camera" in Shown(walking(), yaw=0.0).flat_titles[0]


def test_everything_drawn_flat_fits_in(walking):
    motion = walking(30, speed=0.15)
    data = motion_data(Shown(motion))
    points, path = unpack(data["points"], 30, -1, 3), unpack(data["path"], 30, 2)
    for right in data["flat"]:
        across = (points[..., ::2] - path[:, None]) @ np.array(right)
        assert np.abs(across).max() <= data["half"] + 1e-5
    assert np.abs(points[..., 1] - data["middle"]).max() <= data["half"]


def test_pictures_of_the_video_come_once_each(walking):
    one, two = (np.full((12, 16, 3), shade, np.uint8) for shade in ((200, 30, 20), (10, 20, 200)))
    data = motion_data(Shown(walking(5), pictures=[one, one, two, two, two]))
    assert len(data["film"]) == 2 and data["film_of"] == [0, 0, 1, 1, 1]
    head, _, body = data["film"][0].partition(",")
    assert head == "data:image/webp;base64"
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(body), np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (12, 16, 3) and picture[6, 8, 2] > picture[6, 8, 0] + 100, "red is still red"


def test_a_long_video_changes_its_picture_less_often(walking):
    pictures = [np.full((4, 4, 3), n % 256, np.uint8) for n in range(500)]
    data = motion_data(Shown(walking(500), pictures=pictures))
    assert 100 < len(data["film"]) <= 240
    assert len(data["film_of"]) == 500 and data["film_of"][-1] == len(data["film"]) - 1


def test_the_page_forbids_itself_the_network(three, walking, tmp_path):
    path = write_view(tmp_path / "view.html", [Shown(walking()), Shown(walking(3))])
    page = Reader(path.read_text(encoding="utf-8"))
    policy = [a["content"] for tag, a in page.elements if tag == "meta" and "http-equiv" in a]
    assert policy == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"]
    sources = [a[name] for _, a in page.elements for name in ("src", "href") if name in a]
    assert sources == ["data:,"]
    ours = page.scripts[2] + path.read_text(encoding="utf-8").partition("<style>")[2].partition("</style>")[0]
    assert not re.search(r"https?://|fetch\(|XMLHttpRequest|@import", ours)
    assert len(page.data["motions"]) == 2


def test_three_js_is_read_from_its_package():
    pytest.importorskip("jupyter_threejs_sage", reason="the view extra is not installed")
    text = view_module.three_js()
    assert "Three.js Authors" in text and "</script" not in text and len(text) > 300_000


def test_without_the_library_the_extra_is_named(monkeypatch, walking, tmp_path):
    monkeypatch.setattr(view_module, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"crossdiff\[view\]"):
        write_view(tmp_path / "view.html", [Shown(walking())])
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_shown_is_refused(walking, tmp_path):
    with pytest.raises(InputError, match=r"\.html"):
        write_view(tmp_path / "view.png", [Shown(walking())])
    with pytest.raises(InputError, match="at least one"):
        write_view(tmp_path / "view.html", [])
    with pytest.raises(ClipError, match="no frames"):
        Shown(Motion3D(np.zeros((0, 22, 3)), 20.0))
    with pytest.raises(InputError, match="2 pictures for 12 frames"):
        Shown(walking(), pictures=[np.zeros((4, 4, 3), np.uint8)] * 2)
    with pytest.raises(InputError, match="uint8"):
        motion_data(Shown(walking(1), pictures=[np.zeros((4, 4))]))


def test_prompts_in_a_row_and_a_wanted_path_are_part_of_the_page(tmp_path, three):
    motion = Motion3D(np.zeros((5, 22, 3), dtype=np.float32) + np.arange(5)[:, None, None] * 0.1, 20.0)
    row = Shown(motion, "both", parts=[(NASTY, 2), ("waves", 3)], path=np.array([[0.0, 0.0], [1.0, 2.00049]]))
    page = Reader(write_view(tmp_path / "a.html", [row, Shown(motion)]).read_text(encoding="utf-8"))
    grown = [attributes["style"] for tag, attributes in page.elements if tag == "li"]
    assert grown == ["flex-grow: 2", "flex-grow: 3"] and NASTY in page.words
    with_both, plain = page.data["motions"]
    assert (with_both["parts"], with_both["wanted"]) == ([2, 3], [[0, 0], [1, 2]])
    assert (plain["parts"], plain["wanted"]) == ([], None)
