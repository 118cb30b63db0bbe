package dev.numberverify.sample

import dev.numberverify.Fallback
import dev.numberverify.Progress
import dev.numberverify.RetrievedNumber
import dev.numberverify.Step
import dev.numberverify.Trace
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertSame
import org.junit.Assert.assertTrue
import org.junit.Test

/** State transitions of the screen, without a screen. */
class UiStateTest {
    @Test
    fun `two steps run concurrently, each with its duration`() {
        val state = running(began(Step.START, 0), began(Step.ACQUIRE, 2), ended(Step.ACQUIRE, 9))
        assertEquals(StepState.Running(0), state.steps[Step.START])
        assertEquals(StepState.Done(7), state.steps[Step.ACQUIRE])
        assertEquals(StepState.Waiting, state.steps[Step.COMPLETE])
        assertEquals(Step.START, state.steps.current)
    }

    @Test
    fun `an error marks the failed step and stops the other one`() {
        val failed = running(began(Step.START, 0), began(Step.ACQUIRE, 0)).failed(problem(Fallback.RETRY_LATER, Step.START))
        assertEquals(StepState.Failed, failed.steps[Step.START])
        assertEquals(StepState.Stopped, failed.steps[Step.ACQUIRE])
        assertNull(failed.steps.current)
    }

    @Test
    fun `cancelling stops running steps and keeps completed ones`() {
        val cancelled = running(began(Step.START, 0), ended(Step.START, 5), began(Step.AUTHORIZE, 5)).cancelled()
        assertEquals(StepState.Done(5), cancelled.steps[Step.START])
        assertEquals(StepState.Stopped, cancelled.steps[Step.AUTHORIZE])
    }

    @Test
    fun `each fallback has a distinct text and button`() {
        val cards = Fallback.entries.map { UiState.Running().failed(problem(it, step = null)).card!! }
        assertEquals(4, cards.map { it.title }.distinct().size)
        assertEquals(4, cards.map { it.text }.distinct().size)
        assertEquals(4, cards.map { it.action }.distinct().size)
        assertTrue(cards.all { it.cause == "why" })
    }

    @Test
    fun `a slow verification offers another channel while it runs, and only then`() {
        val before = running(began(Step.START, 0))
        val slow = before.after(Progress.Slow(4_000)) as UiState.Running
        assertNull(before.card)
        assertEquals(R.string.slow, slow.card?.title)
        assertEquals(OutcomeCard.Action.USE_SMS, slow.card?.action)
        assertEquals("the same card, whatever follows", slow.card, slow.after(ended(Step.START, 4_001)).card)
        assertEquals(StepState.Running(0), slow.steps[Step.START])
        assertEquals(R.string.cancelled, slow.cancelled().card?.title)
        assertEquals(R.string.retry_later, slow.failed(problem(Fallback.RETRY_LATER, step = null)).card?.title)
        assertNull(UiState.Ready().card)
    }

    @Test
    fun `a verification that is not slow has a card only at the end`() {
        assertNull(UiState.Ready().card)
        assertNull(running(began(Step.START, 0)).card)
        assertEquals(R.string.verified, UiState.Completed(verified = true, Steps(), "").card?.title)
        assertEquals(R.string.not_verified, UiState.Completed(verified = false, Steps(), "").card?.title)
        assertEquals(
            R.string.cancelled,
            UiState
                .Running()
                .cancelled()
                .card
                ?.title,
        )
    }

    @Test
    fun `a retrieved number is on the card, and not in toString`() {
        val number = RetrievedNumber("+14155550100", trace = Trace(totalMs = 7))
        val retrieved = running(began(Step.START, 0)).after(Progress.Retrieved(number))
        assertEquals(R.string.retrieved, retrieved.card?.title)
        assertSame(number, retrieved.card?.number)
        assertEquals(7L, retrieved.steps.totalMs)
        assertFalse("4155550100" in "$retrieved ${retrieved.card}")
    }

    @Test
    fun `a failed retrieval is retried as a retrieval`() {
        val slow = UiState.Running(purpose = Purpose.RETRIEVE).after(Progress.Slow(4_000)) as UiState.Running
        val failed = slow.failed(problem(Fallback.RETRY_LATER, step = null)) as UiState.Failed
        assertEquals(Purpose.RETRIEVE, failed.purpose)
        assertNull(failed.card?.number)
    }

    private fun running(vararg progress: Progress) =
        progress.fold(UiState.Running()) { state, next -> state.after(next) as UiState.Running }

    private fun began(
        step: Step,
        atMs: Long,
    ) = Progress.StepBegan(step, atMs)

    private fun ended(
        step: Step,
        atMs: Long,
    ) = Progress.StepEnded(step, atMs)

    private fun problem(
        fallback: Fallback,
        step: Step?,
    ) = Problem(fallback, cause = "why", step)
}
