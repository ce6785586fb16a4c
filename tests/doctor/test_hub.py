"""Whether the model hub can be reached; here it is a server of this machine."""

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from ditta_adapt.doctor import hub


class Hub(HTTPServer):
    """Answers with a status, and keeps what it was asked."""

    status = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.asked: list[str] = []


class _Answer(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self.server.asked.append(self.requestline)
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(autouse=True)
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with Hub() as running:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{running.server_port}")
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_it_answers_one_small_request(server: Hub) -> None:
    finding = hub.hub()
    assert (finding.status, finding.detail) == ("ok", "it answers")
    assert finding.subject == f"http://127.0.0.1:{server.server_port}"
    assert [line.split()[0] for line in server.asked] == ["HEAD"]


@pytest.mark.parametrize(("status", "expected"), [(404, "ok"), (503, "missing")])
def test_it_answers_with_an_error(server: Hub, status: int, expected: str) -> None:
    server.status = status
    finding = hub.hub()
    assert finding.status == expected
    assert str(status) in finding.detail


@pytest.mark.parametrize("value", ["1", "true", "YES"])
def test_it_is_not_asked_offline(server: Hub, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", value)
    finding = hub.hub()
    assert finding.status == "missing"
    assert "HF_HUB_OFFLINE" in finding.detail
    assert server.asked == []


def test_a_zero_is_not_offline(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    assert hub.hub().status == "ok"


@pytest.mark.parametrize("endpoint", ["no address", "http://127.0.0.1:x", "http://"])
def test_what_is_no_address(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    assert hub.hub().status == "missing"


def test_a_closed_port_and_one_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "_SECONDS", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        refused = hub.hub()
        silent.listen()
        late = hub.hub()
    for finding, said in ((refused, "refused"), (late, "timed out")):
        assert finding.status == "missing"
        assert said in finding.detail
        assert "HF_ENDPOINT" in finding.remedy


def test_without_a_word_it_is_the_public_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_ENDPOINT")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert hub.hub().subject == "https://huggingface.co"
