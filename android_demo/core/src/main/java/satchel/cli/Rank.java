package satchel.cli;

import java.io.File;
import java.util.ArrayList;
import java.util.List;
import satchel.EncoderModel;
import satchel.Model;
import satchel.Ranked;
import satchel.json.Numbers;

/** `rank`: passages by how well they answer a query. */
final class Rank extends Verb {
    Rank() {
        super("rank", "passages by how well they answer a query",
                "satchel rank my-bundle --query \"what is ONNX\" --file passages.txt");
    }

    @Override
    void declare(Arguments arguments) {
        arguments.add("--query", Argument.Takes.ONE, "what is looked for").shown("TEXT").required();
        arguments.add("passage", Argument.Takes.SEVERAL, "the texts to order");
        arguments.add("--file", Argument.Takes.ONE, "passages, one per line").shown("FILE");
        arguments.add("--prompt", Argument.Takes.ONE, "a prompt of the bundle to put before the query").shown("PROMPT");
        arguments.add("--json", Argument.Takes.NOTHING, "print the result as JSON");
    }

    @Override
    void run(Given given, Console console) {
        onlyOneOf(given, "passage", "file");
        List<String> passages = given.texts("passage");
        if (given.has("file")) {
            Lines.count(given.file("file"));
            passages = read(given.file("file"));
        }
        Model model = load(given);
        try {
            model.require("rank");
            List<Ranked> ranked = ((EncoderModel) model).rank(given.text("query"), passages, given.text("prompt"));
            List<String[]> rows = new ArrayList<String[]>();
            for (Ranked one : ranked) {
                rows.add(new String[] {
                    String.valueOf(one.index), Numbers.fixed(one.score, 4), passages.get(one.index)
                });
            }
            Results.print(given, console, ranked, rows);
        } finally {
            model.close();
        }
    }

    private static List<String> read(File file) {
        Lines lines = Lines.of(file);
        try {
            return lines.rest();
        } finally {
            lines.close();
        }
    }
}
