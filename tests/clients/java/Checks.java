import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;

/** Runs checks, prints a line for each, and writes what was exercised. */
final class Checks {
    static final String URL = System.getenv("REPLIBRIDGE_URL");
    static final String KEY = System.getenv("REPLIBRIDGE_KEY");
    private static final String NAME = System.getenv("name");
    private static final String SIM_URL = System.getenv("SIM_URL");
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final HttpClient HTTP = HttpClient.newHttpClient();

    interface Body {
        void run() throws Exception;
    }

    private record Check(String exercised, String sentence, boolean isLong, Body body) {}

    private final List<Check> checks = new ArrayList<>();
    private final Map<String, Boolean> passed = new LinkedHashMap<>();

    void add(String exercised, String sentence, Body body) {
        checks.add(new Check(exercised, sentence, false, body));
    }

    /** A check that waits for something: those run side by side while the others run in turn. */
    void addLong(String exercised, String sentence, Body body) {
        checks.add(new Check(exercised, sentence, true, body));
    }

    static void equal(Object actual, Object expected, String what) {
        isTrue(Objects.equals(actual, expected), what + " is " + actual + " and not " + expected);
    }

    static void isTrue(boolean condition, String why) {
        if (!condition) {
            throw new AssertionError(why);
        }
    }

    static void holds(String text, String part) {
        isTrue(text != null && text.contains(part), "\"" + part + "\" is not in \"" + text + "\"");
    }

    static <E extends Throwable> E raised(Class<E> kind, Callable<?> body) {
        try {
            body.call();
        } catch (Throwable error) {
            isTrue(error.getClass() == kind, "it is no " + kind.getSimpleName() + ": " + error);
            return kind.cast(error);
        }
        throw new AssertionError("no " + kind.getSimpleName() + " was raised");
    }

    /** What the simulated Replicate knows of the predictions with that prompt. */
    private static List<JsonNode> found(String prompt) throws Exception {
        List<JsonNode> found = new ArrayList<>();
        for (String url = SIM_URL + "/predictions"; url != null;) {
            HttpRequest request = HttpRequest.newBuilder(URI.create(url)).header("Authorization", "Bearer test-token")
                .build();
            JsonNode page = JSON.readTree(HTTP.send(request, HttpResponse.BodyHandlers.ofString()).body());
            for (JsonNode one : page.get("results")) {
                if (one.get("input").toString().contains(prompt)) {
                    found.add(one);
                }
            }
            url = page.get("next").asText(null);
        }
        return found;
    }

    /** The states of the predictions with that prompt. */
    static List<String> predictions(String prompt) throws Exception {
        return found(prompt).stream().map(one -> one.get("status").asText()).toList();
    }

    /** What the only prediction with that prompt has in that input. */
    static String input(String prompt, String input) throws Exception {
        List<JsonNode> found = found(prompt);
        equal(found.size(), 1, "the number of predictions");
        return found.get(0).get("input").path(input).asText();
    }

    /** Waits until the only prediction with that prompt has come to that end. */
    static void endsAs(String prompt, String status, int seconds) throws Exception {
        long deadline = System.nanoTime() + seconds * 1_000_000_000L;
        while (!predictions(prompt).equals(List.of(status))) {
            isTrue(System.nanoTime() < deadline, "not one prediction, " + status + ": " + predictions(prompt));
            Thread.sleep(50);
        }
    }

    private void perform(Check check) {
        String line = "ok " + NAME + ": " + check.sentence();
        boolean well = true;
        try {
            check.body().run();
        } catch (Throwable error) {
            well = false;
            String why = error.toString().replaceAll("\\s+", " ");
            line = "not " + line + ": " + why.substring(0, Math.min(why.length(), 500)) + lineOf(error);
        }
        synchronized (passed) {
            passed.merge(check.exercised(), well, Boolean::logicalAnd);
            System.out.println(line);
        }
    }

    private static String lineOf(Throwable error) {
        for (StackTraceElement at : error.getStackTrace()) {
            if (at.getFileName() != null && at.getFileName().endsWith("Checks.java")
                && !at.getFileName().equals("Checks.java")) {
                return " (" + at.getFileName() + ":" + at.getLineNumber() + ")";
            }
        }
        return "";
    }

    int run(String client, String version) throws Exception {
        List<Thread> waiting = new ArrayList<>();
        for (Check check : checks) {
            passed.put(check.exercised(), true); // the order of the table
            if (check.isLong()) {
                Thread thread = new Thread(() -> perform(check));
                thread.setDaemon(true);
                thread.start();
                waiting.add(thread);
            }
        }
        checks.stream().filter(check -> !check.isLong()).forEach(this::perform);
        for (Thread thread : waiting) {
            thread.join();
        }
        List<String> exercised = passed.entrySet().stream().filter(Map.Entry::getValue).map(Map.Entry::getKey).toList();
        Map<String, Object> result = new LinkedHashMap<>();
        result.put("client", client);
        result.put("version", version);
        result.put("exercised", exercised);
        Path path = Path.of(System.getenv("RESULTS"), NAME + ".json");
        JSON.writerWithDefaultPrettyPrinter().writeValue(path.toFile(), result);
        return passed.containsValue(false) ? 1 : 0;
    }
}
