package satchel.cli;

import java.util.Collections;
import java.util.List;
import java.util.Map;
import satchel.DecoderModel;
import satchel.Model;
import satchel.SatchelException;
import satchel.TextListener;
import satchel.TextModel;
import satchel.generate.Generation;
import satchel.generate.Options;
import satchel.json.Numbers;
import satchel.text.Message;

/** `generate`: text after a prompt, or from a source. */
final class Generate extends Verb {
    Generate() {
        super("generate", "text after a prompt, or from a source; streamed",
                "satchel generate my-bundle \"Once upon a time\" --max-new-tokens 64",
                "satchel generate my-bundle \"Why is the sky blue?\" --chat --stats",
                "satchel generate my-bundle \"Once upon a time\" --temperature 0.8 --top-p 0.9 --seed 1",
                "satchel generate my-bundle \"translate English to German: a house\" --num-beams 4 --n-best 2 --json");
    }

    @Override
    void declare(Arguments arguments) {
        arguments.add("prompt", Argument.Takes.ONE, "the text to go on from, or the source");
        arguments.add("--chat", Argument.Takes.NOTHING, "the prompt is a user's message");
        arguments.add("--json", Argument.Takes.NOTHING, "print a line of JSON per text");
        arguments.add("--stats", Argument.Takes.NOTHING, "print the speed, on stderr");
        arguments.add("--stop", Argument.Takes.SEVERAL, "end at these").shown("TEXT");
        OptionFlags.add(arguments, "generate");
    }

    @Override
    void run(Given given, Console console) {
        Model model = load(given);
        try {
            if (given.flag("chat")) {
                model.require("chat");
            }
            Map<String, Object> settings = OptionFlags.withLength(given, "generate");
            if (given.has("stop")) {
                settings.put("stop", given.texts("stop"));
            }
            Map<String, Object> named = OptionFlags.chosen(given, "generate");
            int beams = Options.from(named, model.manifest.generation).numBeams;
            boolean whole = given.flag("json") || named.containsKey("n_best") || beams > 1;
            if (whole && given.flag("stats")) {
                throw SatchelException.usage("--stats is for a text that is streamed; satchel bench measures");
            }
            model.require("generate");
            if (whole) {
                printWhole((TextModel) model, given, settings, console);
            } else {
                stream((TextModel) model, given, settings, console);
            }
        } finally {
            model.close();
        }
    }

    /** The whole of a generation at once: a line per text, or of JSON. */
    private static void printWhole(TextModel model, Given given, Map<String, Object> settings, Console console) {
        Object prompt = given.text("prompt");
        if (given.flag("chat")) {
            prompt = ((DecoderModel) model).encodeChat(asUser(given));
        }
        List<Generation> found = model.nBest(Collections.singletonList(prompt), settings, null).get(0);
        for (Generation one : found) {
            console.line(given.flag("json") ? Readable.json(Plain.of(one)) : console.readable(one.text));
        }
    }

    private static List<Message> asUser(Given given) {
        return Collections.singletonList(Message.user(given.text("prompt")));
    }

    private static void stream(TextModel model, Given given, Map<String, Object> settings, Console console) {
        long began = System.nanoTime();
        Pieces pieces = new Pieces(console);
        Generation generation = given.flag("chat")
                ? ((DecoderModel) model).chatStream(asUser(given), settings, null, pieces)
                : model.stream(given.text("prompt"), settings, null, pieces);
        console.line("");
        if (given.flag("stats")) {
            double seconds = (System.nanoTime() - began) / 1e9;
            double first = pieces.first == 0 ? 0 : (pieces.first - began) / 1e9;
            int count = generation.tokens.length;
            double speed = count > 1 ? (count - 1) / (seconds - first) : 0;
            console.note("[" + generation.promptTokens + " tokens read, first piece after "
                    + Numbers.fixed(first, 2) + " s; " + count + " written, " + generation.lookedUp
                    + " of them looked up, " + Numbers.fixed(speed, 0) + " tokens/s; ended by "
                    + generation.finishReason + "]");
        }
    }

    /** Prints pieces as they come, and knows when the first did. */
    private static final class Pieces implements TextListener {
        private final Console console;
        long first;

        Pieces(Console console) {
            this.console = console;
        }

        @Override
        public void piece(String text) {
            first = first == 0 ? System.nanoTime() : first;
            console.print(console.readable(text));
            console.flush();
        }
    }
}
