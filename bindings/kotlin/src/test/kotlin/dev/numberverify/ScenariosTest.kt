package dev.numberverify

import dev.numberverify.testsupport.Simulator
import kotlinx.coroutines.runBlocking
import org.json.JSONObject
import org.junit.Test
import kotlin.test.assertEquals
import kotlin.test.assertTrue

/**
 * Every provider and operator quirk that the simulator implements has the expected outcome, in
 * Kotlin's types.
 */
class ScenariosTest {
    @Test
    fun everyProviderAndQuirkHasTheExpectedOutcome() {
        Simulator().use { simulator ->
            assertTrue(simulator.scenarios.size > 50)
            for (scenario in simulator.scenarios) {
                val outcomes = scenario.getJSONObject("outcomes")
                for (number in outcomes.keys()) {
                    assertEquals(
                        members(outcomes.getJSONObject(number)),
                        outcome(simulator, scenario, number),
                        "${scenario.getString("name")} $number",
                    )
                }
            }
        }
    }

    private fun outcome(
        simulator: Simulator,
        scenario: JSONObject,
        number: String,
    ): Map<String, Any> =
        NumberVerifier(Loopback(), scenario.getString("backend")) {
            simulator.trust(this)
            codeDelivery = deliveries.getValue(scenario.getString("delivery"))
        }.use { verifier ->
            try {
                mapOf("verified" to runBlocking { verifier.verify(number) }.verified)
            } catch (failure: VerifyException) {
                detail(failure) + ("fallback" to failure.fallback.name.lowercase())
            }
        }

    private fun detail(failure: VerifyException): Map<String, Any> =
        when (failure) {
            is VerifyException.Authorization ->
                mapOf("kind" to "authorization", "cause" to failure.reason.name.lowercase()) + known("status", failure.status)
            is VerifyException.DeniedByOperator -> mapOf("kind" to "denied_by_operator") + known("error", failure.error)
            is VerifyException.StateMismatch -> mapOf("kind" to "state_mismatch")
            is VerifyException.Backend ->
                mapOf("kind" to "backend", "cause" to failure.reason.name.lowercase()) + known("status", failure.status)
            else -> throw failure
        }

    private fun known(
        name: String,
        value: Any?,
    ): Map<String, Any> = if (value == null) emptyMap() else mapOf(name to value)

    /** All non-null members, including those of `detail`. */
    private fun members(json: JSONObject): Map<String, Any> =
        json
            .keys()
            .asSequence()
            .filterNot(json::isNull)
            .flatMap { name -> if (name == "detail") members(json.getJSONObject(name)).toList() else listOf(name to json.get(name)) }
            .toMap()

    private companion object {
        val deliveries =
            mapOf(
                "relay" to CodeDelivery.RELAY,
                "follow-through" to CodeDelivery.FOLLOW_THROUGH,
                "none" to CodeDelivery.NO_CODE,
            )
    }
}
