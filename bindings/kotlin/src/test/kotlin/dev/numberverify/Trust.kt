package dev.numberverify

import dev.numberverify.testsupport.Simulator

/** Configures a verifier to reach the simulator, regardless of how busy the machine is. */
fun Simulator.trust(config: NumberVerifierConfig) {
    config.useGenerousDeadlines()
    config.development.rootCertificates += root
    config.development.resolve += hosts
    config.development.anyNetwork = true
}
