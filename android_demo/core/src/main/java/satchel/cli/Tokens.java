package satchel.cli;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import satchel.EncoderModel;
import satchel.Model;
import satchel.Span;
import satchel.json.Numbers;

/** `tokens`: labelled spans of texts. */
final class Tokens extends Verb {
    Tokens() {
        super("tokens", "labelled spans of a text", "satchel tokens my-bundle \"Ada Lovelace was born in London.\"");
    }

    @Override
    void declare(Arguments arguments) {
        arguments.add("text", Argument.Takes.PERHAPS, "one text");
        arguments.add("--file", Argument.Takes.ONE, "a text file, one text per line").shown("FILE");
        arguments.add("--window", Argument.Takes.ONE, "split long texts; tokens that overlap")
                .read(Argument.Read.WHOLE, "N");
        arguments.add("--json", Argument.Takes.NOTHING, "print the result as JSON");
    }

    @Override
    void run(Given given, Console console) {
        onlyOneOf(given, "text", "file");
        Model model = load(given);
        try {
            model.require("tokens");
            final EncoderModel encoder = (EncoderModel) model;
            final Integer window = given.whole("window");
            if (given.has("file")) {
                Results.printByLines(given, console, given.text("file"), Results.CHUNK, new Results.ByLines() {
                    @Override
                    List<?> run(List<String> lines, int first) {
                        return encoder.tokens(lines, window);
                    }

                    @Override
                    List<String[]> rows(Object result, String line) {
                        return cells((List<?>) result);
                    }
                });
            } else {
                List<Span> spans = encoder.tokens(Collections.singletonList(given.text("text")), window).get(0);
                Results.print(given, console, spans, cells(spans));
            }
        } finally {
            model.close();
        }
    }

    private static List<String[]> cells(List<?> spans) {
        List<String[]> rows = new ArrayList<String[]>();
        for (Object item : spans) {
            Span one = (Span) item;
            rows.add(new String[] {one.label, Numbers.fixed(one.score, 4), one.start + "-" + one.end, one.text});
        }
        return rows;
    }
}
