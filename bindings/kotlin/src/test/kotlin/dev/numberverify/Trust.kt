package dev.numberverify

import dev.numberverify.testsupport.Simulator

/** What lets a verifier reach the simulator, however busy the machine is. */
fun Simulator.trust(config: NumberVerifierConfig) {
    config.useGenerousDeadlines()
    config.development.rootCertificates += root
    config.development.resolve += hosts
    config.development.anyNetwork = true
}
