"""Glide's `getAuthUrl` and `verifyNumber`, by its own client, and what its failures mean for the app.

The SDK's own way to fetch is replaced: it follows redirects (to whom, and over what?), reads answers of any size, takes
201 for 200, and the string "true" for a verdict. It needs more of a token response than it uses. Of a failure only the
kind is logged: texts may quote what Glide said.
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

# Errors for which another channel helps. OAuth has them in `error`, CAMARA in `code`, in capitals.
TOKEN_REFUSALS = ("invalid_grant", "access_denied")
NOT_FOUND = ("IDENTIFIER_NOT_FOUND", "DEVICE_NOT_FOUND")
NOT_ABOUT_THE_USER = "PERMISSION_DENIED"  # CAMARA's code for a client that may not do this
ANSWER_LIMIT = 256 * 1024
# RFC 9110, section 15: timeouts, limits, and servers that fail or are overloaded. Other 5xx will be the same later.
TEMPORARY = (408, 425, 429, 500, 502, 503, 504)


async def fetch(url: str, asked: FetchXInput) -> Fetched:
    """The answer to this request, from there and from nobody else. Coded answers are not asked for, nor decoded."""
    headers = asked.headers | {"Accept-Encoding": "identity"}
    async with (
        aiohttp.ClientSession(auto_decompress=False) as session,
        session.request(asked.method, url, headers=headers, data=asked.body, allow_redirects=False) as response,
    ):
        is_token = url.endswith("/oauth2/token")
        is_success = response.status in (range(200, 300) if is_token else (200,))
        data = b""
        async for chunk in response.content.iter_any():
            data += chunk
            if len(data) > ANSWER_LIMIT:
                break
        if not is_success:  # whatever its page looks like, the status counts
            raise FetchError(response.status, "", data.decode(errors="replace"))
        if len(data) > ANSWER_LIMIT:
            raise ValueError
        text = data.decode()
        if not is_token:
            strict_json(data)
        return Fetched(_token(text) if is_token else text, response.status, ok=True)


def _token(text: str) -> str:
    """Only the access token of the response (RFC 6749, section 5.1): the SDK needs the other two, and uses neither."""
    told = json.loads(text)
    token = told.get("access_token") if isinstance(told, dict) else None
    if not isinstance(token, str) or not token:
        raise ValueError
    return json.dumps({"access_token": token, "expires_in": 0, "scope": ""})


class Verdict(number_verify.NumberVerifyResponse):
    devicePhoneNumberVerified: StrictBool


number_verify.fetch_x = fetch
number_verify.NumberVerifyResponse = Verdict


class Glide:
    def __init__(self, settings: Settings) -> None:
        self._client = GlideClient(
            client_id=settings.client_id,
            client_secret=settings.client_secret,
            redirect_uri=settings.redirect_uri,
            auth_base_url=settings.auth_base_url,
            api_base_url=settings.api_base_url,
            use_env=False,  # it would search a .env in the parents of the virtual environment
        )
        self._has_code_printed = settings.delivery == DEV_PRINT
        self._timeout_s = settings.provider_timeout_s  # the SDK sets no limit; aiohttp's, under it, is 5 minutes

    async def auth_url(self, state: str, timeout_s: float) -> str:
        made = self._client.number_verify.get_auth_url(print_code=self._has_code_printed, state=state)
        try:
            return await asyncio.wait_for(made, timeout_s)
        except asyncio.TimeoutError as error:
            kind, problem = _explain("auth_url", error)
            log.warning("provider_failed", status=None, kind=kind)
            raise problem from None

    async def is_number_of_sim(self, code: str, number: str) -> bool:
        call = "token"

        async def ask() -> bool:
            nonlocal call
            user = await self._client.number_verify.for_user(code, number)
            call = "verify"
            return (await user.verify_number()).devicePhoneNumberVerified is True

        try:
            return await asyncio.wait_for(ask(), self._timeout_s)
        except Exception as error:
            kind, problem = _explain(call, error)
            log.warning("provider_failed", status=getattr(error, "status", None), kind=kind)
            raise problem from None

    async def release(self, session: Session) -> None:
        """Releases what the provider holds for a session that the phone aborts.

        It is called once, when the session has just been spent, and stopped after the provider timeout. No response
        depends on it: a failure is logged.

        Store the provider's request id in the session, and take it only from there. Never look it up by number: an
        attacker who starts for a victim's number and aborts the resulting session would cancel the victim's running
        request.

        Glide holds nothing: a code that is not exchanged expires, so there is nothing to do. Providers with a request
        that stays open need it, such as Vonage (Verify v2): a request that still runs blocks the next one for the same
        number with a 409, so send `DELETE /v2/verify/{request_id}`, with the `request_id` of the start in `Session`.
        """


def _explain(call: str, error: Exception) -> tuple[str, Problem]:
    if isinstance(error, asyncio.TimeoutError):
        return "timeout", Problem(504, "Glide did not answer in time", RETRY_LATER)
    if isinstance(error, FetchError):
        if error.status in TEMPORARY:
            return f"{call}_busy", Problem(502, "Glide cannot answer now", RETRY_LATER)
        if error.status >= 500:
            return f"{call}_unavailable", Problem(502, "Glide does not provide this", USE_ANOTHER_CHANNEL)
        if _is_about_the_user(call, error):
            return f"{call}_refused", Problem(403, "Glide refuses this code", USE_ANOTHER_CHANNEL)
        return f"{call}_misused", _misunderstood()
    if isinstance(error, aiohttp.ClientSSLError):
        return "tls", _misunderstood()
    if isinstance(error, aiohttp.ClientConnectionError | aiohttp.ClientPayloadError):
        return "unreachable", Problem(502, "Glide cannot be reached", RETRY_LATER)
    return f"{call}_malformed", _misunderstood()


def _is_about_the_user(call: str, error: FetchError) -> bool:
    """Whether another channel helps. Else the client, its rights or its settings are wrong."""
    try:
        told = strict_json(error.data.encode())
    except ValueError:
        return False
    if not isinstance(told, dict):
        return False
    if call == "token":
        return any(str(told.get(name)).lower() in TOKEN_REFUSALS for name in ("error", "code"))
    if not isinstance(told.get("code"), str):
        return False
    code = told["code"].upper()
    if error.status == 404:
        return code in NOT_FOUND  # and not: no such path
    return error.status in (403, 409, 410, 422) and code != NOT_ABOUT_THE_USER


def _misunderstood() -> Problem:
    return Problem(500, "this backend and Glide do not understand each other", FIX_INTEGRATION)
