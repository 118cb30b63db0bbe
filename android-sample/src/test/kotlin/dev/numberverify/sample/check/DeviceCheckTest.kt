package dev.numberverify.sample.check

import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner

/** The steps of the check, on a fake phone. */
@RunWith(RobolectricTestRunner::class) // for org.json
class DeviceCheckTest {
    private val phone = FakePhone().apply { followsInstructions() }

    @Test
    fun `every step passes with the evidence that it expects`() {
        val state = checked().state.value
        CheckStep.entries.forEach { assertEquals("$it: ${state[it]}", Outcome.PASSED, state[it].outcome) }
        assertTrue(state.isFinished)
    }

    /** For each step, phones on which its evidence is missing: none must pass it. */
    @Test
    fun `no step passes without its evidence`() {
        val cellularIsWifi: FakePhone.() -> Unit = { receives(operator = setOf(address!!)) }
        val isUnbound: FakePhone.() -> Unit = { outcome = { verified("unbound") } }
        val fails: FakePhone.() -> Unit = { outcome = { failed("backend/unreachable") } }
        val isNotReported: FakePhone.() -> Unit = { library = null }
        val opensNothing: FakePhone.() -> Unit = { outcome = { verified().copy(openedAhead = emptyList()) } }
        val wrong =
            mapOf<CheckStep, List<FakePhone.() -> Unit>>(
                CheckStep.CONDITIONS to
                    listOf({ networks = { usual.copy(hasVpn = true) } }, { networks = { usual.copy(default = "cellular") } }, {
                        networks = { usual.copy(status = "data_off") }
                    }),
                CheckStep.FIRST to listOf(isUnbound, fails, { outcome = { failed("not_verified") } }),
                CheckStep.ADDRESSES to
                    listOf(
                        cellularIsWifi,
                        isNotReported,
                        { endsFirst = true },
                        { receives(operator = emptySet()) },
                        { receives(operator = setOf("198.51.100.7", address!!)) },
                        { receives(operator = setOf("2001:db8::1")) },
                        { address = null },
                        { address = "nonsense" },
                    ),
                CheckStep.OTHER_TRAFFIC to
                    listOf(
                        isNotReported,
                        { endsFirst = true },
                        { address = null },
                        { address = "<html>" },
                        { receives(backend = emptySet()) },
                        { receives(backend = setOf(address!!, "198.51.100.7")) },
                        { receives(backend = setOf("2001:db8::1")) },
                    ),
                CheckStep.DNS to listOf(isUnbound, fails, { outcome = { verified().copy(hops = listOf(hop("a.test", dnsMs = null))) } }),
                CheckStep.MEMORY to
                    listOf(isUnbound, fails, opensNothing, {
                        outcome = { verified().copy(hops = listOf(hop("next.test", isOpenedAhead = false))) }
                    }),
                CheckStep.PREPARE to
                    listOf(isUnbound, fails, { obstacle = "cellular_unavailable/timeout" }, {
                        outcome = { verified().copy(hops = listOf(hop("next.test"), hop("last.test", isOpenedAhead = false))) }
                    }),
                CheckStep.FAMILIES to
                    listOf(
                        isUnbound,
                        fails,
                        { endsFirst = true },
                        { networks = { usual.copy(interfaceName = null) } },
                        { networks = { usual.copy(hasIpv4 = null, hasIpv6 = null) } },
                        { networks = { usual.copy(hasIpv4 = false) } },
                        {
                            networks = { usual.copy(hasIpv6 = false) }
                            outcome = { verified().copy(hops = listOf(hop("a.test", "ipv6"))) }
                        },
                    ),
                CheckStep.BACKGROUND to
                    listOf(
                        isUnbound,
                        fails,
                        { goesToBackground = false },
                        { returnsToForeground = false },
                        { inBackground = failed("internal") },
                    ),
                CheckStep.VPN to
                    listOf(fails, isUnbound, cellularIsWifi, isNotReported, { networks = { usual } }),
                CheckStep.DATA_OFF to
                    listOf(
                        fails,
                        { outcome = { verified() } },
                        { outcome = { failed("cellular_unavailable/airplane") } },
                    ),
                CheckStep.AIRPLANE to
                    listOf(
                        fails,
                        { outcome = { verified() } },
                        { outcome = { failed("cellular_unavailable/data_off") } },
                    ),
                CheckStep.OTHER_SIM to
                    listOf(fails, isUnbound, cellularIsWifi, { networks = { usual } }, { networks = { usual.copy(dataSim = null) } }),
                CheckStep.LAST to listOf(fails, isUnbound, cellularIsWifi, { address = null }),
            )
        assertEquals("every step has phones", CheckStep.entries.toSet(), wrong.keys)
        wrong.forEach { (step, phones) ->
            phones.forEachIndexed { index, change ->
                val result = checked(FakePhone().apply { followsInstructions() }.apply(change)).state.value[step]
                assertTrue("$step, phone $index: $result", result.outcome == Outcome.FAILED || result.outcome == Outcome.NOT_RUN)
            }
        }
    }

    @Test
    fun `an address that changes during the verification is no evidence`() {
        val changing = Addresses("192.0.2.1", "192.0.2.2", "192.0.2.1", phone.library)
        assertEquals(Outcome.FAILED, Judgement.otherTraffic(changing).outcome)
        assertEquals(Outcome.FAILED, Judgement.addresses(changing).outcome)
    }

    @Test
    fun `IPv6 addresses are compared by their network`() {
        val wifi = listOf("2001:db8:1:2::1", "2001:db8:1:2:ffff::2", "2001:db8:1:2::3")
        val (before, during, after) = wifi
        val same = Addresses(before, during, after, LibraryAddresses(setOf("2001:db8:1:2::5"), setOf("2001:db8:1:2::4")))
        assertEquals(Outcome.PASSED, Judgement.otherTraffic(same).outcome)
        assertEquals(Outcome.FAILED, Judgement.addresses(same).outcome)
        val other = Addresses(before, during, after, LibraryAddresses(operator = setOf("2001:db8:1:3::1")))
        assertEquals(Outcome.PASSED, Judgement.addresses(other).outcome)
    }

    @Test
    fun `only addresses have a network, and none is looked up`() {
        for (mapped in listOf("192.0.2.1", "::ffff:192.0.2.1", "::FFFF:192.0.2.1", "::ffff:c000:201", "0:0:0:0:0:ffff:c000:0201")) {
            assertEquals(mapped, "ipv4 192.0.2.1", networkOf(mapped))
        }
        assertEquals("ipv6 0.0.0.0.0.0.0.0", networkOf("::"))
        assertEquals("ipv6 32.1.13.184.0.1.0.2", networkOf("2001:db8:1:2:3:4:5:6"))
        assertEquals("ipv6 0.1.0.2.0.3.0.4", networkOf("1:2:3:4:5:6:7::"))
        val names = listOf("localhost", "", "1.2.3", "1.2.3.4.5", "beef", "999.1.1.1", "dead.beef.cafe.de", "01.2.3.4")
        val colons = listOf(":", ":::", "dead:beef", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "1::2::3", "12345::", "::1.2.3.4:1")
        (names + colons).forEach { assertEquals(it, null, networkOf(it)) }
    }

    @Test
    fun `IPv4 over an IPv6-only network passes with 464XLAT`() {
        val held = phone.usual.copy(hasIpv4 = false, has464Xlat = true)
        val result = Judgement.families(held, phone.verified())
        assertEquals("$result", Outcome.PASSED, result.outcome)
        assertEquals("true", result.facts["464xlat"])
    }

    @Test
    fun `steps for a person are skipped if there is none, or by the person`() {
        val alone = checked(isAttended = false).state.value
        val skipped = CheckStep.entries.filter { it.instruction != null && !it.isUsualState }
        assertEquals(6 - 1, skipped.size)
        skipped.forEach { assertEquals(Outcome.SKIPPED, alone[it].outcome) }
        assertEquals(CheckStep.entries.size - skipped.size, alone.count(Outcome.PASSED))
        assertEquals(Outcome.SKIPPED, checked(isDone = false).state.value[CheckStep.VPN].outcome)
    }

    @Test
    fun `a step waits for the person, and takes one answer`() =
        runBlocking {
            val check = DeviceCheck(phone, isAttended = true, "example.com")
            val running = launch(Dispatchers.Unconfined, CoroutineStart.UNDISPATCHED) { check.run() }
            assertTrue(check.state.value.isWaiting && check.state.value.current == CheckStep.CONDITIONS)
            check.answer(true)
            assertEquals(CheckStep.BACKGROUND, check.state.value.current)
            assertFalse(check.state.value.isFinished)
            running.cancel()
        }

    @Test
    fun `without a host name, DNS is not run`() {
        assertEquals(Outcome.NOT_RUN, checked(dnsHost = null).state.value[CheckStep.DNS].outcome)
    }

    @Test
    fun `the report has every step and no address`() {
        val check = checked()
        val report = check.report
        val json = JSONObject(report.toJson())
        assertEquals("number-verify/device-check", json.getString("format"))
        assertEquals(1, json.getInt("version"))
        assertTrue(json.getBoolean("finished"))
        assertEquals("310-260", json.getJSONObject("device").getString("operator"))
        val steps = json.getJSONArray("steps")
        assertEquals(CheckStep.entries.map { it.id }, List(steps.length()) { steps.getJSONObject(it).getString("id") })
        assertEquals("yes", steps.getJSONObject(CheckStep.ADDRESSES.ordinal).getJSONObject("facts").getString("differs"))
        val text = report.toShare()
        CheckStep.entries.forEach { assertTrue(text, it.title in text) }
        assertTrue(text, text.startsWith("Device check: 0 not run, 14 passed, 0 failed, 0 skipped\n"))
        for (secret in listOf("192.0.2", "198.51.100", "\"dataSim\"", "correlator")) assertFalse(text, secret in text)
        val verifications = json.getJSONArray("verifications")
        val verified = List(verifications.length()) { verifications.getJSONObject(it).getString("step") }
        assertTrue("$verified", "first" in verified)
        assertFalse("the page of a public host is not in the report", "dns" in verified)
    }

    private fun hop(
        host: String,
        family: String = "ipv4",
        dnsMs: Long? = 12,
        isOpenedAhead: Boolean = true,
    ) = RunHop(host, family, dnsMs, isOpenedAhead)

    private fun checked(
        phone: FakePhone = this.phone,
        isAttended: Boolean = true,
        isDone: Boolean = true,
        dnsHost: String? = "example.com",
    ): DeviceCheck =
        runBlocking {
            val check = DeviceCheck(phone, isAttended, dnsHost)
            phone.step = { check.state.value.current }
            val running = launch(Dispatchers.Unconfined, CoroutineStart.UNDISPATCHED) { check.run() }
            while (check.state.value.isWaiting) check.answer(isDone)
            running.join()
            check
        }
}
