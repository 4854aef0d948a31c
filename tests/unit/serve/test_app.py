"""Requests to a real bundle, through starlette's test client."""

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from fastapi.testclient import TestClient

from alvision.deploy.bundle.bundle import Bundle, open_bundle
from alvision.deploy.bundle.predict import predict
from alvision.serve.app import application
from tests.conftest import paint
from tests.support.parts import imported

imported("prometheus_client")
HERE = "http://127.0.0.1:8124"


def photograph(i, worn=False, format="PNG"):
    file = io.BytesIO()
    paint(i, "worn" if worn else "ok").save(file, format=format)
    return file.getvalue()


def client_of(bundle, **more):
    known = {"largest": 100_000, "token": None} | more
    return TestClient(application(bundle, **known), base_url=HERE)


@pytest.fixture(scope="module")
def bundle(small_bundle):
    return open_bundle(small_bundle)


@pytest.fixture(scope="module")
def client(bundle):
    with client_of(bundle) as client:
        yield client


def ask(client, body, kind="image/png", **more):
    return client.post("/verdict", content=body, headers={"content-type": kind}, **more)


def test_a_photograph_gets_the_verdict_of_predict(client, bundle, tmp_path):
    paths = []
    for i in range(8):
        paths.append(tmp_path / f"{i}.png")
        paths[-1].write_bytes(photograph(i, worn=i % 2 == 0))
    expected = list(predict(bundle, paths, tmp_path))
    with ThreadPoolExecutor(8) as pool:
        bodies = [path.read_bytes() for path in paths]
        answers = list(pool.map(lambda body: ask(client, body).json(), bodies))
    for answer, one in zip(answers, expected, strict=True):
        assert answer["class"] == one.decision.class_name
        assert answer["verdict"] == ("new" if one.decision.novelty > 1 else one.decision.verdict)
        found = [answer["defect_score"], answer["novelty"], *answer["probabilities"]]
        np.testing.assert_allclose(
            found, one.decision.values()[2:], atol=1e-3
        )  # batches of other sizes round otherwise
        assert answer["model"] == bundle.model


def test_a_name_comes_back(client):
    answer = ask(client, photograph(1), params={"name": "cam1/ü 7.png"})
    assert (answer.status_code, answer.json()["name"]) == (200, "cam1/ü 7.png")


@pytest.mark.parametrize(
    ("body", "kind", "status", "told"),
    [
        (b"no image", "image/png", 422, "not an image"),
        (b"", "image/png", 422, "file is empty"),
        (photograph(1)[:200], "image/png", 422, "cannot be read"),
        (b"x" * 100_001, "image/png", 413, "more than 100000 bytes"),
        (photograph(1), "text/plain", 415, "content type"),
    ],
)
def test_what_is_no_photograph_gets_no_verdict(client, body, kind, status, told):
    answer = ask(client, body, kind)
    assert answer.status_code == status
    assert told in answer.json()["error"]


def test_whatever_goes_wrong_is_told_in_one_way_and_counted(bundle, monkeypatch):
    app = application(bundle, largest=100_000, token=None)
    with TestClient(app, base_url=HERE, raise_server_exceptions=False) as client:
        answer = ask(client, photograph(1), params={"name": "x" * 501})
        assert (answer.status_code, answer.json()["error"][:12]) == (422, "name: String")
        monkeypatch.setattr(Bundle, "run", lambda *_: 1 / 0)
        answer = ask(client, photograph(1))
        assert (answer.status_code, list(answer.json())) == (500, ["error"])
        text = client.get("/metrics").text
        for status in ("422", "500"):
            assert f'alvision_refused_total{{status="{status}"}} 1.0' in text


def test_another_site_in_the_browser_gets_nothing(client):
    for headers in ({"host": "evil.example"}, {"origin": "http://evil.example"}):
        answer = client.post(
            "/verdict", content=photograph(1), headers={"content-type": "image/png"} | headers
        )
        assert answer.status_code == 403


def test_on_a_network_only_the_token_opens(bundle):
    with client_of(bundle, token="0123456789abcdef") as client:
        assert ask(client, photograph(1)).status_code == 401
        assert client.get("/metrics").status_code == 401
        assert client.get("/health").status_code == 200
        headers = {"content-type": "image/png", "authorization": "Bearer 0123456789abcdef"}
        assert client.post("/verdict", content=photograph(1), headers=headers).status_code == 200


def test_health_metrics_and_the_description(bundle):
    with client_of(bundle) as client:
        assert client.get("/health").json() == {
            "status": "ok",
            "model": bundle.model,
            "classes": ["ok", "worn"],
            "defects": ["worn"],
            "promise": None,
        }
        verdict = ask(client, photograph(1)).json()["verdict"]
        ask(client, b"no image")
        text = client.get("/metrics").text
        assert f'alvision_verdicts_total{{verdict="{verdict}"}} 1.0' in text
        assert 'alvision_refused_total{status="422"} 1.0' in text
        assert "alvision_batch_count 1.0" in text
        assert "alvision_waiting 0.0" in text
        described = client.get("/openapi.json").json()["paths"]
        assert {*described} == {"/verdict", "/health", "/metrics"}
        assert "image/*" in described["/verdict"]["post"]["requestBody"]["content"]
        assert client.get("/docs").status_code == 404
