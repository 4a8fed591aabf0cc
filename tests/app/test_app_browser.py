"""The page in a browser: text and video become motion that plays and can be downloaded, without a network."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest
from processes import PATIENCE
from wild import texture, write_frames

pytest.importorskip("gradio", reason="the app extra is not installed")

pytestmark = pytest.mark.slow

VIEWER = "iframe[title='Motion viewer']"
TEXT = "One motion per line"
LONG = 1000 * PATIENCE  # milliseconds


@pytest.fixture
def visit(browser: Any, served: Any) -> Iterator[Any]:
    """Opens the page: `visit(width)`; in the end, none may have asked for anything beyond this machine."""
    contexts, asked, said = [], [], []

    def open_page(width: int = 1280, height: int = 900) -> Any:
        context = browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce")
        contexts.append(context)
        opened = context.new_page()
        opened.set_default_timeout(LONG)
        opened.on("request", lambda request: asked.append(request.url))
        opened.on("pageerror", lambda error: said.append(str(error)))
        opened.goto(served.address)
        opened.get_by_role("button", name="Generate").wait_for()
        return opened

    yield open_page
    for context in contexts:
        context.close()
    assert said == []
    assert len(asked) > 10
    assert [url for url in asked if not url.startswith((served.address, "data:", "blob:", "about:"))] == []


def generate(page: Any, text: str, steps: int = 2) -> Any:
    """Type, press, and wait for the viewer; returns its frame."""
    page.get_by_role("textbox", name=TEXT).fill(text)
    open_settings(page)
    page.get_by_label("number input for Steps").fill(str(steps))
    page.get_by_role("button", name="Generate").click()
    return opened_viewer(page)


def open_settings(page: Any) -> None:
    if not page.get_by_label("number input for Steps").is_visible():
        page.get_by_role("button", name="Settings").click()


def opened_viewer(page: Any) -> Any:
    page.locator(VIEWER).locator("visible=true").wait_for()
    viewer = page.locator(VIEWER).locator("visible=true").content_frame
    viewer.locator("#time").filter(has_text="frame 0").wait_for()
    return viewer


def picture(element: Any) -> np.ndarray:
    png = np.frombuffer(element.screenshot(), np.uint8)
    return cv2.imdecode(png, cv2.IMREAD_COLOR).astype(int)


def differ(one: np.ndarray, other: np.ndarray) -> float:
    """Share of pixels that are clearly others."""
    return float((np.abs(one - other).max(axis=-1) > 24).mean())


def downloaded(page: Any, name: str) -> bytes:
    with page.expect_download() as started:
        page.get_by_role("link", name="⇣").and_(page.locator(f"a[download='{name}']")).click()
    return started.value.path().read_bytes()


def test_typed_text_becomes_motion_that_plays_and_can_be_downloaded(visit):
    page = visit()
    viewer = generate(page, "a person <i>walks</i> forward | 1.5\na person jumps | 1")
    assert viewer.locator("h2").all_inner_texts() == ["a person <i>walks</i> forward", "a person jumps"]
    stage = viewer.locator(".stage").first
    first = picture(stage)
    assert differ(first, np.broadcast_to(first[:1, :1], first.shape)) > 0.02, "a figure is drawn"
    viewer.locator("#play").click()
    viewer.locator("#time").filter(has_not_text=re.compile("frame 0$")).wait_for()
    viewer.locator("#play").click()
    viewer.locator("#scrub").press("End")
    viewer.locator("#time").filter(has_text="frame 29").wait_for()
    assert differ(first, picture(stage)) > 0.005, "it moves"
    joints = np.load(io.BytesIO(downloaded(page, "00_a-person-i-walks-i-forward.npy")), allow_pickle=False)
    assert joints.shape == (30, 22, 3)
    assert downloaded(page, "01_a-person-jumps.bvh").startswith(b"HIERARCHY")


def test_the_page_fits_on_a_telephone_with_the_motion_in_it(visit):
    page = visit(390, 844)
    viewer = generate(page, "a person walks forward | 1")
    for frame in (page, viewer.locator("html")):
        assert frame.evaluate("() => document.documentElement.scrollWidth") <= 390
    assert viewer.locator(".stage canvas").bounding_box()["width"] > 300
    top = page.locator(VIEWER).locator("visible=true").bounding_box()["y"]
    assert -50 < top < 422, "it came into sight by itself"


def test_what_cannot_be_sampled_is_said_and_the_next_try_works(visit):
    page = visit()
    page.get_by_role("textbox", name=TEXT).fill("a person walks | <b>soon</b>")
    page.get_by_role("button", name="Generate").click()
    error = page.get_by_test_id("toast-body")
    error.wait_for()
    assert "expected seconds after the bar" in error.inner_text() and "<b>soon</b>" in error.inner_text()
    assert "Traceback" not in page.content()
    page.get_by_test_id("toast-close").click()
    generate(page, "a person walks | 1")


def test_mixture_asks_for_its_switch_step(visit):
    page = visit()
    open_settings(page)
    slider = page.get_by_label("number input for Switch step")
    assert not slider.is_visible()
    page.get_by_label("Mixture").check()
    slider.wait_for()
    generate(page, "a person walks | 1")


def test_a_video_becomes_motion_beside_its_pictures(visit, jumper):
    page = visit()
    page.get_by_role("tab", name="Video").click()
    page.locator("input[type=file]").last.set_input_files(jumper)
    page.get_by_role("link", name="⇣").wait_for()
    page.get_by_label("Caption").fill("someone waves")
    page.get_by_role("button", name="Lift to 3D").click()
    viewer = opened_viewer(page)
    assert viewer.locator("h2").all_inner_texts() == ["someone waves"]
    film = viewer.locator(".film")
    first = picture(film)
    viewer.locator("#scrub").press("End")
    viewer.locator("#time").filter(has_not_text="frame 0").wait_for()
    assert differ(first, picture(film)) > 0.002, "the video goes along"
    assert downloaded(page, "jumping_jacks_t0_0.glb").startswith(b"glTF")


def test_a_video_beyond_the_limit_is_refused(visit, served, tmp_path):
    page = visit()
    page.get_by_role("tab", name="Video").click()
    noise = np.random.default_rng(0).integers(0, 255, (30, 240, 320, 3))
    large = write_frames(tmp_path / "large.mp4", noise)
    assert large.stat().st_size > served.most_bytes
    page.locator("input[type=file]").last.set_input_files(large)
    error = page.get_by_test_id("toast-body")
    error.wait_for()
    assert "exceed the maximum allowed size" in error.inner_text()
    assert page.get_by_role("link", name="⇣").count() == 0, "it was not taken"


@pytest.mark.parametrize(
    ("black", "reason"),
    [
        (25, "short_t0 was left out: too short, 15 (limit 20)"),
        (0, "short.mp4: too short: 0.75 s, expected 1 s or more"),
    ],
    ids=["by the filter", "by its header"],
)
def test_a_video_that_is_refused_is_told_why_where_the_motion_would_be(visit, tmp_path, black, reason):
    frames = [*[texture((160, 140)) + 92] * 15, *[np.zeros((140, 160, 3))] * black]
    page = visit(1280, 800)
    page.get_by_role("tab", name="Video").click()
    page.locator("input[type=file]").last.set_input_files(write_frames(tmp_path / "short.mp4", frames))
    page.get_by_role("link", name="⇣").wait_for()
    page.get_by_role("button", name="Lift to 3D").click()
    told = page.locator(".viewer").locator("visible=true").get_by_text(reason)
    told.wait_for()
    assert told.bounding_box()["y"] < 700
    assert not page.get_by_text("The motion will appear here").locator("visible=true").count()
    assert page.locator(VIEWER).locator("visible=true").count() == 0


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (1024, 768), (1920, 1080), (390, 844)])
def test_nothing_of_a_motion_is_behind_the_controls(visit, width, height):
    page = visit(width, height)
    viewer = generate(page, "a person walks forward | 1")
    panels, controls = (viewer.locator(name).bounding_box() for name in (".panels", ".controls"))
    assert panels["y"] + panels["height"] <= controls["y"] + 1
    if width > 640:
        assert controls["y"] + controls["height"] <= height, "all of it is in sight"


def test_a_note_is_in_sight_beside_the_motion(visit):
    page = visit(1280, 800)
    generate(page, "the stock market fell | 1")
    box = page.get_by_label("Notes").bounding_box()
    assert box["y"] + box["height"] < 800 and "unlike what" in page.get_by_label("Notes").input_value()


def test_the_program_behind_the_page_asks_nobody_either(visit, served):
    generate(visit(), "a person walks | 1")
    assert [line for line in served.said if line.startswith("outside: ")] == []


def test_a_path_drawn_on_the_floor_and_lines_in_a_row_are_followed_and_shown(visit):
    page = visit()
    page.get_by_role("textbox", name=TEXT).fill("a person walks | 1.5\na person waves | 1")
    page.get_by_label("In a row").check()
    page.locator(".timeline span").nth(1).wait_for()
    assert page.locator(".timeline").inner_text().split("\n")[0].startswith("a person walks")
    page.get_by_role("button", name="Path on the floor").click()
    pad = page.locator("svg.pad")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    middle, metre = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2), box["width"] / 8
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0], middle[1] - metre, steps=5)
    page.mouse.move(middle[0] - metre, middle[1] - metre, steps=5)
    page.mouse.up()
    points = page.locator("#floor-path textarea").input_value().split()
    x, z = map(float, points[-1].split(","))
    assert (x, z) == pytest.approx((1, 1), abs=0.15), "left is x, ahead is z"
    assert len(pad.locator(".drawn").get_attribute("points").split()) == len(points)
    page.get_by_label("number input for Steps").fill("2")
    page.get_by_role("button", name="Generate").click()
    viewer = opened_viewer(page)
    now = viewer.locator(".parts li.now")
    assert now.inner_text() == "a person walks"
    viewer.locator("#scrub").press("End")
    now.filter(has_text="a person waves").wait_for()
    (name,) = page.locator("a[download$='.npy']").evaluate_all("links => links.map((link) => link.download)")
    joints = np.load(io.BytesIO(downloaded(page, name)), allow_pickle=False)
    assert joints.shape == (50, 22, 3)
    assert np.hypot(joints[-1, 0, 0] - x, joints[-1, 0, 2] - z) < 0.25
