package satchel.cli;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import satchel.EncoderModel;
import satchel.Filled;
import satchel.Model;
import satchel.json.Numbers;

/** `fill-mask`: the likeliest words for a masked place. */
final class FillMask extends Verb {
    private static final long USUAL = 5;

    FillMask() {
        super("fill-mask", "the likeliest words for a masked place",
                "satchel fill-mask my-bundle \"Paris is the [MASK] of France.\"");
    }

    @Override
    void declare(Arguments arguments) {
        arguments.add("text", Argument.Takes.PERHAPS, "one text");
        arguments.add("--file", Argument.Takes.ONE, "a text file, one text per line").shown("FILE");
        arguments.add("--top", Argument.Takes.ONE, "words (5)").read(Argument.Read.WHOLE, "N").otherwise(USUAL);
        arguments.add("--json", Argument.Takes.NOTHING, "print the result as JSON");
    }

    @Override
    void run(Given given, Console console) {
        onlyOneOf(given, "text", "file");
        Model model = load(given);
        try {
            model.require("fill_mask");
            final EncoderModel encoder = (EncoderModel) model;
            final int top = given.whole("top");
            if (given.has("file")) {
                Results.printByLines(given, console, given.text("file"), 1, new Results.ByLines() {
                    @Override
                    List<?> run(List<String> lines, int first) {
                        return Collections.singletonList(encoder.fillMask(lines.get(0), top));
                    }

                    @Override
                    List<String[]> rows(Object result, String line) {
                        return cells((List<?>) result);
                    }
                });
            } else {
                List<Filled> filled = encoder.fillMask(given.text("text"), top);
                Results.print(given, console, filled, cells(filled));
            }
        } finally {
            model.close();
        }
    }

    private static List<String[]> cells(List<?> filled) {
        List<String[]> rows = new ArrayList<String[]>();
        for (Object item : filled) {
            Filled one = (Filled) item;
            rows.add(new String[] {one.token, Numbers.fixed(one.score, 4), one.text});
        }
        return rows;
    }
}
