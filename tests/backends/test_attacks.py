"""Session fixation, code injection, replay, forged sessions and cookie tossing.

A rejected attempt does not affect the victim: the session can still be completed by its owner.
"""

import base64
import json
import time
from hashlib import sha256
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from cryptography.fernet import Fernet

from calls import COOKIE, OTHER, Backends, assert_problem, assert_result, new_key, new_request, start, state_in
from implementations import Implementation
from running import KEY, Backend
from test_contract import callback_path
from waiting import until
from world import RIGHT, WRONG, World

PROOF = "X-Number-Verify-Session"


@pytest.mark.parametrize("victim", ["no session", "has a session", "knows the state"])
def test_session_fixation_by_auth_url_returns_403(backend: Backends, world: World, victim: str) -> None:
    """The attacker starts with the victim's number, and has the victim's phone open the auth URL."""
    app = backend("follow-through")
    attacker, phone = app.device(), app.device()
    started = start(attacker)
    state, headers = state_in(started), {}
    if victim == "has a session":
        headers = {PROOF: start(phone)["session"]}
    if victim == "knows the state":
        headers = {PROOF: state, "Cookie": f"{COOKIE}={state}"}
    path = callback_path(app.url, world, started["authUrl"])
    response = phone.get(path, headers=headers)
    assert_problem(response, 403, OTHER)
    # The response must not contain the code, which the attacker could inject.
    assert dict(parse_qsl(urlsplit(path).query))["code"] not in response.text + str(response.headers)
    assert_problem(attacker.get(f"/callback?code=guessed&state={state}"), 403, OTHER)


def test_callback_returns_403_unless_follow_through(backend: Backends, world: World) -> None:
    app = backend("redirect")
    device = app.device()
    path = callback_path(app.url, world, start(device)["authUrl"])
    assert_problem(device.get(path), 403, OTHER)
    assert_result(device.post("/complete", json=dict(parse_qsl(urlsplit(path).query))), True)


@pytest.mark.parametrize("query", ["", "code=c", "code=c&state=", "code=c&state=nonsense", "error=access_denied"])
@pytest.mark.parametrize("proof", ["", "nonsense"])
def test_callback_without_session_returns_403(backend: Backends, query: str, proof: str) -> None:
    response = backend("follow-through").device().get(f"/callback?{query}", headers={PROOF: proof})
    assert_problem(response, 403, OTHER)


def test_injected_phone_number_is_ignored(backend: Backends, world: World) -> None:
    device = backend().device()
    injected = {"phoneNumber": RIGHT, "number": RIGHT, "phone_number": RIGHT}
    request = new_request(device, world, WRONG) | injected
    assert_result(device.post("/complete", params=injected, json=request), False)


def test_state_of_another_session_returns_403(backend: Backends, world: World) -> None:
    app = backend()
    request = new_request(app.device(), world)
    for state in [state_in(start(app.device())), request["session"], "nonsense", "", None]:
        assert_problem(app.device().post("/complete", json=request | {"state": state}), 403, OTHER)
    assert_result(app.device().post("/complete", json=request), True)


def test_session_of_another_flow_returns_403(backend: Backends, world: World) -> None:
    app = backend()
    attacker, victim = new_request(app.device(), world, WRONG), new_request(app.device(), world)
    swapped = {"code": attacker["code"], "state": attacker["state"], "session": victim["session"]}
    assert_problem(app.device().post("/complete", json=swapped), 403, OTHER)
    assert_result(app.device().post("/complete", json=victim), True)
    assert_result(app.device().post("/complete", json=attacker), False)


def test_different_session_and_cookie_return_403(backend: Backends, world: World) -> None:
    app = backend()
    device, other_session = app.device(), start(app.device())["session"]
    request = world.code(start(device)["authUrl"])
    for session in [other_session, "nonsense"]:
        assert_problem(device.post("/complete", json=request | {"session": session}), 403, OTHER)
    assert_result(device.post("/complete", json=request), True)


def test_victims_code_does_not_verify_the_attackers_number(
    backend: Backends, implementation: Implementation, world: World
) -> None:
    """The attacker injects a code of the victim's phone into a session for another number."""
    app = backend()
    attacker, victim = new_request(app.device(), world, WRONG), new_request(app.device(), world)
    injected = attacker | {"code": victim["code"]}
    response = app.device().post("/complete", json=injected)
    if implementation.codes_are_bound:
        assert_problem(response, 403, OTHER)
    else:
        assert_result(response, False)
    assert_problem(app.device().post("/complete", json=victim), 403, OTHER)  # the code has been used


def test_code_injection_is_rejected_if_codes_are_bound(
    backend: Backends, implementation: Implementation, world: World
) -> None:
    """Code injection: a session for the victim's number, with a code of the victim's phone. Only PKCE detects it."""
    app = backend()
    attacker, victim = new_request(app.device(), world), new_request(app.device(), world)
    response = app.device().post("/complete", json=attacker | {"code": victim["code"]})
    if implementation.codes_are_bound:
        assert_problem(response, 403, OTHER)
    else:
        assert_result(response, True)


def test_two_session_cookies_return_403(backend: Backends, world: World) -> None:
    """Cookie tossing: one may have been set by another host."""
    app = backend()
    request, other_session = new_request(app.device(), world), start(app.device())["session"]
    session = request.pop("session")
    for cookies in [
        f"{COOKIE}={other_session}; {COOKIE}={session}",
        f"__Host-{COOKIE}={session}; {COOKIE}={other_session}",
        f"{COOKIE}={session}; {COOKIE}={session}",
    ]:
        assert_problem(app.device().post("/complete", json=request, headers={"Cookie": cookies}), 403, OTHER)
    assert_result(app.device().post("/complete", json=request, headers={"Cookie": f"__Host-{COOKIE}={session}"}), True)


@pytest.mark.parametrize(
    "connection", [{"Host": "api.example.com"}, {"Host": "localhost", "X-Forwarded-Proto": "https"}]
)
def test_unprefixed_cookie_is_ignored_over_tls(backend: Backends, world: World, connection: dict[str, str]) -> None:
    """Cookie tossing: another host of the site, or plain http, sets the attacker's session in the victim's client."""
    app = backend("follow-through")
    attacker_start, device = start(app.device()), app.device()
    query, tossed = world.code(attacker_start["authUrl"]), f"{COOKIE}={attacker_start['session']}"
    headers = connection | {"Cookie": tossed}
    assert_problem(device.get("/callback", params=query, headers=headers), 403, OTHER)
    assert_problem(device.post("/complete", json=query, headers=headers), 409, OTHER)
    victim_start = start(app.device())
    headers = connection | {"Cookie": f"{tossed}; __Host-{COOKIE}={victim_start['session']}"}
    assert_problem(device.get("/callback", params=query, headers=headers), 403, OTHER)
    assert_result(device.get("/callback", params=world.code(victim_start["authUrl"]), headers=headers), True)


def test_non_ascii_cookie_bytes_do_not_hide_a_session(backend: Backends, world: World) -> None:
    """Two sessions are detected, a single one is found, and similar cookie names are ignored."""
    app = backend()
    request, other_session = new_request(app.device(), world), start(app.device())["session"]
    session, name = request.pop("session").encode(), COOKIE.encode()
    mine, other = name + b"=" + session, b"__Host-" + name + b"=" + other_session.encode()
    for lines, status in [
        ([b"a=\xff; " + other, mine], 403),
        ([mine, other + b"; a=\xff"], 403),
        ([b"a=\xff; " + mine + b"; " + other], 403),
        ([b"a=\xff;\t" + mine + b" ;" + mine], 403),
        ([mine + b"\xff"], 401),
        ([name + b"=\xff" + session], 401),
        ([b"\xa0" + mine], 409),
        ([b"\xc2\xa0" + mine], 409),
        ([b"\x85" + mine], 409),
        ([name + b"\xa0=" + session], 409),
    ]:
        response = app.device().post("/complete", json=request, headers=[("Cookie", line) for line in lines])
        assert_problem(response, status, OTHER)
    headers = [("Cookie", b"a=\xff; " + mine + b"; b=\xc3\xa9"), ("Cookie", b"\xff")]
    assert_result(app.device().post("/complete", json=request, headers=headers), True)


@pytest.mark.parametrize("proofs", [[b"\xff"], [b"%s\xff"], [b"%s", b"%s"], [b"%s", b"\xff"], [b"x", b"%s"], [b""]])
def test_malformed_proof_header_does_not_fall_back_to_the_cookie(
    backend: Backends, world: World, proofs: list[bytes]
) -> None:
    app = backend("follow-through")
    started = start(app.device())
    query, session = world.code(started["authUrl"]), started["session"].encode()
    cookie = ("Cookie", f"{COOKIE}={started['session']}")
    headers = [cookie, *((PROOF, proof.replace(b"%s", session)) for proof in proofs)]
    assert_problem(app.device().get("/callback", params=query, headers=headers), 403, OTHER)
    assert_result(app.device().get("/callback", params=query, headers=[cookie]), True)


@pytest.mark.parametrize(
    ("first", "second"),
    [([b"Bearer \xff"], [b"Bearer \xfe"]), ([b"Bearer \xff"], [b"Bearer \xef\xbf\xbd"]), ([b"a b"], [b"a", b"b"])],
)
def test_replay_with_another_authorization_returns_422(
    backend: Backends, first: list[bytes], second: list[bytes]
) -> None:
    app, key = backend(), new_key()

    def post(login: list[bytes]) -> httpx.Response:
        headers = [*key.items(), *(("Authorization", line) for line in login)]
        return app.device().post("/start", json={"phoneNumber": RIGHT}, headers=headers)

    assert post(first).status_code == 200
    assert_problem(post(second), 422, "fix_integration")
    assert post(first).status_code == 200


def test_callback_with_header_of_another_session_returns_403(backend: Backends, world: World) -> None:
    app = backend("follow-through")
    device, other_session = app.device(), start(app.device())["session"]
    started = start(device)
    request = world.code(started["authUrl"])
    response = device.get("/callback", params=request, headers={PROOF: other_session})
    assert_problem(response, 403, OTHER)
    assert device.head("/callback", params=request).status_code == 405
    assert_result(device.get("/callback", params=request, headers={PROOF: started["session"]}), True)


def test_cookie_is_secure_for_any_host_but_localhost(backend: Backends) -> None:
    """Only http to a local address is known to be without TLS."""
    app = backend()
    for host, name in [("localhost", COOKIE), ("api.example.com", f"__Host-{COOKIE}"), ("a:xx", f"__Host-{COOKIE}")]:
        response = app.device().post("/start", json={"phoneNumber": RIGHT}, headers={"Host": host})
        if response.status_code == 400:
            continue  # the server rejects this host
        cookie = response.headers["set-cookie"]
        assert cookie.startswith(f"{name}=") and ("secure" in cookie.lower()) == name.startswith("__Host-")


def forged_sessions(session: str) -> list[str]:
    """Modified, truncated and respelled sessions, some of which lenient base64 decoders would accept."""
    other_key = Fernet(Fernet.generate_key()).encrypt(json.dumps({"number": RIGHT}).encode()).decode()
    padded = session + "=" * (-len(session) % 4)
    middle = len(session) // 2
    swapped = ("A" if session[middle] != "A" else "B").join([session[:middle], session[middle + 1 :]])
    return [
        "nonsense",
        other_key,
        other_key.rstrip("="),
        swapped,
        session[:-5],
        session[4:],
        f"{session[:middle]}!{session[middle:]}",
        f"{session[:middle]} {session[middle:]}",
        f"{session}.",
        f"{session}AAAA",
        f"{session}====",
        f" {session}",
        padded if padded != session else f"{session}=",
        base64.urlsafe_b64encode(b"\x80" + b"\0" * 72).decode(),
        session.upper(),
        session * 2,
    ]


def test_forged_session_returns_401(backend: Backends, world: World) -> None:
    app = backend()
    request = new_request(app.device(), world)
    for forged in forged_sessions(request["session"]):
        state = {"session": forged, "state": _state_of(forged)}
        assert_problem(app.device().post("/complete", json=request | state), 401, OTHER)
        by_cookie = {"code": request["code"], "state": _state_of(forged)}
        if " " not in forged:
            response = app.device().post("/complete", json=by_cookie, headers={"Cookie": f"{COOKIE}={forged}"})
            assert_problem(response, 401, OTHER)
    assert_result(app.device().post("/complete", json=request), True)


def test_forged_proof_at_the_callback_returns_401(backend: Backends) -> None:
    app = backend("follow-through")
    for forged in forged_sessions(start(app.device())["session"]):
        if forged != forged.strip():
            continue  # HTTP strips surrounding spaces
        response = app.device().get(f"/callback?code=c&state={_state_of(forged)}", headers={PROOF: forged})
        assert_problem(response, 401, OTHER)


def test_used_session_with_another_spelling_returns_401(backend: Backends, world: World) -> None:
    app = backend()
    request = new_request(app.device(), world)
    assert_result(app.device().post("/complete", json=request), True)
    code = new_request(app.device(), world)["code"]
    for forged in forged_sessions(request["session"]):
        replay = {"code": code, "session": forged, "state": _state_of(forged)}
        assert_problem(app.device().post("/complete", json=replay), 401, OTHER)


def _state_of(session: str) -> str:
    return sha256(session.encode()).hexdigest()


def test_missing_session_returns_409(backend: Backends, world: World) -> None:
    app = backend()
    request = world.code(start(app.device())["authUrl"])
    for session in [None, ""]:
        assert_problem(app.device().post("/complete", json=request | {"session": session}), 409, OTHER)


def test_expired_session_returns_409(backend: Backends, world: World) -> None:
    app = backend(NUMBER_VERIFY_LIFETIME_S="1")
    first = app.device().post("/start", json={"phoneNumber": RIGHT})
    request = world.code(first.json()["authUrl"]) | {"session": first.json()["session"]}
    created = time.time()
    until(lambda: time.time() > created + 2.1, "the session expires")
    assert_problem(app.device().post("/complete", json=request), 409, OTHER)


def test_replayed_session_or_code_is_rejected(backend: Backends, world: World) -> None:
    app = backend()
    request, key = new_request(app.device(), world), new_key()
    assert_result(app.device().post("/complete", json=request, headers=key), True)
    assert_problem(app.device().post("/complete", json=request, headers=new_key()), 409, OTHER)
    assert_problem(app.device().post("/complete", json=request), 409, OTHER)
    fresh = new_request(app.device(), world) | {"code": request["code"]}
    assert_problem(app.device().post("/complete", json=fresh, headers=key), 422, "fix_integration")
    assert_problem(app.device().post("/complete", json=fresh, headers=new_key()), 403, OTHER)


def test_replayed_idempotency_key_without_the_session_is_rejected(backend: Backends, world: World) -> None:
    """A client that has the key and the body, but not the session, does not get the stored response."""
    app = backend()
    device, key = app.device(), new_key()
    request = world.code(start(device)["authUrl"])
    assert_result(device.post("/complete", json=request, headers=key), True)
    attacker = app.device()
    start(attacker)
    assert_problem(attacker.post("/complete", json=request, headers=key), 403, OTHER)
    assert_problem(app.device().post("/complete", json=request, headers=key), 409, OTHER)


def test_key_rotation_keeps_running_flows(new_backend: Backends, world: World) -> None:
    """Replica 0 has the old key, replica 1 the new one and the old one, replica 2 the new one only."""
    new = Fernet.generate_key().decode()
    app: Backend = new_backend()
    for keys in [f"{new},{KEY}", new]:
        app.add_replica(NUMBER_VERIFY_KEYS=keys).await_readiness()
    old_session, new_session = new_request(app.device(0), world), new_request(app.device(1), world)
    assert_problem(app.device(2).post("/complete", json=old_session), 401, OTHER)
    assert_result(app.device(1).post("/complete", json=old_session), True)
    assert_problem(app.device(0).post("/complete", json=new_session), 401, OTHER)
    assert_result(app.device(2).post("/complete", json=new_session), True)
