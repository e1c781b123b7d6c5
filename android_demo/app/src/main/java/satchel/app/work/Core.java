package satchel.app.work;

import java.io.File;
import java.util.ArrayList;
import java.util.List;
import satchel.Cancel;
import satchel.DecoderModel;
import satchel.EncoderModel;
import satchel.Measured;
import satchel.Model;
import satchel.Satchel;
import satchel.SatchelException;
import satchel.Seq2seqModel;
import satchel.TextListener;
import satchel.app.measure.Subject;
import satchel.generate.Generation;
import satchel.ort.Session;
import satchel.text.Message;

/** What the app asks of models. All of it on the models' thread. */
final class Core {
    private static final String CANCELLED = "cancelled";

    private Core() {}

    /** Answers a conversation, piece by piece. */
    static Answer chat(Model model, List<Message> messages, Cancel cancel, FrameText pieces) {
        Pieces heard = new Pieces(pieces);
        return heard.answer(((DecoderModel) model).chatStream(messages, null, cancel, heard));
    }

    /** Goes on with a text, piece by piece. */
    static Answer goOn(Model model, String text, Cancel cancel, FrameText pieces) {
        Pieces heard = new Pieces(pieces);
        return heard.answer(((DecoderModel) model).stream(text, null, cancel, heard));
    }

    /** What a model makes of each of some sources. */
    static List<String> targets(Model model, List<String> sources, Cancel cancel) {
        List<String> texts = new ArrayList<String>();
        for (Generation generation : ((Seq2seqModel) model).generate(sources, null, cancel)) {
            if (CANCELLED.equals(generation.finishReason)) { // the text is not all of it
                throw SatchelException.error("the run was cancelled", "CANCELLED");
            }
            texts.add(generation.text);
        }
        return texts;
    }

    /** Vectors of texts, behind the prompt of that name where the bundle has one. */
    static float[][] embed(Model model, List<String> texts, String prompt) {
        boolean told = model.manifest.text != null && model.manifest.text.prompts.containsKey(prompt);
        return ((EncoderModel) model).embed(texts, told ? prompt : null, null);
    }

    /** A bundle loaded to be measured. */
    static Subject subject(File folder) {
        final Model model = Satchel.load(folder, 0);
        return new Subject() {
            @Override
            public Measured measured() {
                return (Measured) model;
            }

            @Override
            public String onnxruntime() {
                return Session.version();
            }

            @Override
            public void close() {
                model.close();
            }
        };
    }

    /** Passes pieces on to the screen, and keeps the time. */
    private static final class Pieces implements TextListener {
        private final FrameText screen;
        private final long began = System.nanoTime();
        private long first;

        Pieces(FrameText screen) {
            this.screen = screen;
        }

        @Override
        public void piece(String text) {
            first = first == 0 ? System.nanoTime() : first;
            screen.add(text);
        }

        Answer answer(Generation generation) {
            long end = System.nanoTime();
            long start = first == 0 ? end : first;
            return new Answer(generation.tokens.length, (end - start) / 1e9, (start - began) / 1e9, generation.finishReason);
        }
    }
}
