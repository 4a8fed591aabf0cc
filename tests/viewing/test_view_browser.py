"""The interactive page in a browser: it plays, turns, scrubs and names joints, on any screen, without a network."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from processes import PATIENCE

from crossdiff.viewing.player.view import Shown, write_view

pytest.importorskip("jupyter_threejs_sage", reason="the view extra is not installed")

NASTY = "</script><script>document.title = 'broken'</script> & someone walks"
SCREENS = {"phone": (390, 844), "desktop": (1280, 800)}


@pytest.fixture
def address(walking, tmp_path: Path) -> str:
    """Two motions, one of them filmed."""
    film = [np.full((60, 60, 3), (5 * n, 90, 40), np.uint8) for n in range(40)]
    shown = [
        Shown(walking(40), NASTY, "walk.npy"),
        Shown(walking(40, speed=0.0), "on the spot", yaw=20.0, pictures=film),
    ]
    return write_view(tmp_path / "view.html", shown, "Two").as_uri()


class Visit:
    """A page that is open, and what it said and asked for meanwhile."""

    def __init__(self, browser: Any, screen: str = "desktop", **settings: Any) -> None:
        width, height = SCREENS[screen]
        touch = screen == "phone"
        self.context = browser.new_context(viewport={"width": width, "height": height}, has_touch=touch, **settings)
        self.page = self.context.new_page()
        self.page.set_default_timeout(1000 * PATIENCE)
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def open(self, address: str) -> Visit:
        self.page.goto(address)
        self.until("document.getElementById('time').textContent !== ''")
        self.rest()
        return self

    def until(self, holds: str) -> None:
        """Wait for a condition of the page. Playwright's own way evaluates text in it, which the page forbids."""
        deadline = time.monotonic() + PATIENCE
        while not self.page.evaluate(holds):
            assert time.monotonic() < deadline, holds
            self.page.wait_for_timeout(50)

    def rest(self) -> None:
        """Until what was asked for is drawn."""
        self.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def picture(self, selector: str) -> np.ndarray:
        """RGB picture of the first such element."""
        png = np.frombuffer(self.page.locator(selector).first.screenshot(), np.uint8)
        return cv2.cvtColor(cv2.imdecode(png, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB).astype(int)

    @property
    def frame(self) -> int:
        return int(self.page.input_value("#scrub"))


@pytest.fixture
def visit(browser: Any) -> Iterator[Any]:
    """Opens pages: `visit(address, screen)`; at the end, none may have complained or asked for anything else."""
    visits: list[tuple[Visit, str]] = []

    def open_page(address: str, screen: str = "desktop", **settings: Any) -> Visit:
        visits.append((Visit(browser, screen, **settings), address))
        return visits[-1][0].open(address)

    yield open_page
    for made, address in visits:
        assert made.said == []
        own = address.partition("#")[0]
        assert [url for url in made.asked if not url.startswith((own, "data:"))] == []
        made.context.close()


def share_of_colour(picture: np.ndarray, first: int, last: int) -> float:
    """Share of pixels in which one channel is well above another: 2 over 0 is blue, 0 over 2 orange."""
    return float((picture[..., first] > picture[..., last] + 60).mean())


@pytest.mark.parametrize(("screen", "scheme"), [("phone", "dark"), ("desktop", "light")])
def test_figures_move_and_fit_on_the_screen(visit, address, screen, scheme):
    here = visit(f"{address}#frame=5", screen, color_scheme=scheme)
    assert here.frame == 5
    side = ".flat:nth-child(2) .drawn"  # arms and legs swing towards who stands in front
    early = {part: here.picture(part) for part in (".stage", side, ".film")}
    for part in (".stage", side):
        assert share_of_colour(early[part], 2, 0) > 0.002 and share_of_colour(early[part], 0, 2) > 0.002, part
    assert (early[".stage"].mean() > 128) == (scheme == "light")
    width = here.page.evaluate("document.documentElement.scrollWidth")
    assert width == SCREENS[screen][0], "nothing sticks out sideways"
    bar = here.page.locator(".controls").bounding_box()
    assert bar["y"] + bar["height"] == pytest.approx(SCREENS[screen][1], abs=1)
    here.page.evaluate("location.hash = '#frame=30'")
    here.until("document.getElementById('scrub').value === '30'")
    here.rest()
    for part, before in early.items():
        assert (np.abs(here.picture(part) - before).max(axis=-1) > 24).mean() > 0.005, f"{part} moves"


def test_a_caption_stays_text(visit, address):
    here = visit(address)
    assert here.page.title() == "Two"
    assert here.page.locator("h2").all_inner_texts() == [NASTY, "on the spot"]


def test_it_plays_and_pauses_by_itself_and_by_hand(visit, address):
    here = visit(address)
    here.until("document.getElementById('scrub').value > 3")
    here.page.click("#play")
    at = here.frame
    here.rest()
    assert here.frame == at and here.page.get_attribute("#play", "aria-label") == "Play"
    for key, frame in (("Home", 0), ("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1)):
        here.page.keyboard.press(key)
        here.rest()
        assert here.frame == frame
    here.page.click("#ahead")
    here.page.click("#ahead")
    here.page.click("#back")
    here.rest()
    assert here.frame == 2
    here.page.keyboard.press("End")
    here.rest()
    assert here.frame == 39 and "1.95 / 1.95 s" in here.page.inner_text("#time")


def test_with_less_motion_wished_for_it_waits(visit, address):
    here = visit(address, reduced_motion="reduce")
    here.rest()
    assert here.frame == 0 and here.page.get_attribute("#play", "aria-label") == "Play"


def test_dragging_turns_all_figures_and_reset_turns_them_back(visit, address):
    here = visit(f"{address}#frame=10")
    stages = [f".card:nth-child({n}) .stage" for n in (1, 2)]
    before = [here.picture(stage) for stage in stages]
    box = here.page.locator(".stage").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    here.page.mouse.move(x, y)
    here.page.mouse.down()
    here.page.mouse.move(x + 120, y + 30, steps=4)
    here.page.mouse.up()
    here.page.mouse.move(5, 5)
    here.rest()
    for stage, was in zip(stages, before, strict=True):
        assert (np.abs(here.picture(stage) - was).max(axis=-1) > 24).mean() > 0.02
    here.page.click("#reset")
    here.page.mouse.move(5, 5)
    here.rest()
    for stage, was in zip(stages, before, strict=True):
        assert (np.abs(here.picture(stage) - was).max(axis=-1) > 24).mean() < 0.002


def test_the_wheel_zooms(visit, address):
    here = visit(f"{address}#frame=10")
    small = share_of_colour(here.picture(".stage"), 0, 2)
    box = here.page.locator(".stage").first.bounding_box()
    here.page.mouse.move(box["x"] + 20, box["y"] + 20)
    here.page.mouse.wheel(0, -400)
    here.until("orbit.zoom > 1.5")
    here.rest()
    assert share_of_colour(here.picture(".stage"), 0, 2) > 1.5 * small


@pytest.mark.parametrize("part", [".stage canvas", ".drawn"])
def test_joints_are_named_under_the_pointer(visit, address, part):
    here = visit(f"{address}#frame=10")
    view = "cards[0].stage" if "stage" in part else "cards[0].flats[0]"
    spot = here.page.evaluate(
        f"{view}.spots[page.motions[0].names.indexOf('l_wrist')].map((n) => n / devicePixelRatio)"
    )
    box = here.page.locator(part).first.bounding_box()
    here.page.mouse.move(box["x"] + spot[0], box["y"] + spot[1])
    assert here.page.inner_text(".tip") == "l_wrist"
    here.page.mouse.move(box["x"] + 2, box["y"] + box["height"] - 2)
    assert not here.page.locator(".tip").is_visible()


def test_without_webgl_the_flat_views_play(browser, address, visit):
    made = Visit(browser)
    made.page.add_init_script(
        "const get = HTMLCanvasElement.prototype.getContext;"
        "HTMLCanvasElement.prototype.getContext = function (kind, ...rest) "
        "{ return kind.startsWith('webgl') ? null : get.call(this, kind, ...rest); };"
    )
    made.open(f"{address}#frame=5")
    assert made.page.locator("#no-webgl").is_visible() and made.said == []
    assert share_of_colour(made.picture(".drawn"), 0, 2) > 0.002
    made.context.close()
