import com.openai.errors.BadRequestException;
import com.openai.models.chat.completions.ChatCompletion;
import com.openai.models.chat.completions.ChatCompletionContentPart;
import com.openai.models.chat.completions.ChatCompletionContentPartImage;
import com.openai.models.chat.completions.ChatCompletionContentPartText;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;

/** Images in messages: they reach the model's own input for them, large ones as files that are uploaded before. */
final class VisionChecks {
    private static final String PIXEL =
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+M8AAQUBAScY42YAAAAASUVORK5CYII=";

    private VisionChecks() {}

    private static ChatCompletion look(String url, String prompt, String model) {
        ChatCompletionContentPartText text = ChatCompletionContentPartText.builder().text(prompt).build();
        ChatCompletionContentPartImage image = ChatCompletionContentPartImage.builder()
            .imageUrl(ChatCompletionContentPartImage.ImageUrl.builder().url(url).build()).build();
        return Sdk.client().chat().completions().create(ChatCompletionCreateParams.builder().model(model)
            .addUserMessageOfArrayOfContentParts(List.of(
                ChatCompletionContentPart.ofText(text), ChatCompletionContentPart.ofImageUrl(image)))
            .build());
    }

    /** What the model that looks at images is given for one with that address. */
    private static String seen(String url, String prompt) throws Exception {
        Checks.equal(Sdk.text(look(url, prompt, "seer")), "I see a cat.", "the answer");
        return Checks.input(prompt, "picture");
    }

    static void addTo(Checks checks) {
        checks.add("images", "an image by its address reaches the model's own input", () -> {
            String url = "https://example.com/cat.png";
            Checks.equal(seen(url, "What is at this address?"), url, "the picture");
        });
        checks.add("images", "a small image is sent within the input", () -> {
            String url = "data:image/png;base64," + PIXEL;
            Checks.equal(seen(url, "What is within?"), url, "the picture");
        });
        checks.add("images", "a large image is uploaded before", () -> {
            byte[] small = Base64.getDecoder().decode(PIXEL);
            String large = Base64.getEncoder().encodeToString(Arrays.copyOf(small, small.length + 1_000_000));
            String picture = seen("data:image/png;base64," + large, "What is large?");
            Checks.isTrue(picture.startsWith("http"), "it was not uploaded");
        });
        checks.add("images", "an image for a model that reads none is refused in a sentence", () ->
            ErrorChecks.refusal(BadRequestException.class,
                ErrorChecks.expected(400, "invalid_request_error", "messages[0].content[1]", "unsupported_parameter"),
                "is an image, and the model `echo` takes text only.",
                () -> look("https://example.com/cat.png", "Who looks?", "echo")));
    }
}
