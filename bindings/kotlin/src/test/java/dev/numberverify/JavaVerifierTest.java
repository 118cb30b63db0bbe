package dev.numberverify;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import dev.numberverify.testsupport.Simulator;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import kotlin.Unit;
import org.junit.After;
import org.junit.Test;

/** The library from Java. */
public class JavaVerifierTest {
    private final Simulator simulator = new Simulator();
    private final Loopback network = new Loopback();

    @After
    public void stop() {
        simulator.close();
    }

    private NumberVerifier verifier() {
        return new NumberVerifier(network, simulator.backend("a"), null, config -> {
            TrustKt.trust(simulator, config);
            config.header("X-App", "java");
            config.setRedirectLimit(10);
            config.getDeadlines().setOverallMs(TestDeadlinesKt.GENEROUS_MS);
            config.getFieldNames().setSession("session");
            return Unit.INSTANCE;
        });
    }

    @Test
    public void numberIsVerified() throws Exception {
        try (NumberVerifier verifier = verifier()) {
            verifier.prepareAsync().get(Loopback.HANGS_S, TimeUnit.SECONDS);
            Verification verification = verifier.verifyAsync(Simulator.NUMBER).get(Loopback.HANGS_S, TimeUnit.SECONDS);
            assertTrue(verification.getVerified());
            assertTrue(verification.responseJson().contains("verified"));
            List<Hop> hops = verification.getTrace().getHops();
            assertEquals(Integer.valueOf(302), hops.get(0).getStatus());
            assertFalse(hops.get(0).isReused());
            verifier.forgetHosts();
            assertFalse(verifier.verifyAsync(Simulator.OTHER_NUMBER).get(Loopback.HANGS_S, TimeUnit.SECONDS).getVerified());
        }
    }

    @Test
    public void optionsAreApplied() throws Exception {
        try (NumberVerifier verifier = verifier()) {
            VerificationOptions options = new VerificationOptions()
                    .header("Authorization", "Bearer token")
                    .startField("attestation", "token")
                    .startFieldJson("device", "{\"level\":1}")
                    .correlator("java:1");
            Verification verification =
                    verifier.verifyAsync(Simulator.NUMBER, options).get(Loopback.HANGS_S, TimeUnit.SECONDS);
            assertTrue(verification.getVerified());
            assertEquals("java:1", verification.getTrace().getCorrelator());
        }
    }

    @Test
    public void numberIsRetrieved() throws Exception {
        Backend backend = new OneUrl(simulator.authUrl("myapp%3A%2F%2Fdone", "state", "a"),
                (continuation) -> "{\"phoneNumber\":\"" + Simulator.NUMBER + "\"}");
        try (NumberVerifier verifier = new NumberVerifier(network, backend, "https://unused.test", null, config -> {
            TrustKt.trust(simulator, config);
            return Unit.INSTANCE;
        })) {
            RetrievedNumber number = verifier.retrieveAsync().get(Loopback.HANGS_S, TimeUnit.SECONDS);
            assertEquals(Simulator.NUMBER, number.phoneNumber());
            assertTrue(number.responseJson().contains(number.phoneNumber()));
            assertEquals("RetrievedNumber", number.toString());
            VerificationOptions options = new VerificationOptions().correlator("java:1");
            number = verifier.retrieveAsync(options).get(Loopback.HANGS_S, TimeUnit.SECONDS);
            assertEquals("java:1", number.getTrace().getCorrelator());
        }
    }

    @Test
    public void cancellingTheFutureCancelsTheRetrieval() {
        try (ScriptedServer silent = new ScriptedServer(null, path -> null);
                NumberVerifier verifier = new NumberVerifier(network, "http://127.0.0.1:" + silent.getPort(), null, config -> {
                    config.getDevelopment().setAnyNetwork(true);
                    return Unit.INSTANCE;
                })) {
            CompletableFuture<RetrievedNumber> future = verifier.retrieveAsync();
            network.awaitAcquire();
            assertTrue(future.cancel(true));
            assertThrows(CancellationException.class, future::get);
            network.awaitReleases(1);
            assertEquals(1, network.getReleased().get());
        }
    }

    @Test
    public void checkReturnsTheStatus() throws Exception {
        try (NumberVerifier verifier = verifier()) {
            assertEquals(CellularStatus.WifiActive.INSTANCE, verifier.checkAsync().get(Loopback.HANGS_S, TimeUnit.SECONDS));
        }
    }

    @Test
    public void failureIsAVerifyException() {
        try (NumberVerifier verifier = verifier()) {
            CompletableFuture<Verification> future = verifier.verifyAsync("12");
            ExecutionException failure =
                    assertThrows(ExecutionException.class, () -> future.get(Loopback.HANGS_S, TimeUnit.SECONDS));
            VerifyException error = (VerifyException) failure.getCause();
            assertEquals(VerifyException.InvalidPhoneNumber.class, error.getClass());
            assertEquals(Fallback.FIX_INTEGRATION, error.getFallback());
        }
    }

    @Test
    public void cancellingTheFutureCancelsTheVerification() {
        try (ScriptedServer silent = new ScriptedServer(null, path -> null);
                NumberVerifier verifier = new NumberVerifier(network, "http://127.0.0.1:" + silent.getPort(), null, config -> {
                    config.getDevelopment().setAnyNetwork(true);
                    return Unit.INSTANCE;
                })) {
            CompletableFuture<Verification> future = verifier.verifyAsync(Simulator.NUMBER);
            network.awaitAcquire();
            assertTrue(future.cancel(true));
            assertThrows(CancellationException.class, future::get);
            network.awaitReleases(1);
            assertEquals(1, network.getAcquired().get());
            assertEquals(1, network.getReleased().get());
        }
    }

    @Test
    public void invalidSettingIsRejected() {
        VerifyException.InvalidConfig error = assertThrows(
                VerifyException.InvalidConfig.class, () -> new NumberVerifier(network, "http://api.test").close());
        assertEquals("backendUrl", error.getSetting());
    }
}
