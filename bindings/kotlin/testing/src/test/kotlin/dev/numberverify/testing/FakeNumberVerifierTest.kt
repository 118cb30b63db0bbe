package dev.numberverify.testing

import dev.numberverify.CellularCause
import dev.numberverify.CellularStatus
import dev.numberverify.Fallback
import dev.numberverify.NumberVerifying
import dev.numberverify.Progress
import dev.numberverify.RetrievedNumber
import dev.numberverify.Step
import dev.numberverify.Verification
import dev.numberverify.VerificationOptions
import dev.numberverify.VerifyException
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.async
import kotlinx.coroutines.cancel
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.flow.collect
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.supervisorScope
import kotlinx.coroutines.test.TestScope
import kotlinx.coroutines.test.currentTime
import kotlinx.coroutines.test.runCurrent
import kotlinx.coroutines.test.runTest
import kotlin.test.AfterTest
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertIs
import kotlin.test.assertNotEquals
import kotlin.test.assertSame
import kotlin.test.assertTrue

@OptIn(ExperimentalCoroutinesApi::class)
class FakeNumberVerifierTest {
    private val fake = FakeNumberVerifier()
    private val verifier: NumberVerifying = fake

    @AfterTest
    fun assertNoNativeCode() = assertNothingNative()

    @Test
    fun resultsAreReturnedInOrder() =
        runTest {
            val verification = Verification(true, """{"token":"t"}""")
            fake.enqueue(verified = true)
            fake.enqueue(verified = false)
            fake.enqueue(DATA_OFF)
            fake.enqueue(verification)
            assertTrue(verifier.verify(NUMBER).verified)
            assertFalse(verifier.verify(NUMBER).verified)
            assertSame(DATA_OFF, assertFailsWith<VerifyException> { verifier.verify(NUMBER) })
            assertSame(verification, verifier.verify(NUMBER))
        }

    @Test
    fun everyErrorCanBeEnqueued() =
        runTest {
            for (error in everyError()) {
                fake.enqueue(error)
                assertSame(error, assertFailsWith<VerifyException> { verifier.verify(NUMBER) })
                fake.enqueue(error)
                // As in many apps: the exception crosses a coroutine without losing anything.
                val failure = assertFailsWith<VerifyException> { supervisorScope { async { verifier.verify(NUMBER) }.await() } }
                assertSame(error, failure)
                fake.enqueue(error)
                assertSame(error, assertFailsWith<VerifyException> { verifier.retrieve() })
            }
        }

    @Test
    fun numbersAreReturnedInOrder() =
        runTest {
            val number = RetrievedNumber(NUMBER, """{"token":"t"}""")
            fake.enqueue(phoneNumber = NUMBER)
            fake.enqueue(DATA_OFF)
            fake.enqueue(verified = true)
            fake.enqueue(number)
            assertEquals(NUMBER, verifier.retrieve().phoneNumber())
            assertSame(DATA_OFF, assertFailsWith<VerifyException> { verifier.retrieve() })
            assertTrue(verifier.verify(NUMBER).verified)
            assertSame(number, verifier.retrieve())
        }

    @Test
    fun resultOfTheOtherKindFailsTheTest() =
        runTest {
            fake.enqueue(verified = true, listOf(Progress.Slow(4_000)))
            fake.enqueue(phoneNumber = NUMBER)
            val received = mutableListOf<Progress>()
            assertFailsWith<AssertionError> { verifier.retrieving().collect(received::add) }
            assertEquals(emptyList(), received)
            val error = assertFailsWith<AssertionError> { verifier.verify(NUMBER) }
            assertFalse(NUMBER in error.toString())
        }

    @Test
    fun callWithoutAResultFailsTheTest() =
        runTest {
            val error = assertFailsWith<AssertionError> { verifier.verify(NUMBER) }
            assertFalse(NUMBER in error.toString())
            assertFailsWith<AssertionError> { verifier.retrieve() }
        }

    @Test
    fun eachCollectorReceivesProgressAndThenTheResult() =
        runTest {
            val progress = listOf(Progress.StepBegan(Step.START, 0), Progress.Slow(4_000))
            fake.enqueue(verified = true, progress)
            fake.enqueue(DATA_OFF, progress)
            val verifying = verifier.verifying(NUMBER)
            assertEquals(emptyList(), fake.calls)
            val events = verifying.toList()
            assertEquals(progress, events.dropLast(1))
            assertTrue(assertIs<Progress.Done>(events.last()).verification.verified)

            val received = mutableListOf<Progress>()
            assertSame(DATA_OFF, assertFailsWith<VerifyException> { verifying.collect(received::add) })
            assertEquals<List<Progress>>(progress, received)
            assertEquals(2, fake.calls.size)
        }

    @Test
    fun retrievalReportsProgressAndThenTheNumber() =
        runTest {
            val progress = listOf(Progress.StepBegan(Step.START, 0), Progress.Slow(4_000))
            fake.enqueue(phoneNumber = NUMBER, progress, delayMs = 5_000)
            val retrieving = verifier.retrieving()
            assertEquals(emptyList(), fake.calls)
            val events = retrieving.toList()
            assertEquals(progress, events.dropLast(1))
            assertEquals(NUMBER, assertIs<Progress.Retrieved>(events.last()).number.phoneNumber())
            assertEquals(5_000, currentTime)
        }

    @Test
    fun delayTakesVirtualTime() =
        runTest {
            fake.enqueue(verified = true, delayMs = 30_000)
            verifier.verify(NUMBER)
            assertEquals(30_000, currentTime)
        }

    @Test
    fun heldCallReturnsOnceReleased() =
        runTest {
            fake.enqueue(verified = true, listOf(Progress.Slow(4_000)))
            fake.hold()
            val received = mutableListOf<Progress>()
            val collector = start { verifier.verifying(NUMBER).collect(received::add) }
            assertEquals(listOf<Progress>(Progress.Slow(4_000)), received)
            fake.release()
            collector.join()
            assertIs<Progress.Done>(received.last())
        }

    @Test
    fun heldCallCanBeCancelled() =
        runTest {
            fake.enqueue(verified = true)
            fake.enqueue(verified = true, delayMs = 1_000)
            fake.enqueue(phoneNumber = NUMBER, delayMs = 1_000)
            fake.hold()
            start { verifier.verify(NUMBER) }.cancelAndJoin()
            fake.release()
            start { verifier.verifying(NUMBER).collect() }.cancelAndJoin()
            start { verifier.retrieve() }.cancelAndJoin()
            assertEquals(0, currentTime)
            assertEquals(3, fake.calls.size)
        }

    @Test
    fun cancelledCallerTakesNoResult() =
        runTest {
            fake.enqueue(verified = true)
            launch {
                cancel()
                verifier.verify(NUMBER)
            }.join()
            assertEquals(emptyList(), fake.calls)
            assertTrue(verifier.verify(NUMBER).verified)
        }

    @Test
    fun callsAreRecordedWithTheirOptions() =
        runTest {
            fake.enqueue(verified = true)
            verifier.verify(NUMBER) { header("Authorization", "Bearer canary").startField("attestation", "canary") }
            val call = fake.calls.single()
            assertEquals(NUMBER, call.phoneNumber())
            assertEquals(VerificationOptions().startField("attestation", "canary").header("Authorization", "Bearer canary"), call.options)
            assertNotEquals(VerificationOptions().header("Authorization", "Bearer canary"), call.options)
            for (secret in listOf("canary", NUMBER.drop(1))) assertFalse(secret in "$call ${fake.calls} ${call.options} $fake")
        }

    @Test
    fun retrievalsAreRecordedWithTheirOptions() =
        runTest {
            fake.enqueue(phoneNumber = NUMBER)
            fake.enqueue(phoneNumber = NUMBER)
            verifier.retrieve { header("Authorization", "Bearer canary") }
            verifier.retrieving { correlator("sign-in:42") }.collect()
            assertEquals(listOf(null, null), fake.calls.map { it.phoneNumber() })
            val expected =
                listOf(VerificationOptions().header("Authorization", "Bearer canary"), VerificationOptions().correlator("sign-in:42"))
            assertEquals(expected, fake.calls.map { it.options })
        }

    @Test
    fun checkAndPrepareReturnTheConfiguredResults() =
        runTest {
            assertEquals(CellularStatus.Ready, verifier.check())
            fake.status = CellularStatus.Unavailable(CellularCause.AIRPLANE)
            assertEquals(CellularStatus.Unavailable(CellularCause.AIRPLANE), verifier.check())
            verifier.prepare()
            fake.prepareFailure = DATA_OFF
            assertSame(DATA_OFF, assertFailsWith<VerifyException> { verifier.prepare() })
            assertEquals(2, fake.prepareCount)
        }

    private fun TestScope.start(run: suspend () -> Unit) = launch { run() }.also { runCurrent() }

    private companion object {
        const val NUMBER = "+14155550100"
        val DATA_OFF = VerifyException.CellularUnavailable(CellularCause.DATA_OFF, Fallback.ASK_TO_ENABLE_MOBILE_DATA)
    }
}
