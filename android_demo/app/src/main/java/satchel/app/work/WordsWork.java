package satchel.app.work;

import android.content.Context;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import satchel.SatchelException;
import satchel.app.files.BundleStore;
import satchel.app.files.Progress;
import satchel.app.phone.AssetSource;
import satchel.app.text.Words;

/** How words are spoken, by the model that comes with the app. */
public final class WordsWork extends Work {
    /** Words at once. */
    public static final int MOST = 32;

    private static final int LONGEST = 64; // letters: words that were learnt have 34 at most

    private final BundleStore store;
    private final AssetSource asset;
    private List<Spoken> spoken = Collections.emptyList();
    private double milliseconds;

    /** A word and its phonemes. */
    public static final class Spoken {
        public final String word;
        public final String phonemes;

        Spoken(String word, String phonemes) {
            this.word = word;
            this.phonemes = phonemes;
        }
    }

    WordsWork(Engine engine, Context context, BundleStore store) {
        super(engine);
        this.store = store;
        asset = new AssetSource(context.getAssets(), BundlesWork.BUILT_IN);
    }

    public List<Spoken> spoken() {
        return spoken;
    }

    /** That the last words took together, the model being loaded. */
    public double milliseconds() {
        return milliseconds;
    }

    /** Pronounces the words of a text. */
    public void pronounce(String text) {
        final List<String> words = Words.of(text, MOST);
        if (busy() || words.isEmpty()) {
            return;
        }
        for (String word : words) {
            if (word.length() > LONGEST) {
                refuse(word.substring(0, LONGEST) + "…: too long for a word");
                return;
            }
        }
        begin(new Job<List<Spoken>>() {
            private double took;

            @Override
            List<Spoken> work(Engine engine) throws IOException {
                String bundle = BundlesWork.installed(store, asset, SILENT, cancel);
                satchel.Model model = engine.model(bundle);
                long began = System.nanoTime();
                List<String> phonemes = Core.targets(model, words, cancel);
                took = (System.nanoTime() - began) / 1e6;
                List<Spoken> found = new ArrayList<Spoken>();
                for (int i = 0; i < words.size(); ++i) {
                    found.add(new Spoken(words.get(i), phonemes.get(i)));
                }
                return found;
            }

            @Override
            void done(List<Spoken> found) {
                spoken = found;
                milliseconds = took;
                ended(null);
                changed();
            }

            @Override
            void failed(SatchelException error) {
                ended(error);
                changed();
            }
        });
    }

    private static final Progress SILENT = new Progress() {
        @Override
        public void at(String file, long bytes) {}
    };
}
