"""A foreign-language caller for scripts/sanitize: calls all functions of the library through uniffi's Python bindings.

    caller.py FOLDER-OF-THE-BINDINGS ROUNDS < the simulator's startup line

It uses the functions as Kotlin and Swift do, without a JVM: objects and buffers cross the FFI in both directions, callbacks
run on the library's threads, pending futures are dropped, callbacks throw, and a verifier is released while it works.
"""

import asyncio
import gc
import json
import sys
import threading

sys.path.insert(0, sys.argv[1])
import number_verify as nv  # noqa: E402

SIMULATOR = json.loads(sys.stdin.readline())
NUMBER, ANOTHER_NUMBER = "+14155550100", "+14155550199"
# A safeguard against hanging.
TIMEOUT_S = 300


class Loopback(nv.CellularProvider):
    def __init__(self, fails=False, delay=0.0):
        self.fails, self.delay, self.acquired, self.released, self.events = fails, delay, 0, 0, None

    async def acquire(self, events):
        self.acquired += 1
        self.events = events
        events.operated_by("00101")
        await asyncio.sleep(self.delay)
        if self.fails:
            raise nv.CellularError.Unavailable(nv.CellularCause.NO_SIM)
        return nv.NetworkBinding.LINUX_INTERFACE("lo")

    async def release(self):
        self.released += 1

    async def status(self):
        return nv.CellularStatus.WIFI_ACTIVE()

    async def wait_until_released(self):
        while self.acquired != self.released:
            await asyncio.sleep(0.01)


class Throwing(nv.CellularProvider):
    async def acquire(self, events):
        raise ValueError("acquire")

    async def release(self):
        raise ValueError("release")

    async def status(self):
        raise ValueError("status")


class Listener(nv.ProgressListener):
    def __init__(self, throws=False):
        self.throws, self.count, self.threads = throws, 0, set()

    def on_progress(self, progress):
        self.count += 1
        self.threads.add(threading.get_ident())
        assert repr(progress)
        if self.throws:
            raise ValueError("on_progress")


class Trust(nv.ServerTrust):
    def __init__(self, decision):
        self.decision, self.calls = decision, 0

    def check_server_trusted(self, chain, host, ocsp_response):
        self.calls += 1
        assert chain and host
        if self.decision is None:
            raise ValueError("check_server_trusted")
        return self.decision


class Backend(nv.Backend):
    def __init__(self, response):
        self.response = response

    async def start(self, request):
        assert request.headers() is not None and request.time_left_ms() > 0 and request.idempotency_key()
        if self.response is None:
            raise ValueError("start")
        port = SIMULATOR["https_port"]
        query = "client_id=SIMULATOR&response_type=code&state=s&operator=a&redirect_uri=myapp%3A%2F%2Fdone"
        return nv.AuthorizationStart(f"https://auth.simulator.test:{port}/oauth2/auth?{query}")

    async def complete(self, request):
        assert request.code() and request.state() == "s"
        return self.response


def config(operator="a", roots=True, **settings):
    return nv.Config(
        backend_url=f"https://backend.simulator.test:{SIMULATOR['https_port']}/number-verify/{operator}",
        headers=[nv.Header("Authorization", "Bearer of-the-app")],
        operator_headers_to=nv.OperatorHeaders.FIRST_HOST,
        code_delivery=nv.CodeDelivery.RELAY,
        cleartext=nv.Cleartext.ON_REDIRECTS,
        development=nv.Development(root_certificates=[SIMULATOR["root_ca_pem"]] if roots else [], resolve=SIMULATOR["hosts"]),
        **settings,
    )


def options():
    return nv.VerificationOptions(headers=[nv.Header("X-Attestation", "token")], start_fields=[nv.CoreStartField("device", '{"os":"none"}')])


async def check_verification(operator):
    phone, listener = Loopback(), Listener()
    verifier = nv.CoreVerifier(config(operator), phone)
    assert (await verifier.check()).is_WIFI_ACTIVE()
    await verifier.prepare()
    for number, expected in [(NUMBER, True), (ANOTHER_NUMBER, False)]:
        result = await verifier.begin_with(number, options(), listener).result()
        assert result.verified() is expected, result.response_json()
        assert json.loads(result.trace().to_json()) and result.trace().to_table() and result.trace().explain()
    verifier.forget_hosts()
    assert listener.count > 0
    await phone.wait_until_released()


async def check_concurrent_verifications():
    phone = Loopback()
    verifier = nv.CoreVerifier(config(), phone)
    flows = [verifier.begin_with(NUMBER, options(), Listener()) for _ in range(16)]
    # Each result is awaited twice: results are shared.
    results = await asyncio.gather(*(flow.result() for flow in flows + flows))
    assert all(result.verified() for result in results)
    await phone.wait_until_released()


async def check_cancellation():
    phone = Loopback(delay=0.05)
    verifier = nv.CoreVerifier(config(), phone)
    for delay in [0.0, 0.02, 0.08, 0.12]:
        flow = verifier.begin_with(NUMBER, options(), Listener())
        waiting = asyncio.ensure_future(flow.result())
        await asyncio.sleep(delay)
        threading.Thread(target=flow.cancel).start()
        try:
            await waiting
        except nv.CoreError.Cancelled:
            pass
        assert flow.trace().to_json()
        # Cancels only the waiting: the future is dropped, including its Rust part.
        flow = verifier.begin_with(NUMBER, options(), Listener())
        waiting = asyncio.ensure_future(flow.result())
        await asyncio.sleep(delay)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        # Drops the last reference to the flow, and then to the verifier.
        del flow, waiting
    del verifier
    gc.collect()
    await phone.wait_until_released()


async def check_network_loss():
    phone = Loopback()
    verifier = nv.CoreVerifier(config(), phone)
    flow = verifier.begin_with(NUMBER, options(), None)
    while phone.events is None:
        await asyncio.sleep(0.001)
    threading.Thread(target=phone.events.lost, args=[nv.CellularCause.INTERFACE_DOWN]).start()
    try:
        await flow.result()
    except nv.CoreError.CellularUnavailable:
        pass
    await phone.wait_until_released()


async def assert_fails(expected, result):
    try:
        await result
    except expected as error:
        assert error.to_json() and repr(error)
    else:
        raise AssertionError(expected)


async def check_errors():
    for provider in [Throwing(), Loopback(fails=True)]:
        verifier = nv.CoreVerifier(config(), provider)
        await assert_fails(nv.CoreError.CellularUnavailable, verifier.begin_with(NUMBER, options(), Listener()).result())
    try:
        await nv.CoreVerifier(config(), Throwing()).check()
    except nv.CoreError:
        pass
    phone = Loopback()
    verifier = nv.CoreVerifier(config(), phone)
    assert (await verifier.begin_with(NUMBER, options(), Listener(throws=True)).result()).verified()
    await assert_fails(nv.CoreError.InvalidPhoneNumber, verifier.begin_with("not a number", options(), None).result())
    for invalid in [{"backend_url": "ftp://x"}, {"redirect_limit": 0}]:
        try:
            nv.CoreVerifier(nv.Config(**{**vars(config()), **invalid}), phone)
        except nv.CoreError.InvalidConfig:
            continue
        raise AssertionError(invalid)
    for text in ["", "[", '[{"host":"a.test"}]', "\0", "🙂" * 1000]:
        try:
            nv.core_hints_from_json(text)
        except nv.CoreError:
            pass
    await phone.wait_until_released()


async def check_custom_backend():
    phone = Loopback()
    settings = config()
    for response, expected in [('{"verified":true}', True), ('{"verified":false}', False)]:
        verifier = nv.CoreVerifier.with_backend(settings, phone, Backend(response))
        assert (await verifier.begin_with(NUMBER, options(), Listener()).result()).verified() is expected
    verifier = nv.CoreVerifier.with_backend(settings, phone, Backend(json.dumps({"phoneNumber": NUMBER})))
    retrieved = await verifier.begin_retrieval(options(), Listener()).result()
    assert retrieved.phone_number() == NUMBER and retrieved.response_json() and retrieved.trace().to_json()
    for response in [None, "", "{}", "[" * 1000]:
        verifier = nv.CoreVerifier.with_backend(settings, phone, Backend(response))
        await assert_fails(nv.CoreError.Backend, verifier.begin_with(NUMBER, options(), Listener()).result())
    await phone.wait_until_released()


async def check_server_trust():
    phone = Loopback()
    for decision in [True, False, None]:
        trust = Trust(decision)
        result = nv.CoreVerifier(config(roots=False), phone, trust).begin_with(NUMBER, options(), None).result()
        if decision:
            assert (await result).verified()
        else:
            await assert_fails(nv.CoreError, result)
        assert trust.calls > 0
    await phone.wait_until_released()


async def main():
    # Callbacks are called on the library's threads.
    nv.uniffi_set_event_loop(asyncio.get_running_loop())
    for _ in range(int(sys.argv[2])):
        tasks = [check_verification(operator) for operator in "ab"]
        tasks += [check_concurrent_verifications(), check_cancellation(), check_network_loss(), check_errors()]
        tasks += [check_custom_backend(), check_server_trust()]
        await asyncio.wait_for(asyncio.gather(*tasks), TIMEOUT_S)
        gc.collect()
    print(f"{sys.argv[2]} rounds")


asyncio.run(main())
