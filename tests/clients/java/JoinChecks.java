import com.openai.client.OpenAIClient;
import com.openai.core.Timeout;
import com.openai.core.http.HttpResponseFor;
import com.openai.models.chat.completions.ChatCompletion;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Retries of the SDK itself: a client that waits too short a time is given the prediction of its first try. */
final class JoinChecks {
    private static final String EXERCISED = "retries that join";

    private JoinChecks() {}

    private static OpenAIClient impatient() {
        return Sdk.client(builder -> builder.timeout(Duration.ofSeconds(1)).maxRetries(5));
    }

    /** Waits a second for each piece: a timeout of the whole exchange would also end the stream that has begun. */
    private static OpenAIClient impatientReader() {
        Timeout timeout = Timeout.builder().read(Duration.ofSeconds(1)).request(Duration.ofMinutes(1)).build();
        return Sdk.client(builder -> builder.timeout(timeout).maxRetries(5));
    }

    private static void onlyOne(String prompt, String text) throws Exception {
        Checks.equal(text, "It took four seconds.", "the answer");
        Checks.equal(Checks.predictions(prompt), List.of("succeeded"), "the predictions");
    }

    private static String askWithKey() {
        ChatCompletionCreateParams params = Sdk.question("echo", "only once, by key")
            .putAdditionalHeader("Idempotency-Key", "the-same").build();
        try (HttpResponseFor<ChatCompletion> raw = Sdk.client().chat().completions().withRawResponse().create(params)) {
            return Sdk.header(raw.headers(), "x-replicate-prediction-id");
        }
    }

    static void addTo(Checks checks) {
        checks.addLong(EXERCISED, "a timeout of a second and a model of four cost one prediction", () ->
            onlyOne("impatient, whole", Sdk.text(Sdk.ask(impatient(), "slow", "impatient, whole"))));
        checks.addLong(EXERCISED, "the async client is given its first prediction too", () ->
            onlyOne("impatient, async", Sdk.text(
                AsyncChecks.ask(impatient().async(), "slow", "impatient, async").get(60, TimeUnit.SECONDS))));
        checks.addLong(EXERCISED, "a streaming retry is told everything from the first piece", () -> {
            ChatCompletionCreateParams params = Sdk.question("slow", "impatient, streamed").build();
            onlyOne("impatient, streamed", Sdk.text(Sdk.collect(impatientReader(), params)));
        });
        checks.add(EXERCISED, "an idempotency key is one prediction", () -> {
            Checks.equal(askWithKey(), askWithKey(), "the first id");
            Checks.equal(Checks.predictions("only once, by key").size(), 1, "the number of predictions");
        });
    }
}
