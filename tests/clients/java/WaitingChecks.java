import com.openai.client.OpenAIClient;
import com.openai.models.chat.completions.ChatCompletion;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** Models that take 20 s to boot. */
final class WaitingChecks {
    private static final String EXERCISED = "models that boot for 20 s";

    private WaitingChecks() {}

    private static OpenAIClient client() {
        return Sdk.client(builder -> builder.maxRetries(2));
    }

    private static void booted(String prompt, long began, String text) throws Exception {
        Checks.equal(text, "Booted at last.", "the answer");
        Checks.isTrue(System.nanoTime() - began > 19_000_000_000L, "it did not boot");
        Checks.equal(Checks.predictions(prompt).size(), 1, "the number of predictions");
    }

    static void addTo(Checks checks) {
        checks.addLong(EXERCISED, "a whole answer waits for a model that boots", () -> {
            long began = System.nanoTime();
            booted("boot, whole", began, Sdk.text(Sdk.ask(client(), "boots", "boot, whole")));
        });
        checks.addLong(EXERCISED, "a stream waits for a model that boots", () -> {
            long began = System.nanoTime();
            String text = Sdk.text(Sdk.collect(client(), Sdk.question("boots", "boot, streamed").build()));
            booted("boot, streamed", began, text);
        });
        checks.addLong(EXERCISED, "the accumulator waits for a model that boots", () -> {
            long began = System.nanoTime();
            ChatCompletion answer =
                StreamChecks.accumulated(client(), Sdk.question("boots", "boot, accumulated").build());
            booted("boot, accumulated", began, Sdk.text(answer));
        });
        checks.addLong(EXERCISED, "the async client waits for models that boot", () -> {
            long began = System.nanoTime();
            CompletableFuture<ChatCompletion> whole =
                AsyncChecks.ask(AsyncChecks.client(), "boots", "boot, async whole");
            booted("boot, async stream", began, Sdk.text(AsyncChecks.collect("boots", "boot, async stream")));
            booted("boot, async whole", began, Sdk.text(whole.get(60, TimeUnit.SECONDS)));
        });
    }
}
