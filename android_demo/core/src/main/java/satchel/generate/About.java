package satchel.generate;

import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/** What is declared of one option. */
public final class About {
    /** What a command line reads: JSON stands for lists of ids and mappings, whose keys are ids. */
    public enum Kind {
        WHOLE,
        NUMBER,
        SWITCH,
        WORD,
        JSON
    }

    /** With what an option goes: the choice token by token, a search, or both. */
    public enum Part {
        SAMPLING,
        BEAMS,
        EITHER
    }

    /** As callers and bundles write it, for example "top_k". */
    public final String name;

    /** What it does, in a few words. */
    public final String help;

    /** What its value must be, in words. */
    public final String expected;

    public final Kind readAs;
    public final Part part;

    /** The methods that take it: of "generate", "stream", "chat", "translate" and "transcribe". */
    public final List<String> methods;

    /** The value that it has unasked; null: it is off. */
    public final Object unasked;

    final Rule rule;
    final Integer neutral; // the value at which it changes nothing, as null does, which costs no time

    About(String name, Rule rule, String help, String[] methods, Object unasked, Integer neutral, Part part) {
        this.name = name;
        this.rule = rule;
        this.help = help;
        this.expected = rule.expected;
        this.readAs = rule.readAs;
        this.methods = Collections.unmodifiableList(Arrays.asList(methods));
        this.unasked = unasked;
        this.neutral = neutral;
        this.part = part;
    }
}
