package satchel.cli;

import java.util.LinkedHashMap;
import java.util.Map;
import satchel.generate.About;
import satchel.generate.Options;

/** The options of a generation on the command line, as they are declared for every caller. */
final class OptionFlags {
    private static final String LENGTH = "max_new_tokens";

    private OptionFlags() {}

    /** Every option that a method takes, and how long its texts may be. */
    static void add(Arguments arguments, String method) {
        String bound = method.equals("transcribe") ? "what fits a window" : "512";
        arguments.add("--max-new-tokens", Argument.Takes.ONE,
                        "end after N tokens; default: what the bundle recommends, or " + bound)
                .read(Argument.Read.WHOLE, "N");
        for (String name : Options.names()) {
            About about = Options.about(name);
            if (about.methods.contains(method)) {
                add(arguments, about);
            }
        }
    }

    private static void add(Arguments arguments, About about) {
        String flag = "--" + about.name.replace('_', '-');
        boolean yesOrNo = about.readAs == About.Kind.SWITCH;
        Argument option = arguments.add(
                flag, yesOrNo ? Argument.Takes.YES_OR_NO : Argument.Takes.ONE, about.help);
        switch (about.readAs) {
            case WHOLE:
                option.read(Argument.Read.WHOLE, "N");
                break;
            case NUMBER:
                option.read(Argument.Read.NUMBER, "X");
                break;
            case WORD:
                option.read(Argument.Read.WORD, "WORD");
                break;
            case JSON:
                option.read(Argument.Read.JSON, "JSON");
                break;
            default:
                break;
        }
        switch (about.part) {
            case SAMPLING:
                option.group("sampling");
                break;
            case BEAMS:
                option.group("beam search");
                break;
            default:
                option.group("of every way to choose");
                break;
        }
    }

    /** What a person said of the options that a method takes. */
    static Map<String, Object> chosen(Given given, String method) {
        Map<String, Object> chosen = new LinkedHashMap<String, Object>();
        for (String name : Options.names()) {
            if (Options.about(name).methods.contains(method) && given.values.get(name) != null) {
                chosen.put(name, given.values.get(name));
            }
        }
        return chosen;
    }

    /** The same, and the length of texts where it was said. */
    static Map<String, Object> withLength(Given given, String method) {
        Map<String, Object> chosen = chosen(given, method);
        if (given.values.get(LENGTH) != null) {
            chosen.put(LENGTH, given.values.get(LENGTH));
        }
        return chosen;
    }
}
