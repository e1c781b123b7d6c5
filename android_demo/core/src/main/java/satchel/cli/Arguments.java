package satchel.cli;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import satchel.SatchelException;
import satchel.text.Near;

/**
 * The arguments and options of a verb, and how they are read: options anywhere between arguments, also cut short where
 * that is clear. What cannot be read is a USAGE error of one line, with the name that may have been meant.
 */
final class Arguments {
    final String program;
    final List<Argument> declared = new ArrayList<Argument>();

    private Given given;
    private Words words;
    private List<String> loose;
    private int unknownAt;
    private String unknown;

    Arguments(String program) {
        this.program = program;
    }

    Argument add(String flag, Argument.Takes takes, String help) {
        Argument argument = new Argument(flag, takes, help);
        declared.add(argument);
        return argument;
    }

    /** A person asked for the help. */
    static final class HelpWanted extends RuntimeException {
        private static final long serialVersionUID = 1L;
    }

    /** The words of a command line, one after the other. */
    private static final class Words {
        final List<String> all;
        int at;

        Words(List<String> all) {
            this.all = all;
        }

        boolean hasValue() {
            return at < all.size() && !all.get(at).equals("--") && !isOption(all.get(at));
        }
    }

    /** What words say. Raises USAGE, or HelpWanted. */
    Given read(List<String> all) {
        given = new Given();
        words = new Words(all);
        loose = new ArrayList<String>();
        List<Integer> places = new ArrayList<Integer>();
        unknown = null;
        boolean options = true;
        for (Argument argument : declared) {
            given.values.put(argument.name, argument.otherwise);
        }
        while (words.at < all.size()) {
            String word = all.get(words.at++);
            if (options && word.equals("--")) {
                options = false;
            } else if (options && isOption(word)) {
                readOption(word);
            } else {
                places.add(words.at - 1);
                loose.add(word);
            }
        }
        require(true);
        int left = fill();
        require(false);
        if (left < loose.size() && (unknown == null || places.get(left) < unknownAt)) {
            throw wrong(SatchelException.shown(loose.get(left)) + " is an argument too many");
        }
        if (unknown != null) {
            refuse(unknown);
        }
        return given;
    }

    /** Whether a word is an option and not a value: it begins with a dash, but is no number and no sentence. */
    private static boolean isOption(String word) {
        if (word.length() < 2 || word.charAt(0) != '-' || word.indexOf(' ') >= 0) {
            return false;
        }
        return !isNumber(word.substring(1));
    }

    private static boolean isNumber(String word) {
        int points = 0;
        for (int i = 0; i < word.length(); ++i) {
            char c = word.charAt(i);
            points += c == '.' ? 1 : 0;
            if (c != '.' && (c < '0' || c > '9')) {
                return false;
            }
        }
        return points == 0 || (points == 1 && !word.endsWith("."));
    }

    private void readOption(String word) {
        int equals = word.indexOf('=');
        String flag = equals < 0 ? word : word.substring(0, equals);
        String value = equals < 0 ? null : word.substring(equals + 1);
        Map<String, Argument> flags = flags();
        String full = flags.containsKey(flag) ? flag : completed(flag, flags);
        if (full == null) {
            if (unknown == null) {
                unknown = word;
                unknownAt = words.at - 1;
            }
            return;
        }
        if (full.equals("--help") || full.equals("-h")) {
            throw new HelpWanted();
        }
        Argument option = flags.get(full);
        boolean bare = option.takes == Argument.Takes.NOTHING || option.takes == Argument.Takes.YES_OR_NO;
        if (bare) {
            if (value != null) {
                throw wrong(label(option, full) + "ignored explicit argument '" + value + "'");
            }
            given.values.put(option.name, !full.startsWith("--no-") || option.flag.equals(full));
        } else if (option.takes == Argument.Takes.ONE) {
            if (value == null && !words.hasValue()) {
                throw wrong(label(option, full) + "expected one argument");
            }
            given.values.put(option.name, converted(option, value == null ? words.all.get(words.at++) : value));
        } else {
            readSeveral(option, full, value);
        }
    }

    private void readSeveral(Argument option, String full, String value) {
        boolean pair = option.takes == Argument.Takes.PAIR;
        List<Object> values = new ArrayList<Object>();
        if (value != null) {
            values.add(converted(option, value));
        }
        while (value == null && words.hasValue() && (!pair || values.size() < 2)) {
            values.add(converted(option, words.all.get(words.at++)));
        }
        if (pair && values.size() != 2) {
            throw wrong(label(option, full) + "expected 2 arguments");
        }
        if (values.isEmpty()) {
            throw wrong(label(option, full) + "expected at least one argument");
        }
        if (!pair) {
            given.values.put(option.name, values);
            return;
        }
        List<Object> pairs = new ArrayList<Object>();
        if (given.values.get(option.name) != null) {
            pairs.addAll((List<?>) given.values.get(option.name));
        }
        pairs.add(values);
        given.values.put(option.name, pairs);
    }

    /** All flags; those that say no among them. */
    private Map<String, Argument> flags() {
        Map<String, Argument> flags = new LinkedHashMap<String, Argument>();
        flags.put("-h", null);
        flags.put("--help", null);
        for (Argument argument : declared) {
            if (argument.isOption()) {
                flags.put(argument.flag, argument);
                if (argument.takes == Argument.Takes.YES_OR_NO) {
                    flags.put("--no-" + argument.flag.substring(2), argument);
                }
            }
        }
        return flags;
    }

    /** The one flag that begins so, null where there is none. */
    private String completed(String start, Map<String, Argument> flags) {
        List<String> found = new ArrayList<String>();
        for (String flag : flags.keySet()) {
            if (start.startsWith("--") && flag.startsWith(start)) {
                found.add(flag);
            }
        }
        if (found.size() > 1) {
            StringBuilder matches = new StringBuilder();
            for (String flag : found) {
                matches.append(matches.length() > 0 ? ", " : "").append(flag);
            }
            throw wrong("ambiguous option: " + start + " could match " + matches);
        }
        return found.isEmpty() ? null : found.get(0);
    }

    /** Gives the arguments without a flag their words; how many words that took. */
    private int fill() {
        int taken = 0;
        for (Argument argument : declared) {
            if (argument.isOption()) {
                continue;
            }
            if (argument.takes == Argument.Takes.SEVERAL) {
                given.values.put(argument.name, new ArrayList<String>(loose.subList(taken, loose.size())));
                taken = loose.size();
            } else if (taken < loose.size()) {
                given.values.put(argument.name, loose.get(taken++));
            }
        }
        return taken;
    }

    private void require(boolean options) {
        StringBuilder missing = new StringBuilder();
        for (Argument argument : declared) {
            boolean needed = argument.isOption() ? argument.required : argument.takes == Argument.Takes.ONE;
            if (argument.isOption() == options && needed && given.values.get(argument.name) == null) {
                missing.append(missing.length() > 0 ? ", " : "").append(argument.flag);
            }
        }
        if (missing.length() > 0) {
            throw wrong("the following arguments are required: " + missing);
        }
    }

    private Object converted(Argument option, String text) {
        Object value;
        try {
            value = Values.read(option.read, text);
        } catch (IllegalArgumentException error) {
            throw wrong(label(option, option.flag) + error.getMessage());
        }
        if (option.choices != null) {
            checkKnown(option.flag, text, option.choices);
        }
        return value;
    }

    /** Raises USAGE, with what may have been meant, unless a value is known. */
    static void checkKnown(String label, String value, List<String> known) {
        if (known.contains(value)) {
            return;
        }
        StringBuilder names = new StringBuilder();
        for (String name : known) {
            names.append(names.length() > 0 ? ", " : "").append(name);
        }
        throw SatchelException.usage(
                label + " " + SatchelException.shown(value) + " is unknown; known: " + names + meant(value, known));
    }

    private void refuse(String word) {
        String name = word.indexOf('=') < 0 ? word : word.substring(0, word.indexOf('='));
        String problem = SatchelException.shown(name) + " is no option of " + program;
        String meant = meant(name, flags().keySet());
        if (meant.isEmpty()) {
            throw wrong(problem);
        }
        throw SatchelException.usage(problem + meant);
    }

    /** The known name that a mistyped one is nearest to, as a question. */
    private static String meant(String name, Iterable<String> known) {
        String near = Near.to(name, known);
        return near == null ? "" : "; did you mean " + near + "?";
    }

    private static String label(Argument option, String full) {
        boolean both = option.takes == Argument.Takes.YES_OR_NO;
        return "argument " + (both ? option.flag + "/--no-" + option.flag.substring(2) : full) + ": ";
    }

    private SatchelException wrong(String message) {
        return SatchelException.usage(message + "; see " + program + " --help");
    }
}
