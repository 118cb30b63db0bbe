package dev.numberverify.sample

import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config

/** The real screen, the real library and the simulator program. */
@RunWith(RobolectricTestRunner::class)
class VerifyActivityTest {
    private lateinit var simulator: Simulator

    @Before
    fun start() {
        simulator = Simulator()
    }

    @After
    fun stop() = simulator.close()

    @Test
    @Config(sdk = [24, 35])
    fun `the number of this SIM is verified`() =
        Phone(simulator.intent()).use { phone ->
            phone.verify("+14155550100")
            phone.awaitVerdict(R.string.verified)
            assertTrue(phone.saidAbout(0), phone.saidAbout(0).contains("done"))
        }
}
