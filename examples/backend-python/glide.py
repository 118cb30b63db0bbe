"""Glide's `getAuthUrl` and `verifyNumber`, by its SDK, and the mapping of its failures to problems.

The SDK's HTTP function is replaced: it follows any redirect, reads responses of any size, accepts 201 for 200 and the
string "true" as a result, and requires members of a token response that it does not use. Only the kind of a failure is
logged: error texts may quote a response of Glide.
"""

import asyncio
import json

import aiohttp
from glide_sdk import GlideClient
from glide_sdk.src.glide_sdk.services import number_verify
from glide_sdk.src.glide_sdk.utils import FetchError, FetchXInput
from glide_sdk.src.glide_sdk.utils import Response as Fetched
from pydantic import StrictBool

import log
from contract import FIX_INTEGRATION, RETRY_LATER, USE_ANOTHER_CHANNEL, Problem, strict_json
from sealed import Session
from settings import DEV_PRINT, Settings

# Errors for which another channel helps: OAuth has them in `error`, CAMARA in `code`, in upper case.
TOKEN_REFUSALS = ("invalid_grant", "access_denied")
NOT_FOUND = ("IDENTIFIER_NOT_FOUND", "DEVICE_NOT_FOUND")
CLIENT_NOT_PERMITTED = "PERMISSION_DENIED"  # CAMARA's code for a client without this permission
RESPONSE_LIMIT = 256 * 1024
# RFC 9110, section 15: timeouts, rate limits, and failing or overloaded servers. Other 5xx are permanent.
TEMPORARY = (408, 425, 429, 500, 502, 503, 504)


async def fetch(url: str, request: FetchXInput) -> Fetched:
    """Sends a request without following redirects. Content codings are neither requested nor decoded."""
    headers = request.headers | {"Accept-Encoding": "identity"}
    async with (
        aiohttp.ClientSession(auto_decompress=False) as session,
        session.request(request.method, url, headers=headers, data=request.body, allow_redirects=False) as response,
    ):
        is_token = url.endswith("/oauth2/token")
        is_success = response.status in (range(200, 300) if is_token else (200,))
        data = b""
        async for chunk in response.content.iter_any():
            data += chunk
            if len(data) > RESPONSE_LIMIT:
                break
        if not is_success:  # the status decides, whatever the body is
            raise FetchError(response.status, "", data.decode(errors="replace"))
        if len(data) > RESPONSE_LIMIT:
            raise ValueError
        text = data.decode()
        if not is_token:
            strict_json(data)
        return Fetched(_token(text) if is_token else text, response.status, ok=True)


def _token(text: str) -> str:
    """Keeps only the access token (RFC 6749, section 5.1): the SDK requires the other two members but ignores them."""
    members = json.loads(text)
    token = members.get("access_token") if isinstance(members, dict) else None
    if not isinstance(token, str) or not token:
        raise ValueError
    return json.dumps({"access_token": token, "expires_in": 0, "scope": ""})


class StrictVerifyResponse(number_verify.NumberVerifyResponse):
    devicePhoneNumberVerified: StrictBool


number_verify.fetch_x = fetch
number_verify.NumberVerifyResponse = StrictVerifyResponse


class Glide:
    def __init__(self, settings: Settings) -> None:
        self._client = GlideClient(
            client_id=settings.client_id,
            client_secret=settings.client_secret,
            redirect_uri=settings.redirect_uri,
            auth_base_url=settings.auth_base_url,
            api_base_url=settings.api_base_url,
            use_env=False,  # else it searches for a .env in the parents of the virtual environment
        )
        self._print_code = settings.delivery == DEV_PRINT
        self._timeout_s = settings.provider_timeout_s  # the SDK has no timeout; that of aiohttp is 5 minutes

    async def auth_url(self, state: str, timeout_s: float) -> str:
        auth_url = self._client.number_verify.get_auth_url(print_code=self._print_code, state=state)
        try:
            return await asyncio.wait_for(auth_url, timeout_s)
        except asyncio.TimeoutError as error:
            kind, problem = _classify("auth_url", error)
            log.warning("provider_failed", status=None, kind=kind)
            raise problem from None

    async def is_number_of_sim(self, code: str, number: str) -> bool:
        call = "token"

        async def exchange_and_verify() -> bool:
            nonlocal call
            user = await self._client.number_verify.for_user(code, number)
            call = "verify"
            return (await user.verify_number()).devicePhoneNumberVerified is True

        try:
            return await asyncio.wait_for(exchange_and_verify(), self._timeout_s)
        except Exception as error:
            kind, problem = _classify(call, error)
            log.warning("provider_failed", status=getattr(error, "status", None), kind=kind)
            raise problem from None

    async def release(self, session: Session) -> None:
        """Releases the provider's resources for a session that the phone aborts.

        Called once, after the session is marked as used, and cancelled after the provider timeout. It does not affect
        the response: a failure is logged.

        Store the provider's request id in the session, and take it only from there. Never look it up by number: an
        attacker who starts for a victim's number and aborts the resulting session would cancel the victim's running
        request.

        Glide has nothing to release: a code that is not exchanged expires. Providers whose requests stay open need
        it, such as Vonage (Verify v2), where an open request blocks the next one for the same number with a 409:
        send `DELETE /v2/verify/{request_id}`, with the `request_id` of the start in `Session`.
        """


def _classify(call: str, error: Exception) -> tuple[str, Problem]:
    if isinstance(error, asyncio.TimeoutError):
        return "timeout", Problem(504, "Glide did not respond in time", RETRY_LATER)
    if isinstance(error, FetchError):
        if error.status in TEMPORARY:
            return f"{call}_busy", Problem(502, "Glide is temporarily unavailable", RETRY_LATER)
        if error.status >= 500:
            return f"{call}_unavailable", Problem(502, "Glide does not support this request", USE_ANOTHER_CHANNEL)
        if _is_user_error(call, error):
            return f"{call}_refused", Problem(403, "Glide rejected this code or this SIM", USE_ANOTHER_CHANNEL)
        return f"{call}_misused", _integration_problem()
    if isinstance(error, aiohttp.ClientSSLError):
        return "tls", _integration_problem()
    if isinstance(error, aiohttp.ClientConnectionError | aiohttp.ClientPayloadError):
        return "unreachable", Problem(502, "Glide cannot be reached", RETRY_LATER)
    return f"{call}_malformed", _integration_problem()


def _is_user_error(call: str, error: FetchError) -> bool:
    """Whether the error concerns the user, so that another channel helps, and not the client or its configuration."""
    try:
        members = strict_json(error.data.encode())
    except ValueError:
        return False
    if not isinstance(members, dict):
        return False
    if call == "token":
        return any(str(members.get(name)).lower() in TOKEN_REFUSALS for name in ("error", "code"))
    if not isinstance(members.get("code"), str):
        return False
    code = members["code"].upper()
    if error.status == 404:
        return code in NOT_FOUND  # not an unknown path
    return error.status in (403, 409, 410, 422) and code != CLIENT_NOT_PERMITTED


def _integration_problem() -> Problem:
    return Problem(500, "configuration or protocol error between this backend and Glide", FIX_INTEGRATION)
