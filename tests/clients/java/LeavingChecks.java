import com.openai.core.http.StreamResponse;
import com.openai.errors.OpenAIIoException;
import com.openai.models.chat.completions.ChatCompletionChunk;
import java.time.Duration;
import java.util.Iterator;
import java.util.List;

/** Clients that do not wait for the end: predictions that nobody waits for are cancelled. */
final class LeavingChecks {
    private LeavingChecks() {}

    /** Reads a stream for some pieces and closes it. */
    private static String taste(String model, String prompt) {
        StringBuilder text = new StringBuilder();
        try (StreamResponse<ChatCompletionChunk> stream =
                Sdk.client().chat().completions().createStreaming(Sdk.question(model, prompt).build())) {
            Iterator<ChatCompletionChunk> chunks = stream.stream().iterator();
            while (text.length() < 20 && chunks.hasNext()) {
                text.append(Sdk.text(List.of(chunks.next())));
            }
        }
        return text.toString();
    }

    static void addTo(Checks checks) {
        checks.add("leaving early", "a stream closed half-way cancels its prediction", () -> {
            String text = taste("endless", "closed half-way");
            Checks.isTrue(text.startsWith("on and on and "), "the text is " + text);
            Checks.endsAs("closed half-way", "canceled", 5);
        });
        checks.add("leaving early", "a question given up for its timeout cancels its prediction", () -> {
            Checks.raised(OpenAIIoException.class, () -> Sdk.ask(
                Sdk.client(builder -> builder.timeout(Duration.ofSeconds(1))), "endless", "given up"));
            Checks.endsAs("given up", "canceled", 5);
        });
        checks.addLong("leaving early", "a client that may come back is given ten seconds", () -> {
            taste("patient", "back in a minute");
            Thread.sleep(6000);
            Checks.equal(Checks.predictions("back in a minute"), List.of("processing"), "the predictions");
            Checks.endsAs("back in a minute", "canceled", 8);
        });
    }
}
