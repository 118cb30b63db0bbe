package dev.numberverify

/**
 * Longer than any test waits, so that a busy machine does not change a result: only the tests of
 * deadlines set shorter ones.
 */
const val GENEROUS_MS: Long = 300_000

fun NumberVerifierConfig.useGenerousDeadlines() {
    deadlines.overallMs = GENEROUS_MS
    deadlines.acquireMs = GENEROUS_MS
    deadlines.connectMs = GENEROUS_MS
    deadlines.answerMs = GENEROUS_MS
    deadlines.backendMs = GENEROUS_MS
}
