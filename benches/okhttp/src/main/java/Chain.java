import com.sun.management.OperatingSystemMXBean;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.Security;
import java.security.cert.CertificateFactory;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import javax.net.SocketFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;
import okhttp3.Cookie;
import okhttp3.CookieJar;
import okhttp3.HttpUrl;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;

/**
 * Follows redirect chains with OkHttp, as an app would: a cookie jar, OkHttp's own redirects off, and a loop that stops at the redirect URI.
 * HTTP/2, timeouts and the connection pool are OkHttp's defaults.
 *
 * <p>Reads lines {@code REUSED NO_DELAY URL REDIRECT_URI} and reports in JSON. With {@code REUSED}, reuses the client of the previous chain with its
 * open connections; otherwise creates one with a new TLS context, which has no sessions.
 */
final class Chain {
  private static final OperatingSystemMXBean SYSTEM =
      ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);

  private final X509TrustManager trust;
  private final Map<Boolean, OkHttpClient> clients = new HashMap<>();

  private Chain(X509TrustManager trust) {
    this.trust = trust;
  }

  public static void main(String[] arguments) throws Exception {
    // The lab's name server caches, for all clients.
    Security.setProperty("networkaddress.cache.ttl", "0");
    Security.setProperty("networkaddress.cache.negative.ttl", "0");
    Chain chain = new Chain(trust(Path.of(arguments[0])));
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      System.out.println(chain.report(line.split(" ")));
    }
  }

  private String report(String[] line) {
    try {
      boolean noDelay = Boolean.parseBoolean(line[1]);
      OkHttpClient client = Boolean.parseBoolean(line[0]) ? clients.get(noDelay) : client(noDelay);
      OkHttpClient old = clients.put(noDelay, client);
      if (old != null && old != client) {
        old.connectionPool().evictAll();
        old.dispatcher().executorService().shutdown();
      }
      long cpuBefore = SYSTEM.getProcessCpuTime();
      long began = System.nanoTime();
      String location = follow(client, line[2], line[3]);
      long microseconds = (System.nanoTime() - began) / 1000;
      long cpu = (SYSTEM.getProcessCpuTime() - cpuBefore) / 1000;
      return "{\"leg_us\":" + microseconds + ",\"cpu_us\":" + cpu + ",\"location\":\"" + location + "\"}";
    } catch (Exception error) {
      return "{\"error\":\"" + error.toString().replaceAll("[\"\\\\\\p{Cntrl}]", " ") + "\"}";
    }
  }

  /** Returns the end of the chain: a URL that begins with the redirect URI. */
  private static String follow(OkHttpClient client, String url, String redirectUri) throws IOException {
    for (int redirects = 0; redirects < 20; redirects++) {
      try (Response response = client.newCall(new Request.Builder().url(url).build()).execute()) {
        String location = response.header("Location");
        if (location == null) {
          throw new IOException("status " + response.code() + " without a location at " + url);
        }
        if (location.startsWith(redirectUri)) {
          return location;
        }
        HttpUrl next = response.request().url().resolve(location);
        if (next == null) {
          throw new IOException("a redirect to " + location);
        }
        // An app reads the body, so that the connection can be reused.
        response.body().bytes();
        url = next.toString();
      }
    }
    throw new IOException("too many redirects");
  }

  private OkHttpClient client(boolean noDelay) throws GeneralSecurityException {
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, new TrustManager[] {trust}, null);
    OkHttpClient.Builder builder =
        new OkHttpClient.Builder()
            .followRedirects(false)
            .cookieJar(new Jar())
            .sslSocketFactory(context.getSocketFactory(), trust);
    return (noDelay ? builder.socketFactory(new NoDelay()) : builder).build();
  }

  private static X509TrustManager trust(Path root) throws GeneralSecurityException, IOException {
    KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
    store.load(null, null);
    try (InputStream pem = Files.newInputStream(root)) {
      store.setCertificateEntry("root", CertificateFactory.getInstance("X.509").generateCertificate(pem));
    }
    TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    factory.init(store);
    return (X509TrustManager) factory.getTrustManagers()[0];
  }

  /** Keeps all cookies of one client. */
  private static final class Jar implements CookieJar {
    private final List<Cookie> cookies = new ArrayList<>();

    @Override
    public synchronized void saveFromResponse(HttpUrl url, List<Cookie> received) {
      cookies.addAll(received);
    }

    @Override
    public synchronized List<Cookie> loadForRequest(HttpUrl url) {
      return cookies.stream().filter(cookie -> cookie.matches(url)).distinct().toList();
    }
  }

  /** Sends small packets immediately. OkHttp uses the default of the system, which delays them. */
  private static final class NoDelay extends SocketFactory {
    @Override
    public Socket createSocket() throws IOException {
      Socket socket = new Socket();
      socket.setTcpNoDelay(true);
      return socket;
    }

    @Override
    public Socket createSocket(String host, int port) {
      throw new UnsupportedOperationException("OkHttp connects by itself");
    }

    @Override
    public Socket createSocket(String host, int port, InetAddress local, int localPort) {
      throw new UnsupportedOperationException("OkHttp connects by itself");
    }

    @Override
    public Socket createSocket(InetAddress host, int port) {
      throw new UnsupportedOperationException("OkHttp connects by itself");
    }

    @Override
    public Socket createSocket(InetAddress host, int port, InetAddress local, int localPort) {
      throw new UnsupportedOperationException("OkHttp connects by itself");
    }
  }
}
