package satchel.cli;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** The page that --help prints. */
final class Help {
    private static final int WIDTH = 78;
    private static final int COLUMN = 24;
    private static final String SHOW = "show this help message and exit";

    private Help() {}

    /** The page of one verb. */
    static String of(Verb verb, Arguments arguments) {
        StringBuilder out = new StringBuilder("usage: ").append(arguments.program).append(" [options]");
        for (Argument argument : arguments.declared) {
            if (!argument.isOption()) {
                out.append(' ').append(place(argument));
            } else if (argument.required) {
                out.append(' ').append(argument.flag).append(' ').append(argument.metavar);
            }
        }
        out.append("\n\n").append(verb.about).append("\n\npositional arguments:\n");
        for (Argument argument : arguments.declared) {
            if (!argument.isOption()) {
                row(argument.name, argument.help, out);
            }
        }
        Set<String> groups = new LinkedHashSet<String>();
        groups.add("");
        for (Argument argument : arguments.declared) {
            groups.add(argument.group);
        }
        for (String group : groups) {
            out.append('\n').append(group.isEmpty() ? "options" : group).append(":\n");
            if (group.isEmpty()) {
                row("-h, --help", SHOW, out);
            }
            for (Argument argument : arguments.declared) {
                if (argument.isOption() && argument.group.equals(group)) {
                    row(flag(argument), argument.help, out);
                }
            }
        }
        out.append("\nexamples:\n");
        for (String example : verb.examples) {
            out.append("  ").append(example).append('\n');
        }
        return out.toString();
    }

    /** The page of the program. */
    static String of(List<Verb> verbs) {
        StringBuilder out = new StringBuilder("usage: satchel [-h] [--version] COMMAND ...\n\n");
        out.append("Run bundles made by satchel export, on a Java virtual machine.\n\n");
        out.append("positional arguments:\n  COMMAND\n");
        for (Verb verb : verbs) {
            row("  " + verb.name, verb.about, out);
        }
        out.append("\noptions:\n");
        row("-h, --help", SHOW, out);
        row("--version", "show program's version number and exit", out);
        return out.toString();
    }

    private static String place(Argument argument) {
        switch (argument.takes) {
            case SEVERAL:
                return "[" + argument.name + " ...]";
            case PERHAPS:
                return "[" + argument.name + "]";
            default:
                return argument.name;
        }
    }

    private static String flag(Argument argument) {
        switch (argument.takes) {
            case NOTHING:
                return argument.flag;
            case YES_OR_NO:
                return argument.flag + ", --no-" + argument.flag.substring(2);
            case SEVERAL:
                return argument.flag + " " + argument.metavar + " [" + argument.metavar + " ...]";
            case PAIR:
                return argument.flag + " " + argument.metavar + " " + argument.metavar;
            default:
                return argument.flag + " " + argument.metavar;
        }
    }

    /** A name and what it is, in two columns. */
    private static void row(String name, String help, StringBuilder out) {
        StringBuilder line = new StringBuilder("  ").append(name);
        if (line.length() > COLUMN - 2) {
            out.append(line).append('\n');
            line.setLength(0);
        }
        for (String part : wrapped(help)) {
            while (line.length() < COLUMN) {
                line.append(' ');
            }
            out.append(line).append(part).append('\n');
            line.setLength(0);
        }
    }

    private static List<String> wrapped(String text) {
        List<String> lines = new ArrayList<String>();
        StringBuilder line = new StringBuilder();
        for (String word : text.split(" ")) {
            if (line.length() > 0 && line.length() + 1 + word.length() > WIDTH - COLUMN) {
                lines.add(line.toString());
                line.setLength(0);
            }
            line.append(line.length() > 0 ? " " : "").append(word);
        }
        lines.add(line.toString());
        return lines;
    }
}
