"""Reading videos: streaming, and saying what is wrong with a file."""

import pytest
from wild import SHARED, write_video

from crossdiff.errors import InputError
from crossdiff.pipeline.video import Video, check_complete


def test_frames_come_in_rgb_with_the_size_that_the_header_gives(tmp_path):
    video = Video(write_video(tmp_path / "a.mp4", frames=12))
    frames = list(video.frames())
    assert len(frames) == 12 == video.info.frames
    assert video.info.fps == pytest.approx(20)
    assert frames[0].shape == (140, 160, 3) and video.info.size == (160, 140)


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "empty"), (b"no video at all\n" * 50, "not a video"), (b"\0" * 4000, "not a video")]
)
def test_what_is_not_a_video_is_said(tmp_path, content, said):
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(InputError, match=said):
        Video(tmp_path / "a.mp4")


def test_a_file_cut_short_is_refused(tmp_path):
    whole = write_video(tmp_path / "a.mp4", frames=40).read_bytes()
    (tmp_path / "b.mp4").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError):
        list(Video(tmp_path / "b.mp4").frames())


@pytest.mark.parametrize(
    ("decoded", "declared", "counted", "fine"),
    [(100, 100, True, True), (99, 100, True, True), (98, 100, True, False), (100, 0, True, True), (0, 0, True, False),
     (96, 100, False, True), (90, 100, False, False), (120, 100, True, True)],
)  # fmt: skip
def test_missing_frames(decoded, declared, counted, fine):
    if fine:
        check_complete(decoded, declared, counted)
    else:
        with pytest.raises(InputError):
            check_complete(decoded, declared, counted)


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared clips are not beside the checkout")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("truncated.avi", "decoded 78 of 164"),
        ("corrupt.avi", "decoded 162 of 164"),
        ("truncated.mp4", "not a video"),
        ("empty.avi", "empty"),
        ("noise.mp4", "not a video"),
        ("text.mp4", "not a video"),
    ],
)
def test_real_bad_files(name, said):
    with pytest.raises(InputError, match=said):
        list(Video(SHARED / "videos" / "bad" / name).frames())
