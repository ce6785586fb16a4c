"""One video model is one stream: threads, copies, other processes; and what it says of itself."""

import copy
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ditta_adapt import InputError, Progress, VideoSegmenter, wrap
from ditta_adapt.models.parameters import modules_of
from tests.toys import ToyNet, ToySegmenter, toy_segmenter, toy_video

FRAMES = toy_video(6)


class Slow(ToySegmenter):
    """Decodes when it is told to."""

    def __init__(self) -> None:
        super().__init__(ToyNet().eval())
        self.reached, self.go_on = threading.Event(), threading.Event()

    def __deepcopy__(self, memo: dict[int, Any]) -> "Slow":
        twin = Slow()
        twin.model = copy.deepcopy(self.model, memo)
        twin.reached, twin.go_on = self.reached, self.go_on
        return twin

    def decode(self, encoded: torch.Tensor) -> Any:
        self.reached.set()
        assert self.go_on.wait(60)
        return super().decode(encoded)


CALLS: dict[str, Callable[[VideoSegmenter, Path], object]] = {
    "call": lambda model, folder: model(FRAMES[1]),
    "predict": lambda model, folder: model.predict(FRAMES[1]),
    "adapt": lambda model, folder: model.adapt(FRAMES[:2]),
    "segment": lambda model, folder: list(model.segment(FRAMES, warmup=2)),
    "reset": lambda model, folder: model.reset(),
    "clear_memory": lambda model, folder: model.clear_memory(),
    "save": lambda model, folder: model.save_pretrained(folder),
    "load": lambda model, folder: model.load_pretrained(folder),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_a_second_thread_is_refused(
    call: Callable[[VideoSegmenter, Path], object], tmp_path: Path
) -> None:
    segmenter = Slow()
    model = wrap(segmenter)
    first: list[object] = []
    thread = threading.Thread(target=lambda: first.append(model(FRAMES[0])))
    thread.start()
    assert segmenter.reached.wait(60)
    try:
        with pytest.raises(InputError, match=r"another thread.*wrap the same model again"):
            call(model, tmp_path)
    finally:
        segmenter.go_on.set()
        thread.join()
    # The first one was not disturbed, and the model is free again.
    assert torch.equal(first[0], wrap(toy_segmenter())(FRAMES[0]))  # type: ignore[arg-type]
    assert torch.equal(model(FRAMES[1]), wrap(toy_segmenter())(FRAMES[1]))


def test_threads_that_take_turns_are_no_harm() -> None:
    """A server may hand each frame to another worker."""
    model, expected = wrap(toy_segmenter()), wrap(toy_segmenter())
    for frame in FRAMES:
        found: list[torch.Tensor] = []
        thread = threading.Thread(target=lambda f=frame, out=found: out.append(model(f)))
        thread.start()
        thread.join()
        assert torch.equal(found[0], expected(frame))


def test_an_error_frees_the_model() -> None:
    model = wrap(toy_segmenter())
    with pytest.raises(InputError):
        model(FRAMES[0][None])
    model(FRAMES[0])


def test_a_callback_that_calls_the_model() -> None:
    model = wrap(toy_segmenter())

    def nosy(progress: Progress) -> None:
        model(FRAMES[0])

    with pytest.raises(InputError, match="callback"):
        model.adapt(FRAMES[:3], progress=nosy)
    assert model.report is None


def test_two_threads_adapt_at_once_as_one_after_the_other() -> None:
    """Each on its own video model of one image model, whose weights they share."""
    segmenter = toy_segmenter()
    videos = [toy_video(6, seed=seed) for seed in range(2)]
    expected = [wrap(segmenter).adapt(video).losses for video in videos]
    torch.manual_seed(5)
    untouched = torch.random.get_rng_state()
    found: dict[int, list[dict[str, float]]] = {}
    barrier = threading.Barrier(2)

    def work(index: int) -> None:
        model = wrap(segmenter)
        barrier.wait()
        found[index] = model.adapt(videos[index]).losses

    threads = [threading.Thread(target=work, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[0], found[1]] == expected
    assert torch.equal(torch.random.get_rng_state(), untouched)


def test_a_second_video_model_shares_all_weights() -> None:
    segmenter = toy_segmenter()
    own = {parameter.data_ptr() for parameter in segmenter.model.parameters()}
    model = wrap(segmenter)
    held = model._stream.student.segmenter
    assert {p.data_ptr() for module in modules_of(held) for p in module.parameters()} == own
    # And still none of its changes reaches the caller's model.
    before = [parameter.detach().clone() for parameter in segmenter.model.parameters()]
    model.adapt(FRAMES[:4])
    pairs = zip(before, segmenter.model.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("adapted", [False, True])
def test_pickling_says_what_to_send(adapted: bool) -> None:
    model = wrap(toy_segmenter())
    if adapted:
        model.adapt(FRAMES[:3])
        model(FRAMES[3])
    # As of a library's hook, which cannot be pickled itself.
    model.segmenter.model.register_forward_hook(lambda *_: None)  # type: ignore[attr-defined]
    with pytest.raises(InputError, match=r"save_pretrained.*load_pretrained"):
        pickle.dumps(model)


def test_a_deep_copy_is_another_stream() -> None:
    model = wrap(toy_segmenter())
    model.adapt(FRAMES[:3])
    twin = copy.deepcopy(model)
    assert torch.equal(twin(FRAMES[3]), model(FRAMES[3]))
    twin.reset()
    assert model.report is not None


def test_what_it_says_of_itself() -> None:
    model = wrap(toy_segmenter(), propagator="flow")
    assert repr(model) == (
        "VideoSegmenter(ToySegmenter, 4 classes, propagator 'flow', not adapted, 0 frames seen)"
    )
    assert model.adapt(FRAMES[:4]).adapted
    model(FRAMES[4])
    assert repr(model) == (
        "VideoSegmenter(ToySegmenter, 4 classes, propagator OpticalFlowPropagator, adapted, "
        "5 frames seen)"
    )
    model.reset()
    assert "not adapted, 0 frames seen" in repr(model)


@pytest.mark.parametrize("adapt", [True, False])
def test_it_says_the_same_after_loading(adapt: bool, tmp_path: Path) -> None:
    model = wrap(toy_segmenter())
    if adapt:
        model.adapt(FRAMES[:4])
    model.save_pretrained(tmp_path)
    loaded = wrap(toy_segmenter()).load_pretrained(tmp_path)
    assert ("not adapted" in repr(loaded)) is not adapt
    model.clear_memory()
    assert torch.equal(loaded(FRAMES[4]), model(FRAMES[4]))


def test_to() -> None:
    model = wrap(toy_segmenter())
    assert model.to("cpu") is model.to(torch.device("cpu")) is model
    with pytest.raises(InputError, match=r"is on cpu.*wrap\(model\.to\('meta'\)\)"):
        model.to("meta")
    with pytest.raises(InputError, match="device is 'gpu'"):
        model.to("gpu")
