import com.openai.core.http.HttpResponseFor;
import com.openai.models.chat.completions.ChatCompletion;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import com.openai.models.chat.completions.ChatCompletionMessage;
import com.openai.models.completions.CompletionUsage;
import java.util.List;

/** Whole answers. */
final class WholeChecks {
    private WholeChecks() {}

    static void addTo(Checks checks) {
        checks.add("chat().completions().create", "a completion is answered", WholeChecks::isAnswered);
        checks.add("chat().completions().create", "the prompt comes back in any script", () -> {
            for (String prompt : List.of("hello", "Grüße, 世界 🌍🏽!", "quotes \" and \\ and a\nnew line")) {
                Checks.equal(Sdk.text(Sdk.ask(Sdk.client(), "echo", prompt)), "You said: " + prompt, "the answer");
            }
        });
        checks.add("chat().completions().create", "a conversation of several messages reaches the model", () -> {
            ChatCompletionCreateParams params = ChatCompletionCreateParams.builder().model("echo")
                .addSystemMessage("Be brief.").addDeveloperMessage("Be kind.").addUserMessage("one")
                .addAssistantMessage("two").addUserMessage("three")
                .temperature(0.5).maxCompletionTokens(50).store(false).build();
            String said = Sdk.text(Sdk.client().chat().completions().create(params));
            List.of("one", "two", "three").forEach(word -> Checks.holds(said, word));
        });
        checks.add("usage", "usage is what the model reports", () -> {
            CompletionUsage usage = Sdk.ask(Sdk.client(), "echo", "two words").usage().orElseThrow();
            Checks.equal(List.of(usage.promptTokens(), usage.completionTokens(), usage.totalTokens()),
                List.of(2L, 4L, 6L), "usage");
        });
        checks.add("usage", "usage that nobody reports is estimated", WholeChecks::usageIsEstimated);
        checks.add("reasoning_content as an additional property", "reasoning is set apart", () -> {
            ChatCompletionMessage message = Sdk.ask(Sdk.client(), "thinker", "hello").choices().get(0).message();
            Checks.equal(message.content().orElseThrow(), "The answer is 42.", "the content");
            for (String field : List.of("reasoning_content", "reasoning")) {
                Checks.equal(Sdk.extra(message._additionalProperties(), field), "First I think. Then I answer.", field);
            }
        });
        checks.add("raw response headers", "the headers of an answer can be read", WholeChecks::headersAreRead);
    }

    private static void isAnswered() {
        ChatCompletion answer = Sdk.ask(Sdk.client(), "writer", "hello");
        answer.validate();
        Checks.equal(answer.model(), "writer", "the model");
        Checks.equal(Sdk.text(answer), Sdk.WRITTEN, "the content");
        Checks.equal(answer.choices().get(0).finishReason(), ChatCompletion.Choice.FinishReason.STOP, "finish_reason");
        Checks.equal(answer.choices().get(0).message()._role().convert(String.class), "assistant", "the role");
        Checks.isTrue(answer.id().startsWith("chatcmpl-"), "the id is " + answer.id());
    }

    private static void usageIsEstimated() {
        ChatCompletionCreateParams params = Sdk.question("uncounted", "hello").build();
        try (HttpResponseFor<ChatCompletion> raw = Sdk.client().chat().completions().withRawResponse().create(params)) {
            Checks.equal(Sdk.header(raw.headers(), "x-replibridge-usage"), "estimated", "the header");
            CompletionUsage usage = raw.parse().usage().orElseThrow();
            Checks.isTrue(usage.completionTokens() > 0, "no completion tokens");
            Checks.equal(usage.totalTokens(), usage.promptTokens() + usage.completionTokens(), "the total");
        }
    }

    private static void headersAreRead() {
        ChatCompletionCreateParams params = Sdk.question("writer", "hello")
            .putAdditionalHeader("X-Request-Id", "my-own-id").build();
        try (HttpResponseFor<ChatCompletion> raw = Sdk.client().chat().completions().withRawResponse().create(params)) {
            Checks.equal(raw.statusCode(), 200, "the status");
            Checks.equal(raw.requestId().orElse(""), "my-own-id", "the request id");
            Checks.equal(Sdk.header(raw.headers(), "x-replibridge-usage"), "reported", "the header");
            Checks.equal(Sdk.header(raw.headers(), "content-type"), "application/json", "the content type");
            Checks.isTrue(!Sdk.header(raw.headers(), "x-replicate-prediction-id").isEmpty(), "no prediction id");
            Checks.equal(Sdk.text(raw.parse()), Sdk.WRITTEN, "the content");
        }
    }
}
