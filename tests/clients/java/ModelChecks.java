import com.openai.client.OpenAIClient;
import com.openai.errors.NotFoundException;
import com.openai.models.models.Model;
import java.util.List;

/** The models that there are, and the ways to write where the daemon is. */
final class ModelChecks {
    private ModelChecks() {}

    static void addTo(Checks checks) {
        checks.add("models().list", "the list of models names them all and comes to an end", () -> {
            List<String> ids = Sdk.client().models().list().autoPager().stream().limit(1000).map(Model::id).toList();
            List<String> some = List.of("writer", "echo", "boots", "acme/tiny-writer");
            Checks.isTrue(ids.containsAll(some), "the list is " + ids);
            Checks.isTrue(ids.size() < 1000, "the list does not end");
        });
        checks.add("models().retrieve", "one model is told of by its name, also with a slash", () -> {
            for (String id : List.of("writer", "acme/tiny-writer")) {
                Model model = Sdk.client().models().retrieve(id);
                model.validate();
                Checks.equal(model.id(), id, "the id");
                Checks.isTrue(model.created() > 0 && !model.ownedBy().isEmpty(), "created or owned_by is missing");
            }
        });
        checks.add("models().retrieve", "a model that is not there is not found", () -> {
            NotFoundException error = Checks.raised(NotFoundException.class,
                () -> Sdk.client().models().retrieve("acme/nothing"));
            Checks.equal(error.code().orElse(null), "model_not_found", "the code");
            Checks.holds(error.getMessage(), "The model `acme/nothing` does not exist");
        });
        checks.add("base URLs", "every way to write the base URL works", () -> {
            for (String path : List.of("", "/", "/v1", "/v1/")) {
                OpenAIClient client = Sdk.client(builder -> builder.baseUrl(Checks.URL + path));
                String answer = Sdk.text(Sdk.ask(client, "acme/tiny-writer", "hello"));
                Checks.equal(answer, Sdk.WRITTEN, "the answer at " + path);
                Checks.equal(client.models().retrieve("acme/tiny-writer").id(), "acme/tiny-writer", "the model");
            }
        });
        checks.add("connections", "one client serves whole answers, streams and errors in turn", () -> {
            OpenAIClient client = Sdk.client(builder -> builder.organization("org-none").project("proj-none"));
            for (int i = 0; i < 3; i++) {
                Checks.equal(Sdk.text(Sdk.ask(client, "writer", "hello")), Sdk.WRITTEN, "the answer");
                String streamed = Sdk.text(Sdk.collect(client, Sdk.question("writer", "hello").build()));
                Checks.equal(streamed, Sdk.WRITTEN, "the text");
                Checks.raised(NotFoundException.class, () -> Sdk.ask(client, "nope", "hello"));
            }
        });
    }
}
