"""Checks docs/backend-api.yaml against the requests and the response handling of the library's client, and against the
simulator's backend."""

import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from openapi_core.exceptions import OpenAPIError

from contract import Contract, Exchange
from recorder import RawResponse, Recorder
from simulator import PROGRAMS, REPOSITORY, RIGHT, TIMEOUT_S, WRONG, Simulator, parameters_of

DOCUMENT = REPOSITORY / "docs/backend-api.yaml"
UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
JSON = {"Content-Type": "application/json", "Cache-Control": "no-store"}
PROBLEM = {"Content-Type": "application/problem+json"}


@pytest.fixture(scope="module")
def recorder(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorder]:
    recorder = Recorder(simulator, tmp_path_factory.mktemp("recorder"))
    yield recorder
    recorder.stop()


class Flow:
    """One verification with the command line: its output, and the exchanges with the backend."""

    def __init__(self, recorder: Recorder, path: str, number: str | None = RIGHT, *flags: str) -> None:
        """Without a number, a retrieval."""
        base = f"https://{recorder.authority}/{path}"
        simulator = recorder.simulator
        hosts = [host for host in simulator.ready["hosts"] if not host.startswith("backend.")]
        command = [PROGRAMS / "examples/verify", "--json", "--any-network", "--backend", base]
        command += ["--phone", number] if number else ["--retrieve"]
        command += [f"--root-ca={root}" for root in (simulator.root, recorder.root)]
        command += [f"--resolve={host}" for host in (*hosts, recorder.resolve)]
        done = subprocess.run([*command, *flags], capture_output=True, timeout=TIMEOUT_S, check=False)
        self.outcome: dict[str, Any] = json.loads(done.stdout or "null")
        assert self.outcome, done.stderr.decode()
        assert not any(recorder.prepared.values()), "a prepared response was not used"
        self.contract = Contract(DOCUMENT, base)
        self.exchanges = recorder.take()

    @property
    def calls(self) -> list[str]:
        return [f"{one.method} {urlsplit(one.url).path.rsplit('/', 1)[1]}" for one in self.exchanges]

    @property
    def error(self) -> tuple[str, str, str]:
        return tuple(self.outcome["error"].get(name) for name in ("step", "cause", "fallback"))  # type: ignore[return-value]


RELAY = ["POST start", "POST complete"]


@pytest.mark.parametrize(
    ("path", "delivery", "calls"),
    [
        ("number-verify/a", "relay", RELAY),
        ("number-verify/b", "relay", RELAY),
        ("number-verify/c", "relay", RELAY),
        ("number-verify-302/a", "relay", RELAY),
        ("number-verify/a", "follow-through", ["POST start", "GET callback"]),
        ("number-verify-302/b", "follow-through", ["POST start", "GET callback"]),
        ("number-verify-page/a", "follow-through", ["POST start", "GET callback", "POST complete"]),
        ("number-verify/d", "none", RELAY),
    ],
)
@pytest.mark.parametrize("number", [RIGHT, WRONG])
def test_verification_conforms_with_every_delivery(
    recorder: Recorder, path: str, delivery: str, calls: list[str], number: str
) -> None:
    flow = Flow(recorder, path, number, f"--code-delivery={delivery}")
    assert flow.outcome["verified"] is (number == RIGHT)
    assert flow.calls == calls
    for exchange in flow.exchanges:
        flow.contract.check(exchange)
    assert_required_headers_and_session(flow)


@pytest.mark.parametrize(
    ("path", "delivery", "calls"),
    [
        ("number-verify/camara", "relay", RELAY),
        ("number-verify-302/camara", "relay", RELAY),
        ("number-verify/camara", "follow-through", ["POST start", "GET callback"]),
        ("number-verify-page/camara", "follow-through", ["POST start", "GET callback", "POST complete"]),
    ],
)
def test_retrieval_conforms_with_every_delivery(recorder: Recorder, path: str, delivery: str, calls: list[str]) -> None:
    flow = Flow(recorder, path, None, f"--code-delivery={delivery}", '--start-field=attestation="token"')
    assert flow.outcome["phoneNumber"] == RIGHT
    assert flow.calls == calls
    for exchange in flow.exchanges:
        flow.contract.check(exchange)
    assert_required_headers_and_session(flow)
    assert flow.exchanges[0].json == {"purpose": "device-phone-number", "attestation": "token"}


def test_retrieval_at_a_backend_without_it_returns_501(recorder: Recorder) -> None:
    flow = Flow(recorder, "number-verify/a", None)
    assert flow.error == ("start", "status", "fix_integration")
    assert flow.outcome["error"]["detail"] == {"status": 501}
    flow.contract.check(flow.exchanges[0])


def assert_required_headers_and_session(flow: Flow) -> None:
    posts = [one for one in flow.exchanges if one.method == "POST"]
    keys = [one.headers["idempotency-key"] for one in posts]
    assert all(UUID.fullmatch(key) for key in keys) and len(set(keys)) == len(keys)
    correlators = {one.headers["x-correlator"] for one in posts}
    assert len(correlators) == 1 and UUID.fullmatch(correlators.pop())
    start, *others = flow.exchanges
    session = (json.loads(start.response_body) if start.status == 200 else {}).get("session")
    for one in others:
        assert "nvsess=" in one.headers["cookie"]
        if one.method == "GET":
            assert one.headers.get("x-number-verify-session") == session
        else:
            assert one.json.get("session") == session


def start_response(recorder: Recorder, **more: str) -> RawResponse:
    query = "client_id=SIMULATOR&response_type=code&state=own-state&redirect_uri=myapp%3A%2F%2Fdone"
    port = recorder.simulator.ready["https_port"]
    url = f"https://auth.simulator.test:{port}/oauth2/auth?{query}"
    return 200, JSON, json.dumps({"authUrl": url} | more).encode()


VERIFIED: RawResponse = (200, JSON, b'{"verified": true}')


@pytest.mark.parametrize("session", [None, "opaque"])
def test_session_is_sent_only_if_start_returned_one(recorder: Recorder, session: str | None) -> None:
    recorder.prepare("start", start_response(recorder, **({"session": session} if session else {})))
    recorder.prepare("complete", VERIFIED)
    flow = Flow(recorder, "number-verify/a")
    assert flow.outcome["verified"] is True
    complete = flow.exchanges[1]
    flow.contract.check(complete)
    assert complete.json.get("session") == session and "cookie" not in complete.headers
    assert complete.json["state"] == "own-state"


@pytest.mark.parametrize("status", [429, 503])
def test_retry_sends_the_same_request(recorder: Recorder, status: int) -> None:
    busy = (status, PROBLEM | {"Retry-After": "0"}, problem(status))
    recorder.prepare("start", busy)
    recorder.prepare("complete", busy)
    flow = Flow(recorder, "number-verify/a")
    assert flow.outcome["verified"] is True
    assert flow.calls == ["POST start", "POST start", "POST complete", "POST complete"]
    for exchange in flow.exchanges:
        flow.contract.check(exchange)
    for first, second in (flow.exchanges[:2], flow.exchanges[2:]):
        assert (first.headers, first.body) == (second.headers, second.body)


def problem(status: int, **more: str) -> bytes:
    return json.dumps({"type": "about:blank", "title": "No", "status": status} | more).encode()


STATUSES = {
    "start": [400, 401, 403, 408, 409, 413, 415, 422, 429, 500, 501, 502, 503, 504],
    "complete": [400, 401, 403, 408, 409, 413, 415, 422, 429, 500, 502, 503, 504],
    "callback": [400, 401, 403, 409, 429, 500, 502, 503, 504],
}
BY_STATUS = dict.fromkeys((403, 409, 422, 501), "use_another_channel")
TEMPORARY = (408, 425, 429, 500, 502, 503, 504)


def test_status_table_matches_the_document() -> None:
    paths = Contract(DOCUMENT, "https://unused.test").document["paths"]
    for call, statuses in STATUSES.items():
        [operation] = paths[f"/{call}"].values()
        assert [int(status) for status in operation["responses"] if int(status) >= 400] == statuses


@pytest.mark.parametrize(("call", "status"), [(call, status) for call in STATUSES for status in STATUSES[call]])
@pytest.mark.parametrize("fallback", [None, "ask_to_enable_mobile_data"])
def test_every_error_status_maps_to_its_fallback(
    recorder: Recorder, call: str, status: int, fallback: str | None
) -> None:
    body = problem(status, **({"fallback": fallback} if fallback else {}))
    recorder.prepare(call, (status, PROBLEM, body))
    delivery = "follow-through" if call == "callback" else "relay"
    flow = Flow(recorder, "number-verify/a", RIGHT, f"--code-delivery={delivery}")
    flow.contract.check(flow.exchanges[-1])
    by_status = BY_STATUS.get(status) or ("retry_later" if status in TEMPORARY else "fix_integration")
    assert flow.error == ("start" if call == "start" else "complete", "status", fallback or by_status)
    assert flow.outcome["error"]["detail"]["status"] == status


# Options of a verification


def test_start_fields_and_correlator_of_the_app_are_sent(recorder: Recorder) -> None:
    fields = {"attestation": {"token": "t", "level": [1, None]}, "device": "a=b"}
    flags = [f"--start-field={name}={json.dumps(value)}" for name, value in fields.items()]
    flow = Flow(recorder, "number-verify/a", RIGHT, "--correlator=sign-in:42", *flags)
    assert flow.outcome["verified"] is True
    for exchange in flow.exchanges:
        flow.contract.check(exchange)
        assert exchange.headers["x-correlator"] == "sign-in:42"
    assert flow.exchanges[0].json == {"phoneNumber": RIGHT} | fields
    assert not fields.keys() & flow.exchanges[1].json.keys()


ABORT = "--abort-path=abort"
KINDS = re.compile("cancelled|deadline_exceeded|authorization|denied_by_operator|state_mismatch|backend")


@pytest.mark.parametrize("path", ["number-verify/a", "number-verify-302/a"])
def test_abort_is_sent_after_an_error(recorder: Recorder, path: str) -> None:
    recorder.prepare("complete", (403, PROBLEM, problem(403)))
    flow = Flow(recorder, path, RIGHT, ABORT)
    assert flow.error == ("complete", "status", "use_another_channel")
    assert flow.calls == [*RELAY, "POST abort"]
    for exchange in flow.exchanges:
        flow.contract.check(exchange)
    assert_required_headers_and_session(flow)
    assert flow.exchanges[2].status == 204 and flow.exchanges[2].json["reason"] == "backend"


@pytest.mark.parametrize("status", [403, 409, 429, 503])
def test_abort_is_not_repeated_and_its_response_changes_nothing(recorder: Recorder, status: int) -> None:
    recorder.prepare("complete", (410, PROBLEM, problem(410)))
    recorder.prepare("abort", (status, PROBLEM | {"Retry-After": "0"}, problem(status)))
    flow = Flow(recorder, "number-verify/a", RIGHT, ABORT)
    assert flow.calls == [*RELAY, "POST abort"]
    assert flow.outcome["error"]["detail"] == {"status": 410}


def test_reason_of_an_abort_is_the_kind_of_the_error(recorder: Recorder) -> None:
    url = "https://no-such-host.simulator.test/authorize"
    recorder.prepare("start", (200, JSON, json.dumps({"authUrl": url, "session": "opaque"}).encode()))
    recorder.prepare("abort", (204, {"Cache-Control": "no-store"}, b""))
    flow = Flow(recorder, "number-verify/a", RIGHT, ABORT, "--dns=127.0.0.1:9", "--deadline=2")
    assert flow.calls == ["POST start", "POST abort"]
    flow.contract.check_request(flow.exchanges[1])
    assert flow.exchanges[1].json == {"session": "opaque", "reason": flow.outcome["error"]["kind"]}
    assert KINDS.fullmatch(flow.outcome["error"]["kind"])


def test_no_abort_after_a_result_or_without_a_session(recorder: Recorder) -> None:
    assert Flow(recorder, "number-verify/a", WRONG, ABORT).calls == RELAY
    recorder.prepare("start", (403, PROBLEM, problem(403)))
    assert Flow(recorder, "number-verify/a", RIGHT, ABORT).calls == ["POST start"]


START_RESPONSES = [
    ('{"authUrl": "AUTH"}', True),
    ('{"authUrl": "AUTH", "more": [1]}', True),
    ('{"authUrl": "AUTH", "state": "own-state", "redirectUri": "myapp://done", "session": "s"}', True),
    ('{"authUrl": "AUTH", "hints": []}', True),
    ('{"authUrl": "AUTH", "hints": [{"host": "*.a.example", "headers": {"Accept": "*/*"}, "maxTls": "1.2"}]}', True),
    ("{}", False),
    ("[]", False),
    ('{"authUrl": 1}', False),
    ('{"authUrl": null}', False),
    ('{"authUrl": "/authorize"}', False),
    ('{"authUrl": "http://auth.simulator.test/"}', False),
    ('{"authUrl": "https://u:p@auth.simulator.test/"}', False),
    ('{"authUrl": "AUTH", "session": 1}', False),
    ('{"authUrl": "AUTH", "state": ["own-state"]}', False),
    ('{"authUrl": "AUTH", "redirectUri": true}', False),
]
VERIFY_RESULTS = [
    ('{"verified": true}', True),
    ('{"verified": false, "more": 1}', True),
    ('{"devicePhoneNumberVerified": true}', True),
    ('{"verified": true, "devicePhoneNumberVerified": true}', True),
    ('{"verified": "true"}', False),
    ('{"verified": 1}', False),
    ('{"verified": null}', False),
    ('{"verified": true, "devicePhoneNumberVerified": "true"}', False),
    ('{"verified": true, "phoneNumber": "+14155550100"}', False),
]
NUMBERS = [
    ('{"phoneNumber": "+14155550100"}', True),
    ('{"devicePhoneNumber": "+14155550100", "more": 1}', True),
    ('{"phoneNumber": "+14155550100", "devicePhoneNumber": "+14155550100", "verified": null}', True),
    ('{"phoneNumber": "14155550100"}', False),
    ('{"phoneNumber": "+1 4155550100"}', False),
    ('{"phoneNumber": 14155550100}', False),
    ('{"phoneNumber": null}', False),
    ('{"phoneNumber": "+14155550100", "devicePhoneNumberVerified": true}', False),
]


NO_RESULTS = ["{}", "[true]", "true"]


@pytest.mark.parametrize(("body", "is_valid"), START_RESPONSES)
def test_client_accepts_start_responses_of_the_schema(recorder: Recorder, body: str, is_valid: bool) -> None:
    auth_url = json.loads(start_response(recorder)[2])["authUrl"]
    recorder.prepare("start", (200, JSON, body.replace("AUTH", auth_url).encode()))
    if is_valid:
        recorder.prepare("complete", VERIFIED)
    assert_agreement(Flow(recorder, "number-verify/a"), 0, "start", is_valid)


@pytest.mark.parametrize(("body", "is_valid"), VERIFY_RESULTS)
@pytest.mark.parametrize("call", ["complete", "callback"])
def test_client_accepts_verify_results_of_the_schema(recorder: Recorder, call: str, body: str, is_valid: bool) -> None:
    recorder.prepare(call, (200, JSON, body.encode()))
    delivery = "follow-through" if call == "callback" else "relay"
    flow = Flow(recorder, "number-verify/a", RIGHT, f"--code-delivery={delivery}")
    assert_agreement(flow, 1, "complete", is_valid)
    if is_valid:
        assert flow.outcome["verified"] is ("true" in body)


@pytest.mark.parametrize(("body", "is_valid"), NUMBERS)
@pytest.mark.parametrize("call", ["complete", "callback"])
def test_client_accepts_numbers_of_the_schema(recorder: Recorder, call: str, body: str, is_valid: bool) -> None:
    recorder.prepare(call, (200, JSON, body.encode()))
    delivery = "follow-through" if call == "callback" else "relay"
    flow = Flow(recorder, "number-verify/camara", None, f"--code-delivery={delivery}")
    assert_agreement(flow, 1, "complete", is_valid)
    if is_valid:
        assert flow.outcome["phoneNumber"] == RIGHT


@pytest.mark.parametrize("call", ["complete", "callback"])
def test_result_of_the_other_kind_is_malformed(recorder: Recorder, call: str) -> None:
    """The document allows both, because a response does not show what `start` requested."""
    delivery = f"--code-delivery={'follow-through' if call == 'callback' else 'relay'}"
    for number, body in ((RIGHT, b'{"phoneNumber": "+14155550100"}'), (None, b'{"verified": true}')):
        recorder.prepare(call, (200, JSON, body))
        flow = Flow(recorder, "number-verify/camara", number, delivery)
        flow.contract.check_response(flow.exchanges[1])
        assert flow.error == ("complete", "malformed_answer", "fix_integration")


@pytest.mark.parametrize("body", NO_RESULTS)
def test_json_without_a_result_is_malformed(recorder: Recorder, body: str) -> None:
    """From `complete` it is an error; from the callback it is ignored like any page, and `complete` is called."""
    no_result: RawResponse = (200, JSON, body.encode())
    recorder.prepare("complete", no_result)
    assert_agreement(Flow(recorder, "number-verify/a"), 1, "complete", False)
    recorder.prepare("callback", no_result)
    recorder.prepare("complete", VERIFIED)
    flow = Flow(recorder, "number-verify/a", RIGHT, "--code-delivery=follow-through")
    assert flow.outcome["verified"] is True and flow.calls == ["POST start", "GET callback", "POST complete"]
    flow.contract.check_request(flow.exchanges[2])


def assert_agreement(flow: Flow, index: int, step: str, is_valid: bool) -> None:
    if is_valid:
        flow.contract.check_response(flow.exchanges[index])
        assert "error" not in flow.outcome
    else:
        with pytest.raises(OpenAPIError):
            flow.contract.check_response(flow.exchanges[index])
        assert flow.error == (step, "malformed_answer", "fix_integration")


# Errors of the simulator's backend


def test_errors_of_the_simulators_backend_conform(recorder: Recorder) -> None:
    base = f"https://{recorder.authority}/number-verify/a"
    contract = Contract(DOCUMENT, base)
    valid_headers = {"content-type": "application/json", "host": recorder.authority}

    def send(call: str, body: str | None, **headers: str) -> Exchange:
        method = "GET" if body is None else "POST"
        exchange = Exchange(method, f"{base}/{call}", valid_headers | headers, (body or "").encode())
        response = recorder.simulator.http.request(
            method,
            f"https://127.0.0.1:{recorder.simulator.ready['https_port']}/number-verify/a/{call}",
            headers=exchange.headers,
            content=exchange.body,
            extensions={"sni_hostname": "backend.simulator.test"},
        )
        exchange.status, exchange.response_body = response.status_code, response.content
        exchange.response_headers = list(response.headers.items())
        recorder.simulator.http.cookies.clear()
        contract.check_response(exchange)
        return exchange

    def start(**headers: str) -> dict[str, str]:
        return json.loads(send("start", json.dumps({"phoneNumber": RIGHT}), **headers).response_body)

    assert send("start", "{").status == 400
    assert send("start", '{"phoneNumber": "12"}').status == 400
    start(**{"idempotency-key": "one"})
    assert send("start", json.dumps({"phoneNumber": WRONG}), **{"idempotency-key": "one"}).status == 422
    assert send("start", "{}", **{"content-type": "text/plain"}).status == 415
    started = start()
    session, own_state = started["session"], parameters_of(started["authUrl"])["state"]
    state = parameters_of(start()["authUrl"])["state"]
    with_state = {"code": "c", "session": session}
    results = [send("complete", json.dumps(with_state | {"state": one})) for one in (state, own_state, own_state)]
    assert [one.status for one in results] == [403, 403, 409]
    assert b"another session" in results[0].response_body, "the session is not used up"
    assert send("complete", json.dumps({"session": session}), cookie="nvsess=other").status == 403
    assert send("complete", json.dumps({"code": "c", "state": state})).status == 409
    assert send(f"callback?code=c&state={state}", None).status == 403
    assert send("callback?code=c&state=unknown", None).status == 409


# The validator rejects violations


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"method": "GET"}, "OperationNotFound"),
        ({"url": "/verify"}, "PathNotFound"),
        ({"type": "text/plain"}, "RequestBodyValidationError"),
        ({"type": ""}, "RequestBodyValidationError"),
        ({"body": b""}, "MissingRequiredRequestBody"),
        ({"body": b"{}"}, "InvalidRequestBody"),
        ({"body": b'{"phoneNumber": "14155550100"}'}, "InvalidRequestBody"),
        ({"body": b'{"purpose": "verify"}'}, "InvalidRequestBody"),
        ({"body": b'{"purpose": null}'}, "InvalidRequestBody"),
        ({"body": b'{"purpose": "device-phone-number", "phoneNumber": "+14155550100"}'}, "InvalidRequestBody"),
        ({"body": b'{"purpose": "device-phone-number", "phoneNumber": null}'}, "InvalidRequestBody"),
        ({"url": "/complete", "body": b'{"code": "c", "phoneNumber": "+14155550100"}'}, "InvalidRequestBody"),
        ({"url": "/complete", "body": b'{"code": "c", "purpose": "device-phone-number"}'}, "InvalidRequestBody"),
        ({"url": "/abort", "body": b'{"session": "s"}'}, "InvalidRequestBody"),
        ({"url": "/abort", "body": b'{"session": "s", "reason": "Cancelled"}'}, "InvalidRequestBody"),
        ({"url": "/abort", "body": b'{"session": "s", "reason": "cancelled", "code": "c"}'}, "InvalidRequestBody"),
        ({"key": "x" * 256}, "InvalidParameter"),
        ({"correlator": "two words"}, "InvalidParameter"),
    ],
)
def test_contract_rejects_invalid_requests(changes: dict[str, Any], error: str) -> None:
    contract = Contract(DOCUMENT, "https://backend.test/nv")

    def request(changes: dict[str, Any]) -> Exchange:
        headers = {
            "content-type": changes.get("type", "application/json"),
            "idempotency-key": changes.get("key", "6f9619ff-8b86-4d11-b42d-00c04fc964ff"),
            "x-correlator": changes.get("correlator", "b4333c46-49c0-4f62-80d7-f0ef930f1c46"),
        }
        url = "https://backend.test/nv" + changes.get("url", "/start")
        return Exchange(
            changes.get("method", "POST"), url, headers, changes.get("body", b'{"phoneNumber":"+14155550100"}')
        )

    contract.check_request(request({}))
    contract.check_request(request({"body": b'{"purpose": "device-phone-number", "attestation": "t"}'}))
    with pytest.raises(OpenAPIError) as raised:
        contract.check_request(request(changes))
    assert type(raised.value).__name__ == error


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (200, {"content-type": "text/plain"}, b'{"authUrl": "https://a.test/"}'),
        (201, {name.lower(): value for name, value in JSON.items()}, b'{"authUrl": "https://a.test/"}'),
        (200, {"content-type": "application/json"}, b'{"authUrl": "https://a.test/"}'),
        (302, {}, b""),
        (302, {"location": "http://a.test/"}, b""),
        (400, {"content-type": "application/json"}, problem(400)),
        (400, {"content-type": "application/problem+json"}, b'{"title": "No"}'),
        (400, {"content-type": "application/problem+json"}, problem(400, fallback="dance")),
        (410, {"content-type": "application/problem+json"}, problem(410)),
    ],
)
def test_contract_rejects_invalid_responses(status: int, headers: dict[str, str], body: bytes) -> None:
    contract = Contract(DOCUMENT, "https://backend.test/nv")
    exchange = Exchange("POST", "https://backend.test/nv/start", {}, b"", status, list(headers.items()), body)
    with pytest.raises(OpenAPIError):
        contract.check_response(exchange)


RESULTS = [
    ('{"verified": true}', True),
    ('{"verified": false, "phoneNumber": null, "devicePhoneNumber": null}', True),
    ('{"phoneNumber": "+14155550100"}', True),
    ('{"devicePhoneNumber": "+12345"}', True),
    ('{"phoneNumber": "+123456789012345", "devicePhoneNumber": "+123456789012345", "more": 1}', True),
    ('{"phoneNumber": "+14155550100", "verified": null, "devicePhoneNumberVerified": null}', True),
    ('{"phoneNumber": "+14155550100", "verified": true}', False),
    ('{"phoneNumber": "+14155550100", "devicePhoneNumberVerified": false}', False),
    ('{"verified": true, "devicePhoneNumber": "12"}', False),
    ('{"phoneNumber": null}', False),
    ('{"phoneNumber": 14155550100}', False),
    ('{"phoneNumber": "14155550100"}', False),
    ('{"phoneNumber": "+04155550100"}', False),
    ('{"phoneNumber": "+1234"}', False),
    ('{"phoneNumber": "+1234567890123456"}', False),
    ('{"phoneNumber": "+1 4155550100"}', False),
    ('{"phoneNumber": "+14155550100", "devicePhoneNumber": "unknown"}', False),
    ("{}", False),
]


@pytest.mark.parametrize(("body", "is_valid"), RESULTS)
@pytest.mark.parametrize("call", ["POST /complete", "GET /callback"])
def test_result_is_a_boolean_or_a_number(call: str, body: str, is_valid: bool) -> None:
    contract, (method, path) = Contract(DOCUMENT, "https://backend.test/nv"), call.split()
    headers = [(name.lower(), value) for name, value in JSON.items()]
    exchange = Exchange(method, f"https://backend.test/nv{path}", {}, b"", 200, headers, body.encode())
    if is_valid:
        contract.check_response(exchange)
    else:
        with pytest.raises(OpenAPIError):
            contract.check_response(exchange)
