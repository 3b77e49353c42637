/** The official OpenAI SDK for Java: all checks, which the other files of this folder hold by subject. */
public final class Main {
    public static void main(String[] arguments) throws Exception {
        Checks checks = new Checks();
        WholeChecks.addTo(checks);
        StreamChecks.addTo(checks);
        AsyncChecks.addTo(checks);
        ModelChecks.addTo(checks);
        ErrorChecks.addTo(checks);
        RetryChecks.addTo(checks);
        JoinChecks.addTo(checks);
        VisionChecks.addTo(checks);
        LeavingChecks.addTo(checks);
        WaitingChecks.addTo(checks);
        int code = checks.run("OpenAI SDK for Java", Sdk.version());
        System.exit(code); // the SDK's own threads would linger
    }
}
