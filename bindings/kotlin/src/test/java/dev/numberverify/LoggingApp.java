package dev.numberverify;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import kotlin.Unit;

/**
 * Retrieves the number with all logging enabled, for LogTest. In Java, because Kotlin on the JVM
 * does not find the top-level functions of the generated code: the second compilation of the
 * library replaces their index.
 */
final class LoggingApp {
    private LoggingApp() {}

    public static void main(String[] arguments) throws Exception {
        Number_verifyKt.logToSystem(LogLevel.DEBUG);
        String root = Files.readString(Path.of(arguments[1]));
        List<String> hosts = Arrays.asList(arguments).subList(2, arguments.length);
        try (NumberVerifier verifier = new NumberVerifier(new Loopback(), arguments[0], null, config -> {
            TestDeadlinesKt.useGenerousDeadlines(config);
            config.getDevelopment().setAnyNetwork(true);
            config.getDevelopment().setRootCertificates(List.of(root));
            config.getDevelopment().setResolve(hosts);
            return Unit.INSTANCE;
        })) {
            verifier.retrieveAsync().get();
        }
    }
}
