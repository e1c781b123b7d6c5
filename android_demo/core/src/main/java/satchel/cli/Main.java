package satchel.cli;

import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UnsupportedEncodingException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import satchel.SatchelException;
import satchel.TaskException;
import satchel.bundle.Task;

/** The command line: a table of verbs, each a class. Errors are one line on the standard error. */
public final class Main {
    static final String VERSION = "0.1.0";
    static final List<Verb> VERBS = Arrays.asList(
            new Generate(),
            new Translate(),
            new Chat(),
            new Inspect(),
            new Embed(),
            new Classify(),
            new Tokens(),
            new AnswerVerb(),
            new FillMask(),
            new Rank(),
            new Transcribe(),
            new Verify(),
            new Bench());

    private Main() {}

    public static void main(String[] arguments) throws UnsupportedEncodingException {
        System.setErr(new PrintStream(new FileOutputStream(FileDescriptor.err), true, "UTF-8"));
        String[] words = CommandLine.words(arguments);
        int status = run(
                words, new FileInputStream(FileDescriptor.in), new FileOutputStream(FileDescriptor.out), System.err);
        System.exit(status);
    }

    /** Runs one command; the exit status. */
    static int run(String[] words, InputStream in, OutputStream out, OutputStream err) {
        Console console = new Console(in, out, err);
        boolean debug = Arrays.asList(words).contains("--debug");
        try {
            run(Arrays.asList(words), console);
            console.flush();
            return 0;
        } catch (Console.Closed closed) {
            return 0;
        } catch (SatchelException error) {
            return failed(error, wording(error), error.code, error.exitStatus, debug, console);
        } catch (OutOfMemoryError error) {
            return failed(error, "not enough memory", "OUT_OF_MEMORY", 6, debug, console);
        } catch (RuntimeException error) {
            String what = error.getClass().getSimpleName() + ": " + SatchelException.shown(error.getMessage(), 360);
            return failed(error, what + "; --debug shows where", "ERROR", 1, debug, console);
        }
    }

    private static int failed(
            Throwable error, String message, String code, int status, boolean debug, Console console) {
        try {
            console.flush(); // what was written before it
        } catch (RuntimeException ignored) {
            // The error that is being told is the first one.
        }
        if (debug) {
            StringWriter trace = new StringWriter();
            error.printStackTrace(new PrintWriter(trace, true));
            console.note(trace.toString().trim());
        }
        console.note("error[" + code + "]: " + message);
        return status;
    }

    /** An error in the words of the command line. */
    private static String wording(SatchelException error) {
        if (!(error instanceof TaskException)) {
            return error.getMessage();
        }
        String task = ((TaskException) error).task;
        StringBuilder verbs = new StringBuilder();
        for (String command : Task.of(task).commands) {
            verbs.append(verbs.length() > 0 ? " or " : "").append("satchel ").append(command);
        }
        return "the bundle was made for " + SatchelException.shown(task) + "; use " + verbs;
    }

    private static void run(List<String> words, Console console) {
        String first = words.isEmpty() ? "" : words.get(0);
        if (first.equals("--help") || first.equals("-h")) {
            console.print(Help.of(VERBS));
            return;
        }
        if (first.equals("--version")) {
            console.line("satchel " + VERSION);
            return;
        }
        List<String> names = new ArrayList<String>();
        for (Verb verb : VERBS) {
            names.add(verb.name);
        }
        if (first.isEmpty() || first.startsWith("-")) {
            throw SatchelException.usage("the following arguments are required: COMMAND; see satchel --help");
        }
        Arguments.checkKnown("command", first, names);
        Verb verb = VERBS.get(names.indexOf(first));
        Arguments arguments = verb.arguments();
        Given given;
        try {
            given = arguments.read(words.subList(1, words.size()));
        } catch (Arguments.HelpWanted wanted) {
            console.print(Help.of(verb, arguments));
            return;
        }
        verb.run(given, console);
    }
}
