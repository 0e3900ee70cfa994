// A whole merchant, JDK 17 and no package: WEFT_URL=… WEFT_KEY=… WEFT_SECRET=… java examples/merchant.java
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Base64;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

class Merchant {
    static final Map<String, String> env = System.getenv();
    static final Set<String> shipped = ConcurrentHashMap.newKeySet(); // keep it in your database
    static final HttpClient client = HttpClient.newHttpClient();

    public static void main(String[] args) throws IOException {
        int port = Integer.parseInt(env.getOrDefault("PORT", "3000"));
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", port), 0);
        server.setExecutor(Executors.newCachedThreadPool());
        server.createContext("/", Merchant::answer);
        server.start();
    }

    static void answer(HttpExchange exchange) throws IOException {
        try {
            switch (exchange.getRequestURI().getPath()) {
                case "/buy" -> buy(exchange);
                case "/weft" -> hear(exchange);
                default -> send(exchange, 404, "");
            }
        } catch (Exception error) {
            error.printStackTrace();
            send(exchange, 500, String.valueOf(error.getMessage()));
        }
    }

    static void buy(HttpExchange exchange) throws Exception {
        // Keep the number in your database first: the same number again is the same order.
        String number = "T" + UUID.randomUUID().toString().replace("-", "").substring(1);
        String order = "{\"out_trade_no\":\"" + number + "\",\"description\":\"A cup of tea\",\"amount\":{\"total\":990}}";
        HttpRequest request = HttpRequest.newBuilder(URI.create(env.get("WEFT_URL") + "/v1/orders"))
            .header("Authorization", "Bearer " + env.get("WEFT_KEY"))
            .header("Content-Type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofString(order))
            .build();
        HttpResponse<String> placed;
        try {
            placed = client.send(request, HttpResponse.BodyHandlers.ofString());
        } catch (IOException away) {
            throw new IOException("Weft does not answer. Try again.", away);
        }
        String body = placed.body();
        if (placed.statusCode() >= 300)
            throw new IOException("Weft says " + field(body, "code") + ": " + field(body, "detail") + " " + field(body, "remedy"));
        exchange.getResponseHeaders().set("Location", field(body, "checkout_url"));
        send(exchange, 303, "");
    }

    static void hear(HttpExchange exchange) throws Exception {
        byte[] body = exchange.getRequestBody().readAllBytes();
        if (!isGenuine(exchange, body)) {
            send(exchange, 401, "");
            return;
        }
        String event = new String(body, StandardCharsets.UTF_8);
        String number = field(event, "out_trade_no");
        if (field(event, "type").equals("order.paid") && shipped.add(number)) System.out.println("ship " + number); // once
        // To order.fulfilment_cancelled this means: too late, it is on its way; without it the money goes back.
        exchange.getResponseHeaders().set("Content-Type", "application/json");
        send(exchange, 200, shipped.contains(number) ? "{\"fulfilment\":\"fulfilled\"}" : "{}");
    }

    static boolean isGenuine(HttpExchange exchange, byte[] body) throws Exception {
        String id = header(exchange, "webhook-id");
        String time = header(exchange, "webhook-timestamp");
        if (!time.matches("\\d{1,12}") || Math.abs(System.currentTimeMillis() / 1000 - Long.parseLong(time)) > 300) return false;
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(Base64.getDecoder().decode(env.get("WEFT_SECRET").substring("whsec_".length())), "HmacSHA256"));
        mac.update((id + "." + time + ".").getBytes(StandardCharsets.UTF_8));
        byte[] expected = ("v1," + Base64.getEncoder().encodeToString(mac.doFinal(body))).getBytes(StandardCharsets.UTF_8);
        for (String signature : header(exchange, "webhook-signature").split(" "))
            if (MessageDigest.isEqual(expected, signature.getBytes(StandardCharsets.UTF_8))) return true;
        return false;
    }

    static String header(HttpExchange exchange, String name) {
        String value = exchange.getRequestHeaders().getFirst(name);
        return value == null ? "" : value;
    }

    /** The first text of that name, which is enough here; in your shop use your JSON library. */
    static String field(String json, String name) {
        Matcher found = Pattern.compile("\"" + name + "\"\\s*:\\s*\"((?:[^\"\\\\]|\\\\.)*)\"").matcher(json);
        return found.find() ? found.group(1) : "";
    }

    static void send(HttpExchange exchange, int status, String text) throws IOException {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(status, bytes.length == 0 ? -1 : bytes.length);
        exchange.getResponseBody().write(bytes);
        exchange.close();
    }
}
