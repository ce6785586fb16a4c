"""Names of propagators: refused where they are given, and nothing imported to find out."""

import subprocess
import sys
from pathlib import Path

import pytest

from ditta_adapt import InputError, wrap
from ditta_adapt.teachers.registry import check_propagator, find_propagator
from tests.toys import StillPropagator, toy_segmenter

STILL = "tests.toys:StillPropagator"


@pytest.mark.parametrize("name", ["sam3", "magic", "", "flow "])
def test_an_unknown_name_is_refused_at_the_door(name: str) -> None:
    with pytest.raises(InputError, match=r"no propagator is called.*'flow'.*package\.module"):
        wrap(toy_segmenter(), propagator=name)


@pytest.mark.parametrize("name", ["nowhere_to_be_found.module:factory", ":factory", "tests.toys:"])
def test_a_factory_that_cannot_be_there(name: str) -> None:
    with pytest.raises(InputError, match=r"no package|does not name a factory"):
        wrap(toy_segmenter(), propagator=name)


@pytest.mark.parametrize("propagator", [None, 3, StillPropagator])
def test_things_that_are_no_propagator(propagator: object, unchecked: None) -> None:
    with pytest.raises(InputError, match="propagator is"):
        wrap(toy_segmenter(), propagator=propagator)  # type: ignore[arg-type]


def test_a_factory_is_called_when_it_is_needed() -> None:
    model = wrap(toy_segmenter(), propagator=STILL)
    assert isinstance(model.propagator, StillPropagator)
    assert model.propagator is model.propagator


@pytest.mark.parametrize("name", ["tests.toys:Nothing", "tests.nothing:factory", "os.path:join"])
def test_a_factory_that_fails_when_it_is_needed(name: str) -> None:
    model = wrap(toy_segmenter(), propagator=name)
    with pytest.raises(InputError):
        model.propagator  # noqa: B018


@pytest.mark.usefixtures("unchecked")
def test_what_a_factory_makes_is_checked() -> None:
    with pytest.raises(InputError, match="propagator is dict"):
        find_propagator("builtins:dict")


def test_a_registered_name_wins_over_a_factory(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import EntryPoint

    from ditta_adapt.teachers import registry

    mine = EntryPoint("nowhere:still", STILL, registry.PROPAGATORS)
    monkeypatch.setattr(registry, "entry_points", lambda group: [mine])
    assert isinstance(find_propagator("nowhere:still"), StillPropagator)


def test_weights_behind_a_colon() -> None:
    from ditta_adapt.adapters.sam2_transformers import EdgeTamPropagator, Sam2TransformersPropagator

    found = find_propagator("sam2-hf:someone/sam2")
    assert isinstance(found, Sam2TransformersPropagator)
    assert found.checkpoint == "someone/sam2"
    assert isinstance(find_propagator("edgetam"), EdgeTamPropagator)
    assert find_propagator("edgetam:./weights").checkpoint == "./weights"
    with pytest.raises(InputError, match="the propagator 'flow' loads no weights; leave ':x' out"):
        find_propagator("flow:x")


def test_checking_imports_nothing(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("raise RuntimeError('imported')")
    program = (
        "import sys\n"
        "from ditta_adapt.teachers.registry import check_propagator\n"
        "for name in ('flow', 'sam2', 'sam2-hf', 'sam2-hf:id', 'sam2-small', 'mine:factory'):\n"
        "    assert check_propagator(name) == name\n"
        "assert not {'cv2', 'transformers', 'sam2', 'mine'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)


def test_an_object_is_itself() -> None:
    mine = StillPropagator()
    assert check_propagator(mine) is find_propagator(mine) is mine
