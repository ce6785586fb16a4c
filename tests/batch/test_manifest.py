"""Which videos, under which names, with which options."""

import argparse
import zipfile
from fractions import Fraction
from pathlib import Path

import pytest

from ditta_adapt.batch.manifest import Entry, options_of, read_manifest, shard
from ditta_adapt.errors import InputError
from ditta_adapt.running.options import add_video_options


def common() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_video_options(parser)
    return parser.parse_args(["--seed", "7", "--warmup", "8"])


def test_csv(tmp_path: Path) -> None:
    manifest = tmp_path / "videos.csv"
    manifest.write_text(
        "\ufeffvideo,name,start,classes\n"
        "day/a.mp4,,,\n"
        '"/data/b, c.mp4",second,1:30,car person\n'
        "s3-like/../c.mov,,0,\n",
        encoding="utf-8",
    )
    entries = read_manifest([str(manifest)])
    assert [(entry.name, entry.video) for entry in entries] == [
        ("a", str(tmp_path / "day/a.mp4")),
        ("second", "/data/b, c.mp4"),
        ("c", str(tmp_path / "s3-like/../c.mov")),
    ]
    own = options_of(entries[1], common())
    assert (own.start, own.classes, own.seed, own.warmup) == (Fraction(90), ["car", "person"], 7, 8)
    assert options_of(entries[0], common()) == common()


def test_json_lines(tmp_path: Path) -> None:
    manifest = tmp_path / "videos.jsonl"
    manifest.write_text(
        '{"video": "a.mp4", "warmup": "10%", "no_report": true, "classes": ["traffic light"]}\n'
        "\n"
        '{"video": "b.mp4", "seed": 3, "no_report": false, "end": null}\n'
    )
    first, second = (options_of(entry, common()) for entry in read_manifest([str(manifest)]))
    assert (first.warmup, first.no_report, first.classes) == (0.1, True, ["traffic light"])
    assert (second.seed, second.no_report, second.end) == (3, False, None)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"model": "evil:factory"}, "unrecognized arguments: --model"),
        ({"stert": "1"}, "unrecognized arguments"),
        ({"warm": "8"}, "unrecognized arguments"),
        ({"start": "soon"}, "argument --start"),
        ({"preset": "best"}, "invalid choice"),
        ({"stride": "0"}, "stride"),
        ({"size": "3"}, "at least 16 pixels"),
        ({"": "x"}, "unrecognized|ambiguous|ignored"),
        ({"out": "/etc"}, "unrecognized arguments"),
    ],
)
def test_wrong_options(options: dict[str, str], match: str) -> None:
    with pytest.raises(InputError, match=match):
        options_of(Entry("clip", "clip.mp4", options), common())


def test_patterns_name_videos_by_what_they_leave_open(tmp_path: Path) -> None:
    for path in ("day 2/video.mp4", "day 10/video.mp4", "day 2/.hidden.mp4"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("")
    entries = read_manifest([f"{tmp_path}/*/video.mp4"])
    assert [entry.name for entry in entries] == ["day 2-video", "day 10-video"]
    assert [entry.name for entry in read_manifest([f"{tmp_path}/day 2/*.mp4"])] == ["video"]
    assert [entry.name for entry in read_manifest([f"{tmp_path}/**/*.mp4"])] == [
        "day 2-video",
        "day 10-video",
    ]
    by_address = read_manifest([f"file://{tmp_path}/*/video.mp4"])
    assert [entry.name for entry in by_address] == ["day 2-video", "day 10-video"]
    assert by_address[0].video == f"file://{tmp_path}/day 2/video.mp4"


def test_a_folder_keeps_the_dots_in_its_name(tmp_path: Path) -> None:
    for name in ("v1.0", "v1.1"):
        (tmp_path / name).mkdir()
    assert [entry.name for entry in read_manifest([f"{tmp_path}/v*"])] == ["v1.0", "v1.1"]
    assert read_manifest([f"{tmp_path}/v1.0"])[0].name == "v1.0"


def test_paths_from_a_shell() -> None:
    entries = read_manifest(["clips/a.mp4", "b.mp4", "zip://c.mp4::clips.zip"])
    assert [entry.name for entry in entries] == ["a", "b", "c"]


def test_a_name_that_is_a_pattern_and_a_file(tmp_path: Path) -> None:
    clip = tmp_path / "clip[1].mp4"
    clip.write_text("")
    assert read_manifest([str(clip)])[0].video == str(clip)


def test_twins() -> None:
    with pytest.raises(InputError, match=r"a/video.mp4 and b/video.mp4 would both .* clips/\*/"):
        read_manifest(["a/video.mp4", "b/video.mp4"])


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("name\nclip\n", "expected one `video`"),
        ("", "expected one `video`"),
        ("video\n", "no video in"),
        ("video,name\na.mp4\n", "line 2: as many values"),
        ("video\na.mp4,b.mp4\n", "line 2: as many values"),
        ("video,name\na.mp4,../up\n", "line 2: '../up' cannot name"),
        ("video,name\na.mp4,/etc/cron.d/x\n", "line 2: '/etc/cron.d/x' cannot name"),
        ("video\n-\n", "line 2: .*no path|line 2"),
        ("video\n/dev/null\n", "line 2: /dev/null is live"),
        ('video\n"a.mp4\n', "line"),
        ("video,name\n,clip\n", "line 2"),
    ],
)
def test_wrong_csv(tmp_path: Path, content: str, match: str) -> None:
    manifest = tmp_path / "videos.csv"
    manifest.write_text(content)
    with pytest.raises(InputError, match=match):
        read_manifest([str(manifest)])


@pytest.mark.parametrize(
    "content",
    ["[1]\n", "video\n", '{"name": "a"}\n', '{"video": 3}\n', '{"video": "a", "name": 3}'],
)
def test_wrong_json(tmp_path: Path, content: str) -> None:
    manifest = tmp_path / "videos.jsonl"
    manifest.write_text(content)
    with pytest.raises(InputError, match="line 1"):
        read_manifest([str(manifest)])


def test_missing_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no manifest"):
        read_manifest([str(tmp_path / "missing.csv")])
    with pytest.raises(InputError, match="cannot be read"):
        read_manifest([f"file://{tmp_path}/missing.csv"])
    with pytest.raises(InputError, match="no video in"):
        read_manifest([f"{tmp_path}/*.mp4"])
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read"):
        read_manifest([str(tmp_path / "binary.csv")])


def test_a_manifest_by_address(tmp_path: Path) -> None:
    (tmp_path / "videos.csv").write_text("video\na.mp4\n")
    (entry,) = read_manifest([f"file://{tmp_path}/videos.csv"])
    assert (entry.name, entry.video) == ("a", f"file://{tmp_path}/a.mp4")


def test_shards_are_all_videos_once() -> None:
    entries = [Entry(f"clip{k}", "") for k in range(10)]
    parts = [shard(entries, f"{index}/3") for index in range(3)]
    assert sorted(entry.name for part in parts for entry in part) == sorted(e.name for e in entries)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("text", ["", "1", "3/3", "-1/3", "1/0", "a/b", "1/2/3", "0.5/2"])
def test_wrong_shards(text: str) -> None:
    with pytest.raises(InputError, match="expected i/n"):
        shard([], text)


def test_a_link_is_called_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "original.mp4").write_text("")
    (tmp_path / "mine.mp4").symlink_to(tmp_path / "original.mp4")
    assert read_manifest([str(tmp_path / "mine.mp4")])[0].name == "mine"


def test_a_manifest_in_an_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "day.zip", "w") as archive:
        archive.writestr("list.csv", "video,name\n/data/a.mp4,first\n")
    (entry,) = read_manifest([f"zip://list.csv::{tmp_path}/day.zip"])
    assert (entry.name, entry.video) == ("first", "/data/a.mp4")
