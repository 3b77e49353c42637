import com.openai.client.OpenAIClient;
import com.openai.core.http.HttpResponseFor;
import com.openai.core.http.StreamResponse;
import com.openai.errors.SseException;
import com.openai.helpers.ChatCompletionAccumulator;
import com.openai.models.chat.completions.ChatCompletion;
import com.openai.models.chat.completions.ChatCompletionChunk;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import java.util.ArrayList;
import java.util.List;

/** Streamed answers. */
final class StreamChecks {
    private StreamChecks() {}

    static void addTo(Checks checks) {
        checks.add("createStreaming", "a stream brings the whole text and ends in order", StreamChecks::endsInOrder);
        checks.add("createStreaming", "each piece that the model writes is a chunk of its own",
            StreamChecks::eachPieceIsAChunk);
        checks.add("usage", "include_usage adds a last chunk without choices", StreamChecks::usageIsLast);
        checks.add("reasoning_content as an additional property", "reasoning is streamed before the answer",
            StreamChecks::reasoningComesFirst);
        checks.add("ChatCompletionAccumulator", "the accumulator puts an answer together", () -> {
            ChatCompletion answer = accumulated(Sdk.client(), Sdk.withUsage(Sdk.question("writer", "hello")));
            Checks.equal(Sdk.text(answer), Sdk.WRITTEN, "the content");
            Checks.equal(answer.choices().get(0).finishReason(), ChatCompletion.Choice.FinishReason.STOP, "the end");
            Checks.equal(answer.usage().orElseThrow().completionTokens(), 6L, "completion tokens");
        });
        checks.add("raw response headers", "the headers of a stream can be read", () -> {
            ChatCompletionCreateParams params = Sdk.question("writer", "hello").build();
            try (HttpResponseFor<StreamResponse<ChatCompletionChunk>> raw =
                    Sdk.client().chat().completions().withRawResponse().createStreaming(params)) {
                Checks.equal(Sdk.header(raw.headers(), "content-type"), "text/event-stream; charset=utf-8", "the type");
                Checks.isTrue(!Sdk.header(raw.headers(), "x-replicate-prediction-id").isEmpty(), "no prediction id");
            }
        });
        checks.add("errors in streams", "a failure in mid-stream comes after the text before it", () -> {
            List<ChatCompletionChunk> chunks = new ArrayList<>();
            SseException error = Checks.raised(SseException.class, () -> {
                ChatCompletionCreateParams params = Sdk.question("breaking", "hello").build();
                try (StreamResponse<ChatCompletionChunk> stream =
                        Sdk.client().chat().completions().createStreaming(params)) {
                    stream.stream().forEach(chunks::add);
                }
                return null;
            });
            Checks.equal(Sdk.text(chunks), "This will not ", "the text");
            Checks.holds(error.getMessage(), "The model fell asleep in mid-sentence.");
            Checks.equal(error.code().orElse(null), "prediction_failed", "the code");
            Checks.equal(error.type().orElse(null), "server_error", "the type");
        });
    }

    static ChatCompletion accumulated(OpenAIClient client, ChatCompletionCreateParams params) {
        ChatCompletionAccumulator accumulator = ChatCompletionAccumulator.create();
        Sdk.collect(client, params).forEach(accumulator::accumulate);
        return accumulator.chatCompletion();
    }

    private static void endsInOrder() {
        List<ChatCompletionChunk> chunks = Sdk.collect(Sdk.client(), Sdk.question("writer", "hello").build());
        Checks.equal(Sdk.text(chunks), Sdk.WRITTEN, "the text");
        for (ChatCompletionChunk chunk : chunks) {
            chunk.validate();
            boolean isFirst = chunk == chunks.get(0);
            boolean isLast = chunk == chunks.get(chunks.size() - 1);
            Checks.equal(List.of(chunk.id(), chunk.model()), List.of(chunks.get(0).id(), "writer"), "id and model");
            Checks.equal(chunk.choices().get(0).delta().role().isPresent(), isFirst, "the role is there, which");
            Checks.equal(chunk.choices().get(0).finishReason().isPresent(), isLast, "finish_reason is there, which");
            Checks.isTrue(chunk.usage().isEmpty(), "there is usage that nobody asked for");
        }
    }

    /** That they come while the model still writes is seen where a stream without end is closed half-way. */
    private static void eachPieceIsAChunk() {
        List<ChatCompletionChunk> chunks = Sdk.collect(Sdk.client(), Sdk.question("writer", "hello").build());
        long pieces = chunks.stream().filter(chunk -> !Sdk.text(List.of(chunk)).isEmpty()).count();
        Checks.equal(pieces, 6L, "the number of pieces");
    }

    private static void usageIsLast() {
        List<ChatCompletionChunk> chunks = Sdk.collect(Sdk.client(), Sdk.withUsage(Sdk.question("echo", "two words")));
        ChatCompletionChunk last = chunks.remove(chunks.size() - 1);
        Checks.isTrue(chunks.stream().allMatch(chunk -> chunk.usage().isEmpty()), "there is usage before the end");
        Checks.isTrue(last.choices().isEmpty(), "the last chunk has choices");
        Checks.equal(last.usage().orElseThrow().promptTokens(), 2L, "prompt tokens");
        Checks.equal(last.usage().orElseThrow().completionTokens(), 4L, "completion tokens");
    }

    private static void reasoningComesFirst() {
        StringBuilder thoughts = new StringBuilder();
        List<ChatCompletionChunk> chunks = Sdk.collect(Sdk.client(), Sdk.question("thinker", "hello").build());
        for (ChatCompletionChunk chunk : chunks) {
            ChatCompletionChunk.Choice.Delta delta = chunk.choices().get(0).delta();
            boolean isText = !delta.content().orElse("").isEmpty();
            String thought = Sdk.extra(delta._additionalProperties(), "reasoning_content");
            Checks.isTrue(!isText || thought.isEmpty(), "a thought and text are in one piece");
            thoughts.append(thought);
            Checks.isTrue(!isText || thoughts.toString().endsWith("Then I answer."), "text came before a thought");
        }
        Checks.equal(thoughts.toString(), "First I think. Then I answer.", "the thoughts");
        Checks.equal(Sdk.text(chunks), "The answer is 42.", "the text");
    }
}
