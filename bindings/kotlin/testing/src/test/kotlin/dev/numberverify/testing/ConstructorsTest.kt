package dev.numberverify.testing

import dev.numberverify.AddressFamily
import dev.numberverify.Fallback
import dev.numberverify.Hop
import dev.numberverify.NetworkKind
import dev.numberverify.Progress
import dev.numberverify.RetrievedNumber
import dev.numberverify.TlsVersion
import dev.numberverify.Trace
import dev.numberverify.Verification
import dev.numberverify.VerifyException
import kotlin.test.AfterTest
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFalse
import kotlin.test.assertNotEquals
import kotlin.test.assertNull
import kotlin.test.assertSame

/** An app's tests construct the library's return values without the Rust library. */
class ConstructorsTest {
    @AfterTest
    fun assertNoNativeCode() = assertNothingNative()

    @Test
    fun verificationHasTheGivenValues() {
        assertEquals("{}", Verification(true).responseJson())
        val verification = Verification(false, """{"token":"canary"}""", Trace(correlator = "sign-in:42"))
        assertFalse(verification.verified)
        assertEquals("""{"token":"canary"}""", verification.responseJson())
        assertEquals("sign-in:42", verification.trace.correlator)
        for (output in listOf(verification, Progress.Done(verification))) assertFalse("canary" in "$output")
    }

    @Test
    fun retrievedNumberHasTheGivenValues() {
        assertEquals("{}", RetrievedNumber("+14155550100").responseJson())
        val number = RetrievedNumber("+14155550100", """{"token":"canary"}""", Trace(correlator = "sign-in:42"))
        assertEquals("+14155550100", number.phoneNumber())
        assertEquals("""{"token":"canary"}""", number.responseJson())
        assertEquals("sign-in:42", number.trace.correlator)
        for (output in listOf(number, Progress.Retrieved(number))) assertFalse("canary" in "$output" || "4155550100" in "$output")
    }

    @Test
    fun traceHasTheGivenValues() {
        val empty = Trace()
        assertEquals("", empty.correlator)
        assertNull(empty.network)
        assertEquals("{}", empty.toJson())
        assertEquals("", "$empty")
        assertEquals(emptyList(), empty.openedAhead)
        val hops = listOf(Hop("a.test"))
        val trace = Trace("sign-in:42", NetworkKind.ANDROID_NETWORK, hops, 1, 2, 3, 4, 5, """{"a":1}""", "table", listOf("b.test"), "why")
        assertEquals(listOf(Hop("a.test")), trace.hops)
        assertEquals(listOf("b.test"), trace.openedAhead)
        assertEquals(NetworkKind.ANDROID_NETWORK, trace.network)
        assertEquals(listOf<Long?>(1, 2, 3, 4, 5), with(trace) { listOf(startMs, acquireMs, authorizeMs, completeMs, totalMs) })
        assertEquals("""{"a":1}""", trace.toJson())
        assertEquals("table", "$trace")
        assertEquals("why", trace.explain())
    }

    @Test
    fun hopHasTheGivenValues() {
        assertEquals("Hop(1, https://a.test, status null)", "${Hop("a.test")}")
        assertFalse(Hop("a.test").isOpenedAhead)
        val hop = hop()
        assertEquals(listOf<Any?>("a.test", 302, 2, "http", "title"), with(hop) { listOf(host, status, index, scheme, pageTitle) })
        assertEquals(listOf<Long?>(1, 2, 3, 4, 5, 6), with(hop) { listOf(dnsMs, connectMs, tlsMs, firstByteMs, bytesIn, bytesOut) })
        assertEquals(listOf(true, true, true), with(hop) { listOf(isReused, isOpenedAhead, isTlsResumed) })
        assertEquals(AddressFamily.IPV6, hop.family)
        assertEquals(TlsVersion.TLS13, hop.tlsVersion)
        assertEquals(mapOf("cf-ray" to "1"), hop.traceIds)
        assertEquals(hop(), hop)
        assertNotEquals(hop, Hop("a.test"))
        assertEquals(Progress.HopAnswered(hop, 7), Progress.HopAnswered(hop(), 7))
    }

    private fun hop() =
        Hop(
            host = "a.test",
            status = 302,
            index = 2,
            scheme = "http",
            dnsMs = 1,
            connectMs = 2,
            tlsMs = 3,
            firstByteMs = 4,
            isReused = true,
            isTlsResumed = true,
            family = AddressFamily.IPV6,
            tlsVersion = TlsVersion.TLS13,
            traceIds = mapOf("cf-ray" to "1"),
            bytesIn = 5,
            bytesOut = 6,
            pageTitle = "title",
            isOpenedAhead = true,
        )

    @Test
    fun everyErrorHasTheGivenValues() {
        val trace = Trace(correlator = "sign-in:42")
        for (error in everyError(trace)) {
            assertEquals(Fallback.RETRY_LATER, error.fallback)
            assertSame(trace, error.trace)
            assertEquals(error.javaClass.simpleName, error.message)
        }
        assertEquals("text", VerifyException.Internal(Fallback.USE_ANOTHER_CHANNEL, "text").message)
    }

    @Test
    fun descriptionOfTheOperatorIsNotPrinted() {
        val error = VerifyException.DeniedByOperator("access_denied", "a.test", Fallback.USE_ANOTHER_CHANNEL, description = "canary")
        assertEquals("canary", error.description())
        assertFalse("canary" in error.stackTraceToString())
    }
}
