package satchel.app.work;

import android.content.Context;
import satchel.app.files.BundleStore;

/** What all screens are at. */
public final class Works {
    public final Engine engine;
    public final Library library;
    public final WordsWork words;
    public final ChatWork chat;
    public final SearchWork search;
    public final BundlesWork bundles;
    public final BenchmarkWork benchmark;

    public Works(Context context, BundleStore store) {
        engine = new Engine(store);
        library = new Library();
        words = new WordsWork(engine, context, store);
        chat = new ChatWork(engine);
        search = new SearchWork(engine, context);
        bundles = new BundlesWork(engine, library, context, store);
        benchmark = new BenchmarkWork(engine, library, context);
    }
}
