"""Results are complete or not there, whoever dies when."""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ditta_adapt.batch.place import MARKER, Place, Troubles, key_of
from ditta_adapt.batch.worker import failure
from ditta_adapt.errors import InputError

IDENTITY = {"video": "clip.mp4", "threads": 1}
KEY = key_of(IDENTITY)


def begun(out: Path, content: str = "labels") -> Place:
    place = Place(out, "clip")
    with place.claimed() as mine:
        assert mine
    (place.begin(KEY) / "labels.txt").write_text(content)
    return place


def test_results_take_their_place_at_once(tmp_path: Path) -> None:
    place = begun(tmp_path)
    assert not (tmp_path / "clip").exists()
    assert place.row(KEY) is None
    place.commit(KEY, IDENTITY, {"frames": 3})
    assert place.row(KEY) == {"frames": 3}
    assert place.row(key_of({"video": "clip.mp4", "threads": 2})) is None
    assert sorted(path.name for path in (tmp_path / "clip").iterdir()) == [MARKER, "labels.txt"]
    assert not (tmp_path / ".ditta-batch" / "clip").exists()


def test_results_of_another_key_are_replaced_when_the_new_ones_are_complete(tmp_path: Path) -> None:
    begun(tmp_path).commit(KEY, IDENTITY, {"frames": 3})
    other = key_of({"video": "changed"})
    place = Place(tmp_path, "clip")
    work = place.begin(other)
    assert (tmp_path / "clip" / "labels.txt").read_text() == "labels"
    (work / "new.txt").write_text("new")
    place.commit(other, {}, {"frames": 4})
    assert place.row(other) == {"frames": 4}
    assert sorted(path.name for path in (tmp_path / "clip").iterdir()) == [MARKER, "new.txt"]


def test_killed_between_both_renamings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun(tmp_path).commit(KEY, IDENTITY, {"frames": 3})
    other = key_of({"video": "changed"})
    place = Place(tmp_path, "clip")
    place.begin(other)
    rename, calls = os.rename, []

    def killed(source: Path, target: Path) -> None:
        calls.append(source)
        if len(calls) == 2:
            raise KeyboardInterrupt
        rename(source, target)

    monkeypatch.setattr(os, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        place.commit(other, {}, {"frames": 4})
    monkeypatch.undo()
    assert not (tmp_path / "clip").exists()
    again = Place(tmp_path, "clip")
    assert again.row(KEY) is None
    assert again.row(other) == {"frames": 4}
    assert (tmp_path / "clip" / MARKER).exists()


def test_what_was_left_is_kept_for_the_same_key_alone(tmp_path: Path) -> None:
    place = begun(tmp_path)
    assert (place.begin(KEY) / "labels.txt").exists()
    assert list(place.begin(key_of({"video": "changed"})).iterdir()) == []


def test_somebody_elses_folder_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "clip").mkdir()
    (tmp_path / "clip" / "holiday.jpg").write_text("mine")
    with pytest.raises(InputError, match="something else than results of a batch"):
        Place(tmp_path, "clip").begin(KEY)
    assert (tmp_path / "clip" / "holiday.jpg").read_text() == "mine"


@pytest.mark.parametrize(
    "link",
    [
        *("clip", ".ditta-batch", ".ditta-batch/clip", ".ditta-batch/.locks"),
        *(".ditta-batch/clip/work", ".ditta-batch/clip/troubles.json"),
    ],
)
def test_links_do_not_lead_out(tmp_path: Path, link: str) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (out / link).parent.mkdir(parents=True)
    (out / link).symlink_to(elsewhere)
    with pytest.raises(InputError, match="is a link"), Place(out, "clip").claimed():
        pass
    with pytest.raises(InputError, match="is a link"):
        Place(out, "clip").add_trouble(KEY, "why", given_up=True)
    assert list(elsewhere.iterdir()) == []


def test_a_claim_is_that_of_one_process_and_ends_with_it(tmp_path: Path) -> None:
    program = (
        "import os, pathlib, sys\n"
        "from ditta_adapt.batch.place import Place\n"
        f"with Place(pathlib.Path({str(tmp_path)!r}), 'clip').claimed() as mine:\n"
        "    print(mine, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        with Place(tmp_path, "clip").claimed() as mine:
            assert not mine
        other.kill()
        other.wait()
        with Place(tmp_path, "clip").claimed() as mine:
            assert mine


def test_troubles_are_those_of_one_key(tmp_path: Path) -> None:
    place = begun(tmp_path)
    place.add_trouble(KEY, "it was dark", given_up=False)
    place.add_trouble(KEY, "it is dark", given_up=True)
    troubles = place.troubles()
    assert (troubles.key, troubles.given_up) == (KEY, True)
    assert troubles.reasons == ["it was dark", "it is dark"]
    place.forget_troubles()
    assert place.troubles() == Troubles(KEY)
    # What an attempt left is kept.
    assert (place.begin(KEY) / "labels.txt").exists()
    place.add_trouble(KEY, "it is dark", given_up=True)
    place.begin(key_of({"video": "changed"}))
    assert place.troubles().reasons == []
    place.add_trouble("another", "why", given_up=False)
    assert place.troubles() == Troubles("another", ["why"], False)
    place.forget_troubles()
    assert place.troubles().reasons == ["why"]


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"format": 99}', '{"format": 1}'])
def test_a_torn_marker_is_none(tmp_path: Path, content: str) -> None:
    place = begun(tmp_path)
    place.commit(KEY, IDENTITY, {})
    (tmp_path / "clip" / MARKER).write_text(content)
    assert place.row(KEY) is None


def test_the_marker_says_all_that_decides(tmp_path: Path) -> None:
    begun(tmp_path).commit(KEY, IDENTITY, {"frames": 3})
    marker = json.loads((tmp_path / "clip" / MARKER).read_text())
    assert marker == {"format": 1, "key": KEY, "identity": IDENTITY, "row": {"frames": 3}}


def test_a_trouble_is_kept_while_a_worker_that_was_ended_still_has_the_claim(
    tmp_path: Path,
) -> None:
    place = begun(tmp_path)
    with place.claimed():
        Place(tmp_path, "clip").add_trouble(KEY, "it took too long", given_up=True)
    assert place.troubles().given_up


def test_a_scratch_folder_holds_results_until_they_are_complete(tmp_path: Path) -> None:
    out, scratch = tmp_path / "out", tmp_path / "scratch"
    place = Place(out, "clip", scratch)
    work = place.begin(KEY)
    assert work.is_relative_to(scratch)
    (work / "labels").mkdir()
    (work / "labels" / "0.png").write_text("labels")
    assert (Place(out, "clip", scratch).begin(KEY) / "labels" / "0.png").exists()
    # Not that of another output folder.
    assert list(Place(tmp_path / "other", "clip", scratch).begin(KEY).iterdir()) == []
    place = Place(out, "clip", scratch)
    place.begin(KEY)
    place.commit(KEY, IDENTITY, {"frames": 3})
    assert place.row(KEY) == {"frames": 3}
    assert (out / "clip" / "labels" / "0.png").read_text() == "labels"
    assert not work.parent.exists()
    # What is left of another state of the video is removed.
    left = place.begin(KEY)
    place.begin(key_of({"video": "changed"}))
    assert not left.exists()


def test_a_disk_that_is_full_when_results_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(tmp_path / "out", "clip", tmp_path / "scratch")
    (place.begin(KEY) / "labels.txt").write_text("labels")

    def full(source: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(InputError, match="No space left") as raised:
        place.commit(KEY, IDENTITY, {})
    assert failure(raised.value).kind == "full"
    assert not (tmp_path / "out" / "clip").exists()
    monkeypatch.undo()
    place.commit(KEY, IDENTITY, {})
    assert place.row(KEY) == {}


def test_a_video_called_as_something_of_ours(tmp_path: Path) -> None:
    for name in ("locks", "work", "troubles.json", "done.json"):
        with Place(tmp_path, "clip").claimed() as mine, Place(tmp_path, name).claimed() as also:
            assert mine
            assert also
            place = Place(tmp_path, name)
            place.begin(KEY)
            place.commit(KEY, IDENTITY, {})
            with Place(tmp_path, "clip").claimed() as again:
                assert not again
        assert place.row(KEY) == {}


def test_killed_after_the_marker_while_older_results_are_there(tmp_path: Path) -> None:
    begun(tmp_path).commit(KEY, IDENTITY, {"frames": 3})
    other = key_of({"video": "changed"})
    work = Place(tmp_path, "clip").begin(other)
    (work / MARKER).write_text(json.dumps({"format": 1, "key": other, "row": {"frames": 4}}))
    assert Place(tmp_path, "clip").row(KEY) == {"frames": 3}
    assert Place(tmp_path, "clip").row(other) == {"frames": 4}
    assert Place(tmp_path, "clip").row(KEY) is None
    # A marker of what is done anew is none.
    work = Place(tmp_path, "clip").begin(KEY)
    (work / MARKER).write_text(json.dumps({"format": 1, "key": KEY, "row": {}}))
    Place(tmp_path, "clip").begin(KEY)
    assert not (work / MARKER).exists()


def test_somebody_elses_scratch_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user = os.getuid()
    place = Place(tmp_path / "out", "clip", tmp_path / "scratch")
    assert (place.begin(KEY).parents[3].stat().st_mode & 0o777) == 0o700
    (tmp_path / "scratch" / f".ditta-batch-{user}").rename(
        tmp_path / "scratch" / f".ditta-batch-{user + 1}"
    )
    monkeypatch.setattr(os, "getuid", lambda: user + 1)
    with pytest.raises(InputError, match="somebody else's"):
        place.begin(KEY)
