package satchel.cli;

import java.io.File;
import java.util.Arrays;
import java.util.List;
import satchel.Model;
import satchel.Satchel;
import satchel.SatchelException;
import satchel.bundle.Bundle;

/** A verb of the command line: its arguments are declared, then it runs on what was given. */
abstract class Verb {
    private static final int FEWEST_THREADS = 32;

    final String name;
    final String about;
    final List<String> examples;

    Verb(String name, String about, String... examples) {
        this.name = name;
        this.about = about;
        this.examples = Arrays.asList(examples);
    }

    /** Arguments and options besides those that every verb on a bundle has. */
    abstract void declare(Arguments arguments);

    abstract void run(Given given, Console console);

    final Arguments arguments() {
        Arguments arguments = new Arguments("satchel " + name);
        arguments.add("bundle", Argument.Takes.ONE, "a folder made by satchel export");
        arguments.add("--debug", Argument.Takes.NOTHING, "show stack traces");
        arguments.add("--threads", Argument.Takes.ONE, "default: the physical cores")
                .read(Argument.Read.WHOLE, "N");
        arguments.add("--no-kernels", Argument.Takes.NOTHING, "ONNX Runtime's own kernels, as always here");
        declare(arguments);
        return arguments;
    }

    /** The model of the verb's bundle; whoever loads it closes it. */
    static Model load(Given given) {
        File folder = given.file("bundle");
        Integer threads = given.whole("threads");
        if (threads != null && threads == 0) { // which means "as usual" to an app
            Bundle.open(folder).awaitChecks();
            int most = Math.max(FEWEST_THREADS, 4 * Runtime.getRuntime().availableProcessors());
            throw SatchelException.usage("threads = 0; expected 1 to " + most + " on this machine");
        }
        return Satchel.load(folder, threads == null ? 0 : threads);
    }

    /** Raises USAGE unless exactly one of some arguments is given. */
    static void onlyOneOf(Given given, String... names) {
        int count = 0;
        StringBuilder wanted = new StringBuilder();
        for (String one : names) {
            count += given.has(one) ? 1 : 0;
            boolean bare = one.equals("text") || one.equals("passage");
            wanted.append(wanted.length() > 0 ? " or " : "").append(bare ? "a " + one : "--" + one.replace('_', '-'));
        }
        if (count != 1) {
            throw SatchelException.usage("give " + wanted + ", and one of them only");
        }
    }
}
