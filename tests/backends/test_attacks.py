"""Who tries to have a number verified that is not of their SIM, or somebody else's session.

A refused attempt costs its victim nothing: the session is still good for whom it was made.
"""

import base64
import json
import time
from hashlib import sha256
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from cryptography.fernet import Fernet

from calls import COOKIE, OTHER, Backends, a_key, a_request, assert_problem, assert_verdict, start, state_in
from implementations import Implementation
from running import KEY, Backend
from test_contract import landing
from waiting import until
from world import RIGHT, WRONG, World

PROOF = "X-Number-Verify-Session"


@pytest.mark.parametrize("victim", ["stranger", "has a session", "knows the state"])
def test_the_victims_phone_does_not_verify_the_attacker(backend: Backends, world: World, victim: str) -> None:
    """The attacker starts with the victim's number, and has the victim's phone open his auth URL."""
    app = backend("follow-through")
    attacker, phone = app.device(), app.device()
    started = start(attacker)
    state, headers = state_in(started), {}
    if victim == "has a session":
        headers = {PROOF: start(phone)["session"]}
    if victim == "knows the state":
        headers = {PROOF: state, "Cookie": f"{COOKIE}={state}"}
    path = landing(app.url, world, started["authUrl"])
    answer = phone.get(path, headers=headers)
    assert_problem(answer, 403, OTHER)
    # The answer does not give away the code, with which the attacker could go on.
    assert dict(parse_qsl(urlsplit(path).query))["code"] not in answer.text + str(answer.headers)
    assert_problem(attacker.get(f"/callback?code=guessed&state={state}"), 403, OTHER)


def test_the_callback_is_closed_for_other_deliveries(backend: Backends, world: World) -> None:
    app = backend("redirect")
    device = app.device()
    path = landing(app.url, world, start(device)["authUrl"])
    assert_problem(device.get(path), 403, OTHER)
    assert_verdict(device.post("/complete", json=dict(parse_qsl(urlsplit(path).query))), True)


@pytest.mark.parametrize("query", ["", "code=c", "code=c&state=", "code=c&state=nonsense", "error=access_denied"])
@pytest.mark.parametrize("proof", ["", "nonsense"])
def test_a_callback_of_no_session(backend: Backends, query: str, proof: str) -> None:
    answer = backend("follow-through").device().get(f"/callback?{query}", headers={PROOF: proof})
    assert_problem(answer, 403, OTHER)


def test_the_number_comes_from_the_session_only(backend: Backends, world: World) -> None:
    device = backend().device()
    smuggled = {"phoneNumber": RIGHT, "number": RIGHT, "phone_number": RIGHT}
    request = a_request(device, world, WRONG) | smuggled
    assert_verdict(device.post("/complete", params=smuggled, json=request), False)


def test_the_state_of_another_flow(backend: Backends, world: World) -> None:
    app = backend()
    request = a_request(app.device(), world)
    for state in [state_in(start(app.device())), request["session"], "nonsense", "", None]:
        assert_problem(app.device().post("/complete", json=request | {"state": state}), 403, OTHER)
    assert_verdict(app.device().post("/complete", json=request), True)


def test_the_session_of_another_flow(backend: Backends, world: World) -> None:
    app = backend()
    mine, theirs = a_request(app.device(), world, WRONG), a_request(app.device(), world)
    swapped = {"code": mine["code"], "state": mine["state"], "session": theirs["session"]}
    assert_problem(app.device().post("/complete", json=swapped), 403, OTHER)
    assert_verdict(app.device().post("/complete", json=theirs), True)
    assert_verdict(app.device().post("/complete", json=mine), False)


def test_session_and_cookie_must_not_differ(backend: Backends, world: World) -> None:
    app = backend()
    device, theirs = app.device(), start(app.device())["session"]
    request = world.code(start(device)["authUrl"])
    for session in [theirs, "nonsense"]:
        assert_problem(device.post("/complete", json=request | {"session": session}), 403, OTHER)
    assert_verdict(device.post("/complete", json=request), True)


def test_a_code_of_another_flow_says_no_more_than_whose_sim_it_is(
    backend: Backends, implementation: Implementation, world: World
) -> None:
    """An attacker with a code of the victim's phone claims his own number, and with his own code the victim's."""
    app = backend()
    attacker, victim = a_request(app.device(), world, WRONG), a_request(app.device(), world)
    injected = attacker | {"code": victim["code"]}
    answer = app.device().post("/complete", json=injected)
    if implementation.codes_are_bound:
        assert_problem(answer, 403, OTHER)
    else:
        assert_verdict(answer, False)
    assert_problem(app.device().post("/complete", json=victim), 403, OTHER)  # the code was used


def test_a_code_of_the_victim_in_the_attackers_session(
    backend: Backends, implementation: Implementation, world: World
) -> None:
    """The attacker claims the victim's number, with a code of the victim's phone. Without PKCE nobody sees that."""
    app = backend()
    attacker, victim = a_request(app.device(), world), a_request(app.device(), world)
    answer = app.device().post("/complete", json=attacker | {"code": victim["code"]})
    if implementation.codes_are_bound:
        assert_problem(answer, 403, OTHER)
    else:
        assert_verdict(answer, True)


def test_two_session_cookies(backend: Backends, world: World) -> None:
    """One may have been set by another host."""
    app = backend()
    request, theirs = a_request(app.device(), world), start(app.device())["session"]
    session = request.pop("session")
    for cookies in [
        f"{COOKIE}={theirs}; {COOKIE}={session}",
        f"__Host-{COOKIE}={session}; {COOKIE}={theirs}",
        f"{COOKIE}={session}; {COOKIE}={session}",
    ]:
        assert_problem(app.device().post("/complete", json=request, headers={"Cookie": cookies}), 403, OTHER)
    assert_verdict(app.device().post("/complete", json=request, headers={"Cookie": f"__Host-{COOKIE}={session}"}), True)


@pytest.mark.parametrize(
    "connection", [{"Host": "api.example.com"}, {"Host": "localhost", "X-Forwarded-Proto": "https"}]
)
def test_cookie_that_another_host_can_set_is_no_proof_over_tls(
    backend: Backends, world: World, connection: dict[str, str]
) -> None:
    """The attacker's session is set in the victim's client, by a host of the same site or over plain http."""
    app = backend("follow-through")
    attackers, device = start(app.device()), app.device()
    query, tossed = world.code(attackers["authUrl"]), f"{COOKIE}={attackers['session']}"
    headers = connection | {"Cookie": tossed}
    assert_problem(device.get("/callback", params=query, headers=headers), 403, OTHER)
    assert_problem(device.post("/complete", json=query, headers=headers), 409, OTHER)
    own = start(app.device())
    headers = connection | {"Cookie": f"{tossed}; __Host-{COOKIE}={own['session']}"}
    assert_problem(device.get("/callback", params=query, headers=headers), 403, OTHER)
    assert_verdict(device.get("/callback", params=world.code(own["authUrl"]), headers=headers), True)


def test_bytes_in_the_cookie_header_hide_no_session(backend: Backends, world: World) -> None:
    """Neither that there are two, nor the only one; and what only looks like the cookie's name is another cookie."""
    app = backend()
    request, theirs = a_request(app.device(), world), start(app.device())["session"]
    session, name = request.pop("session").encode(), COOKIE.encode()
    mine, other = name + b"=" + session, b"__Host-" + name + b"=" + theirs.encode()
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
        answer = app.device().post("/complete", json=request, headers=[("Cookie", line) for line in lines])
        assert_problem(answer, status, OTHER)
    headers = [("Cookie", b"a=\xff; " + mine + b"; b=\xc3\xa9"), ("Cookie", b"\xff")]
    assert_verdict(app.device().post("/complete", json=request, headers=headers), True)


@pytest.mark.parametrize("proofs", [[b"\xff"], [b"%s\xff"], [b"%s", b"%s"], [b"%s", b"\xff"], [b"x", b"%s"], [b""]])
def test_a_proof_that_is_not_understood_is_not_replaced_by_the_cookie(
    backend: Backends, world: World, proofs: list[bytes]
) -> None:
    app = backend("follow-through")
    started = start(app.device())
    query, session = world.code(started["authUrl"]), started["session"].encode()
    cookie = ("Cookie", f"{COOKIE}={started['session']}")
    headers = [cookie, *((PROOF, proof.replace(b"%s", session)) for proof in proofs)]
    assert_problem(app.device().get("/callback", params=query, headers=headers), 403, OTHER)
    assert_verdict(app.device().get("/callback", params=query, headers=[cookie]), True)


@pytest.mark.parametrize(
    ("first", "second"),
    [([b"Bearer \xff"], [b"Bearer \xfe"]), ([b"Bearer \xff"], [b"Bearer \xef\xbf\xbd"]), ([b"a b"], [b"a", b"b"])],
)
def test_another_authorization_does_not_get_the_stored_answer(
    backend: Backends, first: list[bytes], second: list[bytes]
) -> None:
    app, key = backend(), a_key()

    def post(login: list[bytes]) -> httpx.Response:
        headers = [*key.items(), *(("Authorization", line) for line in login)]
        return app.device().post("/start", json={"phoneNumber": RIGHT}, headers=headers)

    assert post(first).status_code == 200
    assert_problem(post(second), 422, "fix_integration")
    assert post(first).status_code == 200


def test_the_callback_is_not_proved_by_one_session_of_two(backend: Backends, world: World) -> None:
    app = backend("follow-through")
    device, theirs = app.device(), start(app.device())["session"]
    started = start(device)
    request = world.code(started["authUrl"])
    answer = device.get("/callback", params=request, headers={PROOF: theirs})
    assert_problem(answer, 403, OTHER)
    assert device.head("/callback", params=request).status_code == 405
    assert_verdict(device.get("/callback", params=request, headers={PROOF: started["session"]}), True)


def test_a_host_that_is_none_gets_a_secure_cookie(backend: Backends) -> None:
    """Only plain http to this machine is surely without TLS."""
    app = backend()
    for host, name in [("localhost", COOKIE), ("api.example.com", f"__Host-{COOKIE}"), ("a:xx", f"__Host-{COOKIE}")]:
        answer = app.device().post("/start", json={"phoneNumber": RIGHT}, headers={"Host": host})
        if answer.status_code == 400:
            continue  # it takes no such host
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith(f"{name}=") and ("secure" in cookie.lower()) == name.startswith("__Host-")


def forgeries(session: str) -> list[str]:
    """Changed, cut and differently written sessions, of which base64 decoders may overlook some."""
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


def test_forged_and_garbled_sessions(backend: Backends, world: World) -> None:
    app = backend()
    request = a_request(app.device(), world)
    for forged in forgeries(request["session"]):
        state = {"session": forged, "state": _state_of(forged)}
        assert_problem(app.device().post("/complete", json=request | state), 401, OTHER)
        by_cookie = {"code": request["code"], "state": _state_of(forged)}
        if " " not in forged:
            answer = app.device().post("/complete", json=by_cookie, headers={"Cookie": f"{COOKIE}={forged}"})
            assert_problem(answer, 401, OTHER)
    assert_verdict(app.device().post("/complete", json=request), True)


def test_a_forged_proof_at_the_callback(backend: Backends) -> None:
    app = backend("follow-through")
    for forged in forgeries(start(app.device())["session"]):
        if forged != forged.strip():
            continue  # HTTP takes blanks off
        answer = app.device().get(f"/callback?code=c&state={_state_of(forged)}", headers={PROOF: forged})
        assert_problem(answer, 401, OTHER)


def test_a_spent_session_cannot_be_written_in_another_way(backend: Backends, world: World) -> None:
    app = backend()
    request = a_request(app.device(), world)
    assert_verdict(app.device().post("/complete", json=request), True)
    code = a_request(app.device(), world)["code"]
    for forged in forgeries(request["session"]):
        replay = {"code": code, "session": forged, "state": _state_of(forged)}
        assert_problem(app.device().post("/complete", json=replay), 401, OTHER)


def _state_of(session: str) -> str:
    return sha256(session.encode()).hexdigest()


def test_no_session(backend: Backends, world: World) -> None:
    app = backend()
    request = world.code(start(app.device())["authUrl"])
    for session in [None, ""]:
        assert_problem(app.device().post("/complete", json=request | {"session": session}), 409, OTHER)


def test_a_session_expires(backend: Backends, world: World) -> None:
    app = backend(NUMBER_VERIFY_LIFETIME_S="1")
    first = app.device().post("/start", json={"phoneNumber": RIGHT})
    request = world.code(first.json()["authUrl"]) | {"session": first.json()["session"]}
    made = time.time()
    until(lambda: time.time() > made + 2.1, "the session is too old")
    assert_problem(app.device().post("/complete", json=request), 409, OTHER)


def test_a_replayed_session_or_code_with_another_key(backend: Backends, world: World) -> None:
    app = backend()
    request, key = a_request(app.device(), world), a_key()
    assert_verdict(app.device().post("/complete", json=request, headers=key), True)
    assert_problem(app.device().post("/complete", json=request, headers=a_key()), 409, OTHER)
    assert_problem(app.device().post("/complete", json=request), 409, OTHER)
    fresh = a_request(app.device(), world) | {"code": request["code"]}
    assert_problem(app.device().post("/complete", json=fresh, headers=key), 422, "fix_integration")
    assert_problem(app.device().post("/complete", json=fresh, headers=a_key()), 403, OTHER)


def test_the_key_of_a_stranger_gets_nothing(backend: Backends, world: World) -> None:
    """Who learns the key and the body, but has not the session, does not get the answer."""
    app = backend()
    device, key = app.device(), a_key()
    request = world.code(start(device)["authUrl"])
    assert_verdict(device.post("/complete", json=request, headers=key), True)
    stranger = app.device()
    start(stranger)
    assert_problem(stranger.post("/complete", json=request, headers=key), 403, OTHER)
    assert_problem(app.device().post("/complete", json=request, headers=key), 409, OTHER)


def test_keys_are_replaced_while_flows_are_under_way(own_backend: Backends, world: World) -> None:
    """Replica 0 has the old key, replica 1 the new one and the old one, replica 2 the new one only."""
    new = Fernet.generate_key().decode()
    app: Backend = own_backend()
    for keys in [f"{new},{KEY}", new]:
        app.add_replica(NUMBER_VERIFY_KEYS=keys).await_readiness()
    old_session, new_session = a_request(app.device(0), world), a_request(app.device(1), world)
    assert_problem(app.device(2).post("/complete", json=old_session), 401, OTHER)
    assert_verdict(app.device(1).post("/complete", json=old_session), True)
    assert_problem(app.device(0).post("/complete", json=new_session), 401, OTHER)
    assert_verdict(app.device(2).post("/complete", json=new_session), True)
