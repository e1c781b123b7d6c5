package satchel.cli;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import satchel.Classification;
import satchel.EncoderModel;
import satchel.Model;
import satchel.SatchelException;
import satchel.json.Numbers;

/** `classify`: labels of texts, of pairs of texts, or of images. */
final class Classify extends Verb {
    Classify() {
        super("classify", "labels of texts, of pairs of texts, or of images",
                "satchel classify my-bundle \"I liked it.\"",
                "satchel classify my-bundle --pair \"A man sleeps.\" \"Nobody is awake.\" --json",
                "satchel classify my-bundle --image photo.jpg");
    }

    @Override
    void declare(Arguments arguments) {
        arguments.add("text", Argument.Takes.SEVERAL, "texts");
        arguments.add("--pair", Argument.Takes.PAIR, "two texts that are judged together").shown("TEXT");
        arguments.add("--image", Argument.Takes.SEVERAL, "image files").shown("FILE");
        arguments.add("--file", Argument.Takes.ONE, "a text file, one text per line").shown("FILE");
        arguments.add("--pair-file", Argument.Takes.ONE, "two texts per line, a tab between them").shown("FILE");
        arguments.add("--json", Argument.Takes.NOTHING, "print the result as JSON");
    }

    @Override
    void run(Given given, Console console) {
        onlyOneOf(given, "text", "pair", "image", "file", "pair_file");
        Model model = load(given);
        try {
            model.require(given.has("image") ? "classify_images" : "classify");
            EncoderModel encoder = (EncoderModel) model;
            boolean pairs = given.has("pair_file");
            if (pairs || given.has("file")) {
                String name = given.text(pairs ? "pair_file" : "file");
                Results.printByLines(given, console, name, Results.CHUNK, new ByLines(encoder, name, pairs));
            } else if (given.has("image")) {
                List<String> names = given.texts("image");
                print(given, console, encoder.classifyImages(ImageFiles.read(names)), names, null);
            } else {
                printTexts(given, console, encoder);
            }
        } finally {
            model.close();
        }
    }

    private static void printTexts(Given given, Console console, EncoderModel encoder) {
        if (given.has("text")) {
            List<String> texts = given.texts("text");
            print(given, console, encoder.classify(texts, null, null), texts, null);
            return;
        }
        List<String> firsts = new ArrayList<String>();
        List<String> seconds = new ArrayList<String>();
        for (Object pair : (List<?>) given.values.get("pair")) {
            firsts.add((String) ((List<?>) pair).get(0));
            seconds.add((String) ((List<?>) pair).get(1));
        }
        print(given, console, encoder.classify(firsts, seconds, null), firsts, seconds);
    }

    private static void print(
            Given given, Console console, List<Classification> found, List<String> firsts, List<String> seconds) {
        List<String[]> rows = new ArrayList<String[]>();
        for (int i = 0; i < found.size(); ++i) {
            String text = seconds == null ? firsts.get(i) : firsts.get(i) + " | " + seconds.get(i);
            rows.add(row(found.get(i), text));
        }
        Results.print(given, console, found, rows);
    }

    private static String[] row(Classification one, String text) {
        return new String[] {one.label, Numbers.fixed(one.score, 4), text};
    }

    /** Labels of the lines of a file, or of the two texts in each. */
    private static final class ByLines extends Results.ByLines {
        private final EncoderModel model;
        private final String name;
        private final boolean pairs;

        ByLines(EncoderModel model, String name, boolean pairs) {
            this.model = model;
            this.name = name;
            this.pairs = pairs;
        }

        @Override
        List<?> run(List<String> lines, int first) {
            return pairs ? model.classify(parts(lines, 0), parts(lines, 1), null) : model.classify(lines, null, null);
        }

        @Override
        void check(String line, int number) {
            int tabs = line.split("\t", -1).length - 1;
            if (pairs && tabs != 1) {
                throw SatchelException.usage(SatchelException.shown(name) + ": line " + number + " has " + tabs
                        + " tabs; expected one, between two texts");
            }
        }

        private static List<String> parts(List<String> lines, int which) {
            List<String> parts = new ArrayList<String>();
            for (String line : lines) {
                parts.add(Arrays.asList(line.split("\t", -1)).get(which));
            }
            return parts;
        }

        @Override
        List<String[]> rows(Object result, String line) {
            return Collections.singletonList(row((Classification) result, pairs ? line.replace("\t", " | ") : line));
        }
    }
}
