import java.net.URI;
import java.net.http.*;
import java.nio.file.*;
import java.security.MessageDigest;
import java.util.*;

/** Notarises a file: GATEWAY=https://… TOKEN=… java Notarise.java FILE writes FILE.receipt.json. */
class Notarise {
    public static void main(String[] arguments) throws Exception {
        var document = Path.of(arguments[0]);
        var digest = MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(document));
        var request = HttpRequest.newBuilder(URI.create(System.getenv("GATEWAY") + "/v1/documents"))
            .header("Authorization", "Bearer " + System.getenv("TOKEN"))
            .header("Content-Type", "application/octet-stream")
            // Safe to ask again: the same file under the same key is notarised once.
            .header("Idempotency-Key", '"' + HexFormat.of().formatHex(digest) + '"')
            .POST(HttpRequest.BodyPublishers.ofFile(document)).build();
        var client = HttpClient.newHttpClient();
        var answer = client.send(request, HttpResponse.BodyHandlers.ofByteArray());
        for (int wait = 1; wait <= 16 && Set.of(409, 503, 504).contains(answer.statusCode()); wait *= 2) {
            Thread.sleep(1000L * wait);
            answer = client.send(request, HttpResponse.BodyHandlers.ofByteArray());
        }
        if (answer.statusCode() != 200) { // A problem: its body says in words what is wrong.
            System.err.println(new String(answer.body()));
            System.exit(1);
        }
        Files.write(Path.of(document + ".receipt.json"), answer.body());
    }
}
