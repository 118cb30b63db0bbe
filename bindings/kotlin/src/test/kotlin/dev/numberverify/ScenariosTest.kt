package dev.numberverify

import kotlinx.coroutines.runBlocking
import org.json.JSONObject
import org.junit.Test
import kotlin.test.assertEquals
import kotlin.test.assertTrue

/** Every provider's behaviour and every habit of operators that the simulator knows ends as it should, told in Kotlin's words. */
class ScenariosTest {
    @Test
    fun everyProviderAndHabit() {
        Simulator().use { simulator ->
            assertTrue(simulator.scenarios.size > 50)
            for (scenario in simulator.scenarios) {
                val outcomes = scenario.getJSONObject("outcomes")
                for (number in outcomes.keys()) {
                    val expected = outcomes.getJSONObject(number)
                    assertEquals(
                        expected
                            .keys()
                            .asSequence()
                            .filterNot(expected::isNull)
                            .associateWith(expected::get),
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
    ): Map<String, Any?> =
        NumberVerifier(Loopback(), scenario.getString("backend")) {
            simulator.trust(this)
            codeDelivery = deliveries.getValue(scenario.getString("delivery"))
        }.use { verifier ->
            try {
                mapOf("verified" to runBlocking { verifier.verify(number) }.verified)
            } catch (failure: VerifyException) {
                val (kind, cause) = kindAndCause(failure)
                mapOf("kind" to kind, "cause" to cause?.name?.lowercase(), "fallback" to failure.fallback.name.lowercase())
                    .filterValues { it != null }
            }
        }

    private fun kindAndCause(failure: VerifyException): Pair<String, Enum<*>?> =
        when (failure) {
            is VerifyException.Authorization -> "authorization" to failure.reason
            is VerifyException.DeniedByOperator -> "denied_by_operator" to null
            is VerifyException.Backend -> "backend" to failure.reason
            is VerifyException.StateMismatch -> "state_mismatch" to null
            else -> throw failure
        }

    private companion object {
        val deliveries =
            mapOf(
                "relay" to CodeDelivery.RELAY,
                "follow-through" to CodeDelivery.FOLLOW_THROUGH,
                "none" to CodeDelivery.NO_CODE,
            )
    }
}
