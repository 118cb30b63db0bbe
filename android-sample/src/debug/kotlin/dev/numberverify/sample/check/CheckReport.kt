package dev.numberverify.sample.check

import org.json.JSONArray
import org.json.JSONObject

/**
 * The report to share. Contains no phone number, code, state, cookie, ICCID or IMSI: it is made of
 * traces, which are safe to share, and of facts of the platform. It contains no address either, not
 * even a truncated one: whether two addresses differ is all that the check needs, and the operator
 * is identified by its MCC-MNC. Without the traces' correlators, with which the simulator would
 * return addresses.
 */
class CheckReport(
    private val device: Map<String, String>,
    private val state: CheckState,
    private val runs: List<Pair<CheckStep, Run>>,
) {
    fun toJson(): String =
        JSONObject()
            .put("format", "number-verify/device-check")
            .put("version", VERSION)
            .put("finished", state.isFinished)
            .put("device", JSONObject(device))
            .put("steps", JSONArray(CheckStep.entries.map { it.json(state[it]) }))
            .put(
                "verifications",
                JSONArray(
                    runs.mapNotNull { (step, run) ->
                        run.trace?.let { JSONObject().put("step", step.id).put("trace", it.withoutCorrelator()) }
                    },
                ),
            ).toString()

    fun toText(): String =
        buildString {
            appendLine("Device check: " + Outcome.entries.joinToString { "${state.count(it)} ${it.words}" })
            device.forEach { (name, value) -> appendLine("$name: $value") }
            for (step in CheckStep.entries) {
                val result = state[step]
                appendLine("${result.outcome.words.uppercase().padEnd(WIDTH)} ${step.title}. ${result.reason}")
                if (result.facts.isNotEmpty()) {
                    appendLine(" ".repeat(WIDTH + 1) + result.facts.entries.joinToString { "${it.key} ${it.value}" })
                }
            }
        }

    /** Both. */
    fun toShare(): String = toText() + toJson()

    private fun JSONObject.withoutCorrelator() = JSONObject(toString()).apply { remove("correlator") }

    private fun CheckStep.json(result: CheckResult) =
        JSONObject()
            .put("id", id)
            .put("outcome", result.outcome.id)
            .put("reason", result.reason)
            .put("facts", JSONObject(result.facts))

    private companion object {
        const val VERSION = 1
        const val WIDTH = 8
    }
}

val Outcome.words: String get() = id.replace('_', ' ')
