"""What workers of a command reserve."""

import pytest

from ditta_adapt.batch.engines import runs_on_gpu


@pytest.mark.parametrize(
    ("device", "gpus", "expected"),
    [
        ("auto", 8, True),
        ("auto", 0, False),
        # A cluster that grows when asked has none yet.
        ("cuda", 0, True),
        ("cuda:0", 8, True),
        ("cpu", 8, False),
        # The model stays where it is made.
        (None, 8, False),
    ],
)
def test_a_gpu_is_reserved_where_it_is_used(device: str | None, gpus: int, expected: bool) -> None:
    assert runs_on_gpu(device, gpus) is expected
