import com.openai.client.OpenAIClientAsync;
import com.openai.core.http.AsyncStreamResponse;
import com.openai.errors.NotFoundException;
import com.openai.models.chat.completions.ChatCompletion;
import com.openai.models.chat.completions.ChatCompletionChunk;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import com.openai.models.models.Model;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;

/** The client that answers with futures. */
final class AsyncChecks {
    private static final String EXERCISED = "OpenAIClientAsync";

    private AsyncChecks() {}

    static OpenAIClientAsync client() {
        return Sdk.client().async();
    }

    static CompletableFuture<ChatCompletion> ask(OpenAIClientAsync client, String model, String prompt) {
        return client.chat().completions().create(Sdk.question(model, prompt).build());
    }

    static List<ChatCompletionChunk> collect(String model, String prompt) throws Exception {
        List<ChatCompletionChunk> chunks = new ArrayList<>();
        client().chat().completions().createStreaming(Sdk.question(model, prompt).build())
            .subscribe(chunks::add).onCompleteFuture().get(60, TimeUnit.SECONDS);
        return chunks;
    }

    static void addTo(Checks checks) {
        checks.add(EXERCISED, "the async client gets a completion", () ->
            Checks.equal(Sdk.text(ask(client(), "writer", "hello").get()), Sdk.WRITTEN, "the answer"));
        checks.add(EXERCISED, "the async client streams", () ->
            Checks.equal(Sdk.text(collect("writer", "hello")), Sdk.WRITTEN, "the text"));
        checks.add(EXERCISED, "the async client lists models and retrieves one", () -> {
            Model model = client().models().retrieve("acme/tiny-writer").get();
            Checks.isTrue(client().models().list().get().items().stream().anyMatch(one -> one.id().equals(model.id())),
                "it is not in the list");
        });
        checks.add(EXERCISED, "twenty questions at once get their own answers", () -> {
            OpenAIClientAsync client = client();
            List<CompletableFuture<ChatCompletion>> answers = new ArrayList<>();
            for (int i = 0; i < 20; i++) {
                answers.add(ask(client, "echo", "number " + i));
            }
            for (int i = 0; i < 20; i++) {
                Checks.equal(Sdk.text(answers.get(i).get()), "You said: number " + i, "the answer");
            }
        });
        checks.add(EXERCISED, "errors complete the future", () -> {
            ExecutionException error =
                Checks.raised(ExecutionException.class, () -> ask(client(), "nope", "hello").get());
            Checks.isTrue(error.getCause() instanceof NotFoundException, "the cause is " + error.getCause());
            Checks.holds(error.getCause().getMessage(), "The model `nope` does not exist here.");
        });
        checks.add("leaving early", "an async stream closed half-way cancels its prediction", () -> {
            AtomicReference<AsyncStreamResponse<ChatCompletionChunk>> stream = new AtomicReference<>();
            StringBuffer text = new StringBuffer();
            ChatCompletionCreateParams question = Sdk.question("endless", "async half-way").build();
            stream.set(client().chat().completions().createStreaming(question));
            stream.get().subscribe(chunk -> {
                text.append(Sdk.text(List.of(chunk)));
                if (text.length() > 20) {
                    stream.get().close();
                }
            });
            Checks.endsAs("async half-way", "canceled", 10);
            Checks.isTrue(text.toString().startsWith("on and on and "), "the text is " + text);
        });
    }
}
