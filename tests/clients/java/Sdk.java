import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.core.JsonValue;
import com.openai.core.http.Headers;
import com.openai.core.http.StreamResponse;
import com.openai.models.chat.completions.ChatCompletion;
import com.openai.models.chat.completions.ChatCompletionChunk;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import com.openai.models.chat.completions.ChatCompletionStreamOptions;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Collectors;

/** What all checks of the SDK share: its clients, and how a question is asked. */
final class Sdk {
    static final String WRITTEN = "Slow models are worth waiting for.";

    private Sdk() {}

    static String version() {
        return OpenAIClient.class.getPackage().getImplementationVersion();
    }

    /** A client that does not retry, unless told otherwise, and whose answers have to be as the SDK's types have it. */
    static OpenAIClient client(Consumer<OpenAIOkHttpClient.Builder> change) {
        OpenAIOkHttpClient.Builder builder = OpenAIOkHttpClient.builder()
            .baseUrl(Checks.URL + "/v1").apiKey(Checks.KEY).maxRetries(0).responseValidation(true);
        change.accept(builder);
        return builder.build();
    }

    static OpenAIClient client() {
        return client(builder -> {});
    }

    static ChatCompletionCreateParams.Builder question(String model, String prompt) {
        return ChatCompletionCreateParams.builder().model(model).addUserMessage(prompt);
    }

    static ChatCompletion ask(OpenAIClient client, String model, String prompt) {
        return client.chat().completions().create(question(model, prompt).build());
    }

    static String text(ChatCompletion answer) {
        return answer.choices().get(0).message().content().orElse(null);
    }

    static ChatCompletionCreateParams withUsage(ChatCompletionCreateParams.Builder question) {
        return question.streamOptions(ChatCompletionStreamOptions.builder().includeUsage(true).build()).build();
    }

    static List<ChatCompletionChunk> collect(OpenAIClient client, ChatCompletionCreateParams params) {
        try (StreamResponse<ChatCompletionChunk> stream = client.chat().completions().createStreaming(params)) {
            return stream.stream().collect(Collectors.toList());
        }
    }

    static String text(List<ChatCompletionChunk> chunks) {
        return chunks.stream().flatMap(chunk -> chunk.choices().stream())
            .map(choice -> choice.delta().content().orElse("")).collect(Collectors.joining());
    }

    /** A field that the SDK's types do not have, "" where it is absent. */
    static String extra(Map<String, JsonValue> properties, String field) {
        return properties.containsKey(field) ? properties.get(field).asStringOrThrow() : "";
    }

    static String header(Headers headers, String field) {
        List<String> values = headers.values(field);
        return values.isEmpty() ? "" : values.get(0);
    }
}
