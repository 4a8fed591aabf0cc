"""The page of `crossdiff app`: two tabs that share one queue. The only module that uses Gradio."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from crossdiff.app import path_pad
from crossdiff.app.address import cannot_serve
from crossdiff.app.guard import RequestGuard
from crossdiff.app.models import Models
from crossdiff.app.progress import ProgressCallback
from crossdiff.app.results import Result
from crossdiff.app.size import size_text
from crossdiff.app.text import MAX_LINES, make_motions, timeline
from crossdiff.app.video import PoseSettings, lift_video
from crossdiff.diffusion.config import SamplingConfig
from crossdiff.diffusion.schedule import NUM_STEPS
from crossdiff.errors import ClipError, CrossDiffError, MissingDependencyError
from crossdiff.files import disk_message
from crossdiff.pipeline.search import VIDEO_SUFFIXES

# Read when Gradio is imported; no usage data is sent.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

try:
    import gradio as gr
    from starlette.middleware import Middleware
except ImportError as error:
    raise MissingDependencyError(f"the page needs Gradio ({error}): pip install 'crossdiff[app]'") from None

_EXAMPLES = [
    "a person walks forward",
    "a person waves with both hands | 6\na person runs | 4",
    "a person walks forward and turns left | 6",
]
_DEFAULTS = SamplingConfig()
# Interval between deletions of old files, and their age, in seconds.
_TIDY = (600, 3600)
# All uploads together, in largest uploads.
_UPLOADS = 10
# System fonts: none is downloaded.
_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
_MONO = ("ui-monospace", "Consolas", "monospace")
_STYLE = """
.viewer iframe { display: block; width: 100%; border: 0; border-radius: 0.5rem; }
.viewer iframe { height: clamp(30rem, 100vh - 11.5rem, 52rem); }
.viewer .empty { padding: 6rem 1rem; text-align: center; min-height: 30rem; }
.viewer .empty p:first-child { opacity: 0.75; }
@media (max-width: 40rem) {
  .viewer iframe { width: calc(100vw - 1rem); margin-left: calc(50% - 50vw + 0.5rem); }
  .viewer iframe { height: clamp(34rem, 90vh, 52rem); }
  .viewer .empty { padding: 2rem 1rem; min-height: 34rem; }
}
"""
_EMPTY = "The motion will appear here, to turn, zoom and step through."

# On a phone the viewer is below the settings; it is scrolled into view when work starts.
_TO_VIEWER = """() => {
  const viewer = [...document.querySelectorAll(".viewer")].find((one) => one.offsetParent);
  if (viewer && viewer.getBoundingClientRect().top > innerHeight / 2) viewer.scrollIntoView();
}"""


def build_page(models: Models, pose: PoseSettings, max_upload: int) -> gr.Blocks:
    """The page, not yet served. max_upload: limit in bytes, shown on the page; `serving` enforces it."""
    with gr.Blocks(title="CrossDiff", analytics_enabled=False, delete_cache=_TIDY) as page:
        gr.Markdown("# CrossDiff\n3D human motion from text, and from videos. Everything stays on this machine.")
        with gr.Tab("Text"):
            _text_tab(models)
        with gr.Tab("Video"):
            _video_tab(models, pose, max_upload)
    return page.queue(default_concurrency_limit=1, api_open=False)


def _text_tab(models: Models) -> None:
    with gr.Row():
        with gr.Column(scale=1, min_width=300):
            text = gr.Textbox(
                _EXAMPLES[0],
                label="Text",
                info=f"One motion per line, {MAX_LINES} at most. `| 4` after a line: 4 seconds.",
                lines=4,
            )
            seconds = gr.Slider(1, 9.8, 6, step=0.1, label="Seconds", info="For lines without their own.")
            in_a_row = gr.Checkbox(
                label="In a row", info="One motion of all lines, one after the other, of any length."
            )
            bars = gr.HTML(visible=False)
            path = _path_field()
            generate = gr.Button("Generate", variant="primary")
            notes = _notes()
            labels = [example.replace("\n", " / ") for example in _EXAMPLES]
            gr.Examples(
                [[example] for example in _EXAMPLES],
                [text],
                label="Examples",
                example_labels=labels,
                api_visibility="private",
            )
            with gr.Accordion("Settings", open=False):
                settings = _settings(models.steps)
        outputs = _Outputs(notes)

    def show(text: str, seconds: float, in_a_row: bool) -> Any:
        return gr.update(value=timeline(text, seconds), visible=in_a_row)

    for changed in (text, seconds, in_a_row):
        changed.change(show, [text, seconds, in_a_row], bars, queue=False, api_visibility="private")

    def run(
        text: str,
        seconds: float,
        in_a_row: bool,
        path: str | None,  # None until the field has been opened
        *chosen: Any,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> Iterator[Any]:
        guidance, steps, seed, mixture, switch_step, raw = chosen
        cfg = SamplingConfig(steps=int(steps), guidance_scale=guidance, mixture=mixture, switch_step=int(switch_step))
        yield from _answer(
            lambda folder: make_motions(
                models, text, seconds, cfg, int(seed or 0), folder, _callback(progress), in_a_row, path or "", raw
            ),
            outputs,
        )

    _on_click(generate, run, [text, seconds, in_a_row, path, *settings], outputs)


def _path_field() -> gr.Textbox:
    """The points of a path, typed or drawn on the floor below them."""
    with gr.Accordion("Path on the floor", open=False):
        gr.HTML(html_template=path_pad.PAD, js_on_load=path_pad.SCRIPT)
        return gr.Textbox(
            "",
            label="Path",
            info="Drawn, or typed as X,Z in metres: 0,0 2,1 2,4. Empty: none.",
            elem_id=path_pad.FIELD,
            max_lines=3,
        )


def _settings(default_steps: int) -> list[Any]:
    """Guidance, steps, seed, mixture and its switch step, and whether feet are left as they are."""
    guidance = gr.Slider(
        0, 10, _DEFAULTS.guidance_scale, step=0.05, label="Guidance", info="How closely to follow the text; 1: off."
    )
    steps = gr.Slider(1, 200, default_steps, step=1, label="Steps", info="More take longer; 20 are enough.")
    seed = gr.Number(0, precision=0, minimum=0, label="Seed", info="Same seed, same motion; line i uses seed + i.")
    mixture = gr.Checkbox(label="Mixture", info="Denoise in 2D first, then in 3D (mixture sampling).")
    switch_step = gr.Slider(
        0,
        NUM_STEPS - 1,
        1,
        step=1,
        label="Switch step",
        info="Timestep at which mixture sampling switches to 3D.",
        visible=False,
    )
    mixture.change(lambda on: gr.update(visible=on), mixture, switch_step, queue=False, api_visibility="private")
    raw = gr.Checkbox(label="Raw", info="Leave feet as the network made them, instead of planting them.")
    return [guidance, steps, seed, mixture, switch_step, raw]


def _video_tab(models: Models, pose: PoseSettings, max_upload: int) -> None:
    with gr.Row():
        with gr.Column(scale=1, min_width=300):
            video = gr.File(
                label=f"Video of a whole person, up to {size_text(max_upload)}",
                file_types=sorted(VIDEO_SUFFIXES | {".gif", ".ts"}),
            )
            caption = gr.Textbox(label="Caption", info="Optional: what the person does. Does not change the motion.")
            lift = gr.Button("Lift to 3D", variant="primary")
            notes = _notes()
        outputs = _Outputs(notes)

    def run(video: str | None, caption: str, progress: gr.Progress = gr.Progress()) -> Iterator[Any]:  # noqa: B008
        def make(folder: Path) -> Result:
            if video is None:
                raise ClipError("video: expected a file, got none; choose one first")
            try:
                return lift_video(models, Path(video), caption, pose, folder, _callback(progress))
            except ClipError as error:
                return Result(notes=["No motion could be lifted.", str(error)])

        yield from _answer(make, outputs)

    _on_click(lift, run, [video, caption], outputs)


def _notes() -> gr.Textbox:
    """The notes on a result, below the button, where they are in sight."""
    return gr.Textbox(label="Notes", visible=False, interactive=False)


def _empty_viewer(*lines: str) -> str:
    """Text in the place of the viewer."""
    return f'<div class="empty">{"".join(f"<p>{escape(line)}</p>" for line in lines)}</div>'


class _Outputs:
    """The right side of a tab, viewer and files, and the notes on its left side.

    The reasons for which there is no motion take the viewer's place.
    """

    def __init__(self, notes: gr.Textbox) -> None:
        self.notes = notes
        with gr.Column(scale=2, min_width=320):
            self.viewer = gr.HTML(_empty_viewer(_EMPTY), elem_classes="viewer")
            self.files = gr.File(label="Download", file_count="multiple", visible=False, interactive=False)

    @property
    def all(self) -> list[Any]:
        return [self.viewer, self.notes, self.files]

    def show(self, result: Result) -> list[Any]:
        """The values of `all`."""
        # The viewer's page is written by this program, and sandboxed all the same.
        frame = f'<iframe title="Motion viewer" sandbox="allow-scripts" srcdoc="{escape(result.viewer)}"></iframe>'
        return [
            frame if result.viewer else _empty_viewer(*result.notes),
            gr.update(value="\n".join(result.notes), visible=bool(result.viewer and result.notes)),
            gr.update(value=[str(path) for path in result.files], visible=bool(result.files)),
        ]


def _on_click(button: gr.Button, run: Callable[..., Iterator[Any]], inputs: list[Any], outputs: _Outputs) -> None:
    button.click(None, js=_TO_VIEWER, queue=False, api_visibility="private")
    # Both tabs share one queue: one request at a time.
    button.click(
        run,
        inputs,
        outputs.all,
        concurrency_id="motion",
        show_progress_on=outputs.viewer,
        api_visibility="private",
    )


def _answer(make: Callable[[Path], Result], outputs: _Outputs) -> Iterator[list[Any]]:
    """The result, made in a temporary folder. Yielded, not returned: Gradio copies the files before it resumes this."""
    with _errors_shown(), TemporaryDirectory() as folder:
        yield outputs.show(make(Path(folder)))


@contextmanager
def _errors_shown() -> Iterator[None]:
    """Errors that a user can act on are shown on the page until closed."""
    try:
        yield
    except CrossDiffError as error:
        message = str(error)
    except OSError as error:
        message = disk_message(error)
    else:
        return
    raise gr.Error(escape(message), duration=None, print_exception=False)


def _callback(progress: gr.Progress) -> ProgressCallback:
    # At 0 Gradio shows neither a bar nor text.
    return lambda fraction, text: progress(max(fraction, 0.01), desc=text)


@contextmanager
def serving(
    models: Models,
    pose: PoseSettings | None = None,
    host: str = "127.0.0.1",
    port: int = 7860,
    max_upload: int = 100 * 2**20,
    open_browser: bool = False,
    allowed_hosts: Collection[str] = (),
) -> Iterator[str]:
    """Serve the page during the block, which gets its address; then delete everything it wrote.

    max_upload: largest file, in bytes; all uploads together may have ten times that. allowed_hosts: names besides the
    address that requests may be made for, such as a proxy's; see `RequestGuard`. InputError: the port is in use, or the
    host is not an address of this machine.
    """
    with _own_folder() as folder:
        guard: dict[str, Any] = {"host": host, "port": port, "names": allowed_hosts, "folder": folder}
        guard["max_total"] = _UPLOADS * max_upload
        page = build_page(models, pose or PoseSettings(), max_upload)
        try:
            page.launch(
                server_name=host,
                server_port=port,
                max_file_size=max_upload,
                inbrowser=open_browser,
                prevent_thread_lock=True,
                quiet=True,
                inline=False,
                share=False,
                ssr_mode=False,
                mcp_server=False,
                enable_monitoring=False,
                run_history=False,
                footer_links=[],
                theme=_theme(),
                css=_STYLE + path_pad.STYLE,
                app_kwargs={"middleware": [Middleware(RequestGuard, **guard)]},
            )
        except OSError as error:
            raise cannot_serve(host, port, error) from None
        try:
            yield page.local_url
        finally:
            page.close(verbose=False)


def until_stopped() -> None:
    """Wait for Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        while True:
            time.sleep(1)  # an endless wait ignores Ctrl-C on Windows


def _theme() -> gr.themes.Base:
    # Gradio's default small print and buttons have too little contrast.
    return gr.themes.Default(font=_FONTS, font_mono=_MONO, primary_hue="blue").set(
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
    )


@contextmanager
def _own_folder() -> Iterator[Path]:
    """Uploads and results go to a temporary folder, which is deleted at the end."""
    before = os.environ.get("GRADIO_TEMP_DIR")
    with TemporaryDirectory(prefix="crossdiff-app-", ignore_cleanup_errors=True) as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        try:
            yield Path(folder)
        finally:
            os.environ.pop("GRADIO_TEMP_DIR")
            if before is not None:
                os.environ["GRADIO_TEMP_DIR"] = before
