"""Steps for CAMARA's scenarios of `verify`, run against the simulator. The feature file is CAMARA's, unedited.

Scenario 400.3 has no step that sends the request: the first access to the response sends it. 400.4 and C02.01 refer to
schemas that the definition of the same release has only inline: `INLINE` has their pointers.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import ValidationError, validate
from pytest_bdd import given, parsers, scenarios, then, when

from contract import Contract, Exchange
from simulator import RIGHT, WRONG, Simulator

CAMARA = Path(__file__).parent / "camara"
REQUEST_BODY = "#/components/schemas/NumberVerificationRequestBody"
INLINE = {
    "#/components/schemas/PhoneNumber": f"{REQUEST_BODY}/properties/phoneNumber",
    "#/components/schemas/HashedPhoneNumber": f"{REQUEST_BODY}/properties/hashedPhoneNumber",
}
CORRELATOR = "b4333c46-49c0-4f62-80d7-f0ef930f1c46"

scenarios("camara/number-verification-phoneNumberVerify.feature")


class Call:
    """The request that a scenario describes, and its response."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.contract: Contract
        self.headers: dict[str, str] = {}
        self.properties: dict[str, Any] = {}
        self.body: bytes | None = None
        self.exchange: Exchange | None = None

    def schema(self, pointer: str) -> dict[str, Any]:
        return self.contract.schema(INLINE.get(pointer, pointer))

    def bearer(self, token: str) -> None:
        self.headers["Authorization"] = f"Bearer {token}"

    def set(self, name: str, value: str) -> None:
        self.properties[name] = value
        self.body = json.dumps(self.properties).encode()

    @property
    def response(self) -> Exchange:
        if not self.exchange:
            self.send()
        assert self.exchange
        return self.exchange

    @property
    def response_json(self) -> dict[str, Any]:
        return json.loads(self.response.response_body)

    def send(self) -> None:
        url = f"{self.contract.base_url}/verify"
        response = self.simulator.http.request("POST", url, headers=self.headers, content=self.body)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.exchange = Exchange("POST", url, headers, self.body or b"", response.status_code)
        self.exchange.response_headers = list(response.headers.items())
        self.exchange.response_body = response.content
        self.contract.check_response(self.exchange)


def sha256(number: str) -> str:
    return hashlib.sha256(number.encode()).hexdigest()


@pytest.fixture
def call(simulator: Simulator) -> Call:
    return Call(simulator)


# Background


@given(parsers.parse('the resource "{path}" as base url'))
def _(call: Call, path: str) -> None:
    call.contract = Contract(CAMARA / "number-verification.yaml", call.simulator.url + path)


@given(parsers.parse('the header "Content-Type" is set to "{label}"'))
def _(call: Call, label: str) -> None:
    call.headers["Content-Type"] = label


@given(parsers.parse('the header "x-correlator" complies with the schema at "{pointer}"'))
def _(call: Call, pointer: str) -> None:
    validate(CORRELATOR, call.schema(pointer))
    call.headers["x-correlator"] = CORRELATOR


@given("the request body is set by default to a request body compliant with the schema")
@given("the request body is set to a valid request body")
@given("a valid phone number identified by the token and provided in the request body")
def _(call: Call) -> None:
    body = {"phoneNumber": RIGHT}
    validate(body, call.schema(REQUEST_BODY))
    call.body = json.dumps(body).encode()


# Tokens


@given('the header "Authorization" is set to a valid access token')
@given("a valid phone number supported by the service, identified by the token")
@given("a valid testing phoneNumber supported by the service, identified by the token")
@given("the token has been obtained by a supported authentication method")
def _(call: Call) -> None:
    call.bearer(call.simulator.token_for_verify())


@given('the header "Authorization" is removed')
def _(call: Call) -> None:
    del call.headers["Authorization"]


@given('the header "Authorization" is set to an expired access token')
def _(call: Call, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    call.simulator = Simulator(tmp_path, "--token-lifetime", "0")
    request.addfinalizer(call.simulator.stop)
    call.contract = Contract(CAMARA / "number-verification.yaml", call.simulator.url + "/number-verification/v2")
    call.bearer(call.simulator.token_for_verify())


@given('the header "Authorization" is set to an invalid access token')
def _(call: Call) -> None:
    call.bearer("0" * 32)


@given('the header "Authorization" is set to an access token without the required scope')
def _(call: Call) -> None:
    call.bearer(call.simulator.token(call.simulator.code(scope="openid")))


@given(
    'the header "Authorization" is set to a token for which neither Network-based nor SIM-based authentication was used'
)
def _(call: Call) -> None:
    code = call.simulator.code(scope="openid number-verification:verify", prompt="login")
    call.bearer(call.simulator.token(code))


@given('the header "Authorization" is set to a valid access token which does not identify a single phone number')
def _(call: Call) -> None:
    call.bearer(call.simulator.token(scope="number-verification:verify"))


# Bodies

HASHED = ", hashed in SHA-256 (in hexadecimal representation)"
VALUES = {
    '"foo_value"': "foo_value",
    "a valid phone number": RIGHT,
    "the phone number identified by the access token": RIGHT,
    "a valid phone number different from the one identified by the access token": WRONG,
    'a valid phone number compliant with OAS schema at "#/components/schemas/HashedPhoneNumber"': sha256(RIGHT),
}


@given(parsers.re(r'the (request )?body property "\$\.(?P<name>\w+)" is set to (?P<value>.+)'))
def _(call: Call, name: str, value: str) -> None:
    plain = VALUES[value.removesuffix(HASHED)]
    call.set(name, sha256(plain) if value.endswith(HASHED) else plain)


@given(parsers.parse('the same phone number is compliant with OAS schema at "{pointer}"'))
def _(call: Call, pointer: str) -> None:
    validate(call.properties["phoneNumber"], call.schema(pointer))


@given(parsers.parse('the request body property "$.phoneNumber" does not comply with the OAS schema at "{pointer}"'))
def _(call: Call, pointer: str) -> None:
    call.set("phoneNumber", RIGHT.removeprefix("+"))
    with pytest.raises(ValidationError):
        validate(call.properties["phoneNumber"], call.schema(pointer))


@given('the request body does not contain neither "$.phoneNumber" nor "$.hashedPhoneNumber"')
def _(call: Call) -> None:
    assert call.body and not {"phoneNumber", "hashedPhoneNumber"} & json.loads(call.body).keys()


@given("the request body is not included")
def _(call: Call) -> None:
    call.body = None


@given(parsers.parse('the request body is set to "{body}"'))
def _(call: Call, body: str) -> None:
    call.body = body.encode()


# The request and its response


@when('the request "phoneNumberVerify" is sent')
def _(call: Call) -> None:
    call.send()


@then(parsers.re(r'the response status code is "?(?P<status>\d+)"?'))
def _(call: Call, status: str) -> None:
    assert call.response.status == int(status)


@then(parsers.parse('the response header "Content-Type" is "{label}"'))
def _(call: Call, label: str) -> None:
    assert dict(call.response.response_headers)["content-type"] == label


@then('the response header "x-correlator" has same value as the request header "x-correlator"')
def _(call: Call) -> None:
    assert dict(call.response.response_headers)["x-correlator"] == call.headers["x-correlator"]


@then(parsers.parse('the response body complies with the OAS schema at "{pointer}"'))
def _(call: Call, pointer: str) -> None:
    validate(call.response_json, call.schema(pointer) | {"components": call.contract.document["components"]})


@then(parsers.re(r'the response property "\$\.(?P<name>\w+)" (is|==) (?P<value>true|false|\d+|"[A-Z0-9_.]+")'))
def _(call: Call, name: str, value: str) -> None:
    assert call.response_json[name] == json.loads(value)


@then('the response property "$.message" contains a user friendly text')
def _(call: Call) -> None:
    message = call.response_json["message"]
    assert message.endswith(".") and " " in message
