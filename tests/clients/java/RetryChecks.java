import com.openai.client.OpenAIClient;
import com.openai.errors.InternalServerException;
import com.openai.errors.OpenAIServiceException;
import java.util.List;

/** What the SDK tries again, and what it does not. */
final class RetryChecks {
    private RetryChecks() {}

    static void addTo(Checks checks) {
        checks.add("retries", "a passing fault is tried again as a new prediction", () -> {
            OpenAIClient client = Sdk.client(builder -> builder.maxRetries(2));
            InternalServerException error = Checks.raised(InternalServerException.class,
                () -> Sdk.ask(client, "busy", "three times busy"));
            Checks.equal(error.statusCode(), 503, "the status");
            Checks.equal(Checks.predictions("three times busy").size(), 3, "the number of predictions");
        });
        checks.add("retries", "what failed for good is not tried again", () -> {
            OpenAIClient client = Sdk.client(builder -> builder.maxRetries(2));
            for (String model : List.of("failing", "late", "unsafe")) {
                try {
                    Sdk.ask(client, model, "only once, " + model);
                    throw new AssertionError(model + " answered");
                } catch (OpenAIServiceException error) {
                    Checks.equal(Checks.predictions("only once, " + model).size(), 1, "the predictions of " + model);
                }
            }
        });
    }
}
