import com.openai.client.OpenAIClient;
import com.openai.core.JsonValue;
import com.openai.errors.BadRequestException;
import com.openai.errors.InternalServerException;
import com.openai.errors.NotFoundException;
import com.openai.errors.OpenAIIoException;
import com.openai.errors.OpenAIServiceException;
import com.openai.errors.PermissionDeniedException;
import com.openai.errors.RateLimitException;
import com.openai.errors.UnauthorizedException;
import com.openai.errors.UnprocessableEntityException;
import com.openai.models.chat.completions.ChatCompletion;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import java.io.InterruptedIOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;

/** Every class of error, each from a real one. */
final class ErrorChecks {
    private ErrorChecks() {}

    /** An answer of that class, with that status, type, param and code (null where they are), that says those words. */
    static <E extends OpenAIServiceException> E refusal(Class<E> kind, List<?> expected, String words,
        Callable<ChatCompletion> question) {
        E error = Checks.raised(kind, question);
        List<Object> actual = Arrays.asList(error.statusCode(), error.type().orElse(null), error.param().orElse(null),
            error.code().orElse(null));
        Checks.equal(actual, expected, "status, type, param and code");
        Checks.holds(error.getMessage(), words);
        Checks.isTrue(Sdk.header(error.headers(), "x-request-id").startsWith("req_"), "no request id");
        return error;
    }

    static List<?> expected(int status, String type, String param, String code) {
        return Arrays.asList(status, type, param, code);
    }

    static void addTo(Checks checks) {
        addBadRequests(checks);
        addRefusals(checks);
        addFailures(checks);
        addConnectionErrors(checks);
    }

    private static void addBadRequests(Checks checks) {
        checks.add("error classes", "400: no message at all", () ->
            refusal(BadRequestException.class, expected(400, "invalid_request_error", "messages", "invalid_value"),
                "Send at least one message.", () -> Sdk.client().chat().completions().create(
                    ChatCompletionCreateParams.builder().model("writer").messages(List.of()).build())));
        checks.add("error classes", "400: a wrong type names the parameter", () ->
            refusal(BadRequestException.class, expected(400, "invalid_request_error", "temperature", "invalid_type"),
                "`temperature` has to be a number", () -> Sdk.client().chat().completions().create(
                    Sdk.question("writer", "hello")
                        .putAdditionalBodyProperty("temperature", JsonValue.from("warm")).build())));
        checks.add("error classes", "400: strict parameters", () ->
            refusal(BadRequestException.class,
                expected(400, "invalid_request_error", "verbosity", "unsupported_parameter"),
                "has no input for `verbosity`", () -> Sdk.client().chat().completions().create(
                    Sdk.question("strict", "hello").verbosity(ChatCompletionCreateParams.Verbosity.LOW).build())));
        checks.add("error classes", "400: a safety filter", () ->
            refusal(BadRequestException.class, expected(400, "invalid_request_error", null, "content_policy_violation"),
                "The model's safety filter stopped the prediction", () -> Sdk.ask(Sdk.client(), "unsafe", "hello")));
    }

    private static void addRefusals(Checks checks) {
        checks.add("error classes", "401: a wrong key", () -> {
            UnauthorizedException error = refusal(UnauthorizedException.class,
                expected(401, "invalid_request_error", null, "invalid_api_key"), "Incorrect API key provided.",
                () -> Sdk.ask(Sdk.client(builder -> builder.apiKey(Checks.KEY + "-but-wrong")), "writer", "hello"));
            Checks.isTrue(!error.getMessage().contains(Checks.KEY), "the message holds the key");
        });
        checks.add("error classes", "403: a model that the key may not use", () -> {
            OpenAIClient client = Sdk.client(builder -> builder.apiKey("writer-key"));
            Checks.equal(Sdk.text(Sdk.ask(client, "writer", "hello")), Sdk.WRITTEN, "the answer");
            refusal(PermissionDeniedException.class,
                expected(403, "invalid_request_error", "model", "model_not_allowed"),
                "Your API key may not use the model `echo`.", () -> Sdk.ask(client, "echo", "hello"));
        });
        checks.add("error classes", "404: an unknown model", () ->
            refusal(NotFoundException.class, expected(404, "invalid_request_error", "model", "model_not_found"),
                "The model `nobody/nothing` does not exist here.",
                () -> Sdk.ask(Sdk.client(), "nobody/nothing", "hello")));
        checks.add("error classes", "404: an unknown path", () ->
            refusal(NotFoundException.class, expected(404, "invalid_request_error", null, null),
                "/v1/nowhere/chat/completions",
                () -> Sdk.ask(Sdk.client(builder -> builder.baseUrl(Checks.URL + "/v1/nowhere")), "writer", "hello")));
        checks.add("error classes", "429: the second request in a minute of a limited model", () -> {
            Sdk.ask(Sdk.client(), "limited", "hello");
            RateLimitException error = refusal(RateLimitException.class,
                expected(429, "rate_limit_error", null, "rate_limit_exceeded"), "limit of 1 request per minute",
                () -> Sdk.ask(Sdk.client(), "limited", "hello"));
            int seconds = Integer.parseInt(Sdk.header(error.headers(), "retry-after"));
            Checks.isTrue(seconds > 0 && seconds <= 60, "retry-after is " + seconds);
        });
    }

    private static void addFailures(Checks checks) {
        checks.add("error classes", "422: a failed prediction", () -> {
            UnprocessableEntityException error = refusal(UnprocessableEntityException.class,
                expected(422, "server_error", null, "prediction_failed"), "The model tripped over its own feet.",
                () -> Sdk.ask(Sdk.client(), "failing", "my secret plans"));
            Checks.holds(error.getMessage(), Sdk.header(error.headers(), "x-replicate-prediction-id"));
            Checks.isTrue(!error.getMessage().contains("secret plans"), "the message holds the prompt");
        });
        checks.add("error classes", "503: a passing fault of Replicate", () ->
            refusal(InternalServerException.class, expected(503, "server_error", null, "upstream_transient_failure"),
                "Try again.", () -> Sdk.ask(Sdk.client(), "busy", "hello")));
        checks.add("error classes", "504: a model that does not answer in time", () ->
            refusal(InternalServerException.class, expected(504, "server_error", null, "timeout"),
                "did not answer within 1 s", () -> Sdk.ask(Sdk.client(), "late", "hello")));
        checks.add("errors in streams", "a failure before any text has its status", () ->
            refusal(UnprocessableEntityException.class, expected(422, "server_error", null, "prediction_failed"),
                "The model tripped over its own feet.", () -> {
                    Sdk.collect(Sdk.client(), Sdk.question("failing", "hello").build());
                    return null;
                }));
    }

    private static void addConnectionErrors(Checks checks) {
        checks.add("error classes", "a client that does not wait gets a timeout", () -> {
            OpenAIClient client = Sdk.client(builder -> builder.timeout(Duration.ofMillis(500)));
            OpenAIIoException error = Checks.raised(OpenAIIoException.class,
                () -> Sdk.ask(client, "slow", "who will not wait"));
            Checks.isTrue(error.getCause() instanceof InterruptedIOException, "the cause is " + error.getCause());
            Checks.equal(Checks.predictions("who will not wait").size(), 1, "the number of predictions");
        });
        checks.add("error classes", "a daemon that is not there refuses the connection", () -> {
            ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
            String url = "http://127.0.0.1:" + taken.getLocalPort() + "/v1";
            taken.close();
            OpenAIIoException error = Checks.raised(OpenAIIoException.class,
                () -> Sdk.ask(Sdk.client(builder -> builder.baseUrl(url)), "writer", "hello"));
            Checks.isTrue(error.getCause() instanceof ConnectException, "the cause is " + error.getCause());
        });
    }
}
