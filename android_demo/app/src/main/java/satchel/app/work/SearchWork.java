package satchel.app.work;

import android.content.Context;
import android.net.Uri;
import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import satchel.Model;
import satchel.SatchelException;
import satchel.app.files.Summary;
import satchel.app.phone.Documents;
import satchel.app.text.TextIndex;
import satchel.app.text.Words;

/** Texts of one's own, found by what they mean. */
public final class SearchWork extends Work {
    private static final int MOST_BYTES = 1 << 20;
    private static final int AT_ONCE = 16; // texts between two looks at the progress
    private static final int SHOWN = 5;

    private final Context context;
    private final File file;
    private final TextIndex index = new TextIndex(); // of the models' thread, as is the next
    private String indexed; // the bundle whose vectors the index holds
    private Summary chosen;
    private String texts; // null: not read yet
    private boolean unsaved; // they are not on disk yet
    private List<TextIndex.Found> found = Collections.emptyList();
    private String query = "";
    private volatile int ready;
    private double milliseconds;

    SearchWork(Engine engine, Context context) {
        super(engine);
        this.context = context;
        file = new File(context.getNoBackupFilesDir(), "texts.txt");
    }

    /** The texts, one a line; null while they are being read. */
    public String texts() {
        return texts;
    }

    public Summary chosen() {
        return chosen;
    }

    /** The texts nearest to the last query. */
    public List<TextIndex.Found> found() {
        return found;
    }

    /** That these were found for. */
    public String query() {
        return query;
    }

    /** That the last query took, its texts having vectors. */
    public double milliseconds() {
        return milliseconds;
    }

    /** Texts that have got a vector in this search. */
    public int ready() {
        return ready;
    }

    /** The bundles that may be used now. */
    public void offer(List<Summary> bundles) {
        Summary next = bundles.isEmpty() ? null : bundles.get(0);
        for (Summary bundle : bundles) {
            next = chosen != null && bundle.bundle.equals(chosen.bundle) ? bundle : next;
        }
        chosen = next;
    }

    public void choose(Summary bundle) {
        chosen = bundle;
        changed();
    }

    /** Reads the texts that were kept, those that came with the app the first time. */
    public void open() {
        if (texts != null || busy()) {
            return;
        }
        begin(new Reading() {
            @Override
            String work(Engine engine) throws IOException {
                InputStream stream = file.exists() ? new FileInputStream(file) : context.getAssets().open("texts.txt");
                try {
                    return Documents.text(stream, MOST_BYTES);
                } finally {
                    stream.close();
                }
            }
        });
    }

    /** Takes the texts of a document. */
    public void read(final Uri document) {
        if (busy()) {
            refuse("wait until the search has ended, then choose the file again");
            return;
        }
        begin(new Reading() {
            @Override
            String work(Engine engine) throws IOException {
                String read = Documents.text(context.getContentResolver(), document, MOST_BYTES);
                keep(read);
                return read;
            }
        });
    }

    /** Keeps what was typed: at once for the next search, on disk when nothing else is under way. */
    public void edit(String now) {
        if (texts != null && !now.equals(texts)) {
            texts = now;
            unsaved = true;
            save();
        }
    }

    private void save() {
        if (!unsaved || busy()) {
            return;
        }
        unsaved = false;
        final String now = texts;
        begin(new Reading() {
            @Override
            String work(Engine engine) throws IOException {
                keep(now);
                return now;
            }
        });
    }

    /** Finds the texts nearest to what is asked. */
    public void search(final String asked) {
        if (busy() || chosen == null || texts == null || asked.trim().isEmpty()) {
            return;
        }
        final String bundle = chosen.bundle;
        final List<String> lines = Words.lines(texts);
        begin(new Job<List<TextIndex.Found>>() {
            private double took;

            @Override
            List<TextIndex.Found> work(Engine engine) {
                Model model = engine.model(bundle);
                if (!bundle.equals(indexed)) {
                    index.forget();
                    indexed = bundle;
                }
                embed(model, index.set(lines));
                long began = System.nanoTime();
                float[] vector = Core.embed(model, Collections.singletonList(asked), "query")[0];
                List<TextIndex.Found> nearest = new ArrayList<TextIndex.Found>(index.nearest(vector, SHOWN));
                took = (System.nanoTime() - began) / 1e6;
                return nearest;
            }

            private void embed(Model model, List<String> missing) {
                for (int from = 0; from < missing.size(); from += AT_ONCE) {
                    cancel.check();
                    List<String> few = missing.subList(from, Math.min(from + AT_ONCE, missing.size()));
                    float[][] vectors = Core.embed(model, few, "document");
                    for (int i = 0; i < vectors.length; ++i) {
                        index.put(few.get(i), vectors[i]);
                    }
                    ready = from + vectors.length;
                }
            }

            @Override
            void done(List<TextIndex.Found> nearest) {
                found = nearest;
                query = asked;
                milliseconds = took;
                ended(null);
                save();
                changed();
            }

            @Override
            void failed(SatchelException error) {
                ended(error);
                if (Job.cancelled(error)) {
                    save();
                }
                changed();
            }
        });
    }

    private void keep(String now) throws IOException {
        File unfinished = new File(file.getPath() + ".tmp");
        FileOutputStream out = new FileOutputStream(unfinished);
        try {
            out.write(now.getBytes("UTF-8"));
            out.getFD().sync();
        } finally {
            out.close();
        }
        if (!unfinished.renameTo(file)) {
            throw new IOException("the texts could not be kept");
        }
    }

    /** Gives the texts that are there from then on. */
    private abstract class Reading extends Job<String> {
        @Override
        void done(String now) {
            texts = unsaved ? texts : now; // what was typed since then is newer
            ended(null);
            save();
            changed();
        }

        @Override
        void failed(SatchelException error) {
            texts = texts == null ? "" : texts;
            ended(error);
            changed();
        }
    }
}
