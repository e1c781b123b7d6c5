package satchel.cli;

import java.util.List;

/** An argument or option of a verb, as it is declared. */
final class Argument {
    /** What the text of a value stands for. */
    enum Read {
        TEXT,
        WHOLE,
        NUMBER,
        WORD,
        JSON
    }

    /** How many words it takes. */
    enum Takes {
        NOTHING,
        ONE,
        /** One or none. */
        PERHAPS,
        /** Any number of them; of an option at least one. */
        SEVERAL,
        /** Two, and again and again. */
        PAIR,
        /** Nothing: --name says yes, --no-name says no. */
        YES_OR_NO
    }

    /** As it is asked for, with underscores. */
    final String name;
    /** With two dashes in front for options. */
    final String flag;
    final Takes takes;
    final String help;
    Read read = Read.TEXT;
    String metavar = "";
    String group = "";
    boolean required;
    Object otherwise;
    List<String> choices;

    Argument(String flag, Takes takes, String help) {
        this.flag = flag;
        this.name = flag.replaceFirst("^--", "").replace('-', '_');
        this.takes = takes;
        this.help = help;
    }

    boolean isOption() {
        return flag.startsWith("--");
    }

    Argument read(Read how, String shown) {
        read = how;
        metavar = shown;
        return this;
    }

    Argument shown(String shown) {
        metavar = shown;
        return this;
    }

    Argument required() {
        required = true;
        return this;
    }

    Argument otherwise(Object value) {
        otherwise = value;
        return this;
    }

    Argument choices(List<String> known) {
        choices = known;
        return this;
    }

    Argument group(String title) {
        group = title;
        return this;
    }
}
