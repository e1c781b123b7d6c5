package satchel.cli;

import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import satchel.Answer;
import satchel.EncoderModel;
import satchel.Model;
import satchel.SatchelException;
import satchel.json.Numbers;

/** `answer`: the part of a context that answers a question. */
final class AnswerVerb extends Verb {
    private static final int LONGEST = 30; // tokens of an answer

    AnswerVerb() {
        super("answer", "the part of a context that answers a question",
                "satchel answer my-bundle --question \"Who wrote it?\" --context page.txt --top 3");
    }

    @Override
    void declare(Arguments arguments) {
        arguments.add("--question", Argument.Takes.ONE, "what is asked").shown("TEXT");
        arguments.add("--file", Argument.Takes.ONE, "questions, one per line").shown("FILE");
        arguments.add("--context", Argument.Takes.ONE, "a text file").shown("FILE").required();
        arguments.add("--top", Argument.Takes.ONE, "the N likeliest, among them none").read(Argument.Read.WHOLE, "N");
        arguments.add("--json", Argument.Takes.NOTHING, "print the result as JSON");
    }

    @Override
    void run(Given given, Console console) {
        onlyOneOf(given, "question", "file");
        final String context = text(given.file("context"));
        final Integer top = given.whole("top");
        Model model = load(given);
        try {
            model.require("answer");
            final EncoderModel encoder = (EncoderModel) model;
            if (given.has("file")) {
                Results.printByLines(given, console, given.text("file"), 1, new Results.ByLines() {
                    @Override
                    List<?> run(List<String> lines, int first) {
                        return Collections.singletonList(found(encoder, lines.get(0), context, top));
                    }

                    @Override
                    List<String[]> rows(Object result, String line) {
                        return cells(result);
                    }
                });
            } else {
                Object found = found(encoder, given.text("question"), context, top);
                Results.print(given, console, found, cells(found));
            }
        } finally {
            model.close();
        }
    }

    /** An answer, or a list of them where a number was asked for. */
    private static Object found(EncoderModel model, String question, String context, Integer top) {
        List<Answer> answers = model.answers(question, context, top == null ? 1 : top, LONGEST);
        return top == null ? answers.get(0) : answers;
    }

    private static List<String[]> cells(Object found) {
        List<?> every = found instanceof List ? (List<?>) found : Collections.singletonList(found);
        List<String[]> rows = new ArrayList<String[]>();
        for (Object item : every) {
            Answer one = (Answer) item;
            boolean none = one.text.isEmpty();
            String place = none ? "" : one.start + "-" + one.end;
            rows.add(new String[] {Numbers.fixed(one.score, 4), place, none ? "(no answer)" : one.text});
        }
        return rows;
    }

    private static String text(File path) {
        if (path.isDirectory()) {
            throw SatchelException.storage(SatchelException.shown(path) + " is a folder, not a file", null);
        }
        try {
            InputStream file = Lines.opened(path);
            try {
                ByteArrayOutputStream all = new ByteArrayOutputStream();
                byte[] piece = new byte[1 << 16];
                for (int read = file.read(piece); read >= 0; read = file.read(piece)) {
                    all.write(piece, 0, read);
                }
                String text = Console.UTF_8.newDecoder().decode(ByteBuffer.wrap(all.toByteArray())).toString();
                return text.replace("\r\n", "\n").replace('\r', '\n'); // as text files are read in Python
            } finally {
                file.close();
            }
        } catch (CharacterCodingException error) {
            throw SatchelException.usage(SatchelException.shown(path) + " is not UTF-8", "PROMPT_ENCODING");
        } catch (IOException error) {
            throw Lines.failed(path, error);
        }
    }
}
