"""The page as it is served: to this machine alone, with a limit on uploads, without reporting, leaving nothing."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from importlib import import_module
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psutil
import pytest
from command import crossdiff_process

from crossdiff.app.size import read_size, size_text
from crossdiff.errors import CheckpointError, InputError, MissingDependencyError

gr = pytest.importorskip("gradio", reason="the app extra is not installed")
page = pytest.importorskip("crossdiff.app.page")


def upload(address: str, size: int) -> int:
    """The status with which a video of so many bytes is taken."""
    border = "----border"
    head = f'--{border}\r\nContent-Disposition: form-data; name="files"; filename="a.mp4"\r\n'
    body = f"{head}Content-Type: video/mp4\r\n\r\n".encode() + bytes(size) + f"\r\n--{border}--\r\n".encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={border}"}
    try:
        with urlopen(Request(f"{address}gradio_api/upload", body, kind)) as answer:
            return answer.status
    except HTTPError as error:
        error.close()
        return error.code


def test_it_listens_on_the_loopback_alone(served):
    connections = psutil.Process(served.process.pid).net_connections("inet")
    listening = {(c.laddr.ip, c.laddr.port) for c in connections if c.status == psutil.CONN_LISTEN}
    assert listening == {("127.0.0.1", served.port)}


def test_a_file_beyond_the_limit_is_refused(served):
    assert upload(served.address, served.most_bytes) == 200
    assert "a.mp4" in [file.name for file in served.folder.rglob("*.mp4")]  # until the page ends: see `served`
    assert upload(served.address, served.most_bytes + 1) == 413


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}])
def test_requests_for_or_from_other_sites_are_refused(served, headers):
    for path in ("", "config", "gradio_api/queue/join"):
        with pytest.raises(HTTPError) as refused:
            urlopen(Request(f"{served.address}{path}", headers=headers))
        refused.value.close()
        assert refused.value.code == 403


def test_nothing_is_reported_or_offered_to_programs(served):
    with urlopen(f"{served.address}config") as answer:
        config = json.load(answer)
    assert config["analytics_enabled"] is False and config["enable_queue"] and not config["footer_links"]
    assert len(config["dependencies"]) > 2
    assert {d["api_visibility"] for d in config["dependencies"]} == {"private"}


@pytest.mark.slow
def test_a_port_is_served_once(served):
    # In this process, Gradio would leave sockets open.
    crossdiff_process("app", "--port", served.port).failed(f"127.0.0.1:{served.port}: cannot be served", "--port")


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (CheckpointError("<b>: no checkpoint there"), "&lt;b&gt;: no checkpoint there"),
        (PermissionError(13, "Permission denied", "/x"), "/x: Permission denied; check the path"),
    ],
)
def test_an_error_is_shown_as_its_message(raised, said):
    with pytest.raises(gr.Error) as shown, page._errors_shown():
        raise raised
    assert shown.value.message.startswith(said) and shown.value.duration is None and not shown.value.print_exception


def test_what_is_no_users_fault_stays_an_error_of_the_program():
    with pytest.raises(ZeroDivisionError), page._errors_shown():
        raise ZeroDivisionError


def test_sizes():
    assert [read_size(s) for s in ("100mb", "500 kB", "2GB", "7", "3b")] == [100 << 20, 500 << 10, 2 << 30, 7, 3]
    assert [size_text(n) for n in (100 << 20, 1 << 30, 1500)] == ["100 MB", "1 GB", "1500 B"]
    for bad in ("", "mb", "-3mb", "1.5gb", "0", "10 tb"):
        with pytest.raises(InputError, match="such as 100mb"):
            read_size(bad)


@pytest.fixture
def free_ports(monkeypatch):
    """Every port is free, whatever else runs on this machine."""
    monkeypatch.setattr("crossdiff.app.address.check_address", lambda host, port: None)


@pytest.mark.usefixtures("free_ports")
def test_the_command_serves_on_the_loopback_unless_told_otherwise(monkeypatch, capsys):
    from typer.testing import CliRunner

    from crossdiff.cli import app

    asked = []

    @contextmanager
    def serving(models, pose, host, port, most, open_browser, names):
        asked.append((host, port, most, open_browser, pose.backend, models.folder("text").name, *names))
        yield f"http://{host}:{port}/"

    monkeypatch.setattr(page, "serving", serving)
    monkeypatch.setattr(page, "until_stopped", lambda: None)
    said = CliRunner().invoke(app, ["app"], catch_exceptions=False).output
    assert asked == [("127.0.0.1", 7860, 100 << 20, False, "mediapipe", "stage2-small")]
    assert "Look at http://127.0.0.1:7860/" in said and "no password" not in said
    options = ["--host", "0.0.0.0", "--port", "9000", "--max-upload", "2gb", "--open", "--checkpoint", "stage1-small"]
    options += ["--allow-host", "proxy.example"]
    said = CliRunner().invoke(app, ["app", *options], catch_exceptions=False).output
    assert asked[1] == ("0.0.0.0", 9000, 2 << 30, True, "mediapipe", "stage1-small", "proxy.example")
    assert "asks for no password" in said


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--max-upload", "much"], "such as 100mb"),
        (["--backend", "eyes"], "no pose backend 'eyes'"),
        (["--pose-set", "treshold=1"], "unknown key 'treshold'"),
        (["--checkpoint", "nowhere"], "no checkpoint there"),
    ],
)
@pytest.mark.usefixtures("free_ports")
def test_a_mistake_is_said_before_anything_is_served(options, word):
    from typer.testing import CliRunner

    from crossdiff.cli import app

    ended = CliRunner().invoke(app, ["app", *options])
    assert word in str(ended.exception)


def test_without_gradio_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.delitem(sys.modules, "crossdiff.app.page")
    with pytest.raises(MissingDependencyError, match=r"pip install 'crossdiff\[app\]'"):
        import_module("crossdiff.app.page")
