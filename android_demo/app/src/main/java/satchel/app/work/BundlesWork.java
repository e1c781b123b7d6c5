package satchel.app.work;

import android.content.Context;
import android.net.Uri;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import satchel.Cancel;
import satchel.SatchelException;
import satchel.Verification;
import satchel.app.files.BundleSource;
import satchel.app.files.BundleStore;
import satchel.app.files.Progress;
import satchel.app.files.Summary;
import satchel.app.phone.AssetSource;
import satchel.app.phone.DocumentFolder;
import satchel.app.phone.DocumentZip;
import satchel.app.phone.Documents;

/** The bundles of this phone: brought in, checked, deleted. */
public final class BundlesWork extends Work {
    static final String BUILT_IN = "bundles/g2p";

    /** What may be under way. */
    public static final String IMPORTING = "importing";

    public static final String VERIFYING = "verifying";
    private static final String OPENING = "opening";
    private static final String DELETING = "deleting";
    private static final String BUILT_IN_TITLE = "Words to phonemes";

    private final Library library;
    private final Context context;
    private final BundleStore store;
    private final AssetSource asset;
    private boolean opened;
    private Runnable next; // what waits for the opening
    private String doing;
    private String verified; // the bundle that the table is of
    private Verification verification;
    private volatile String copying;
    private volatile long bytes;

    BundlesWork(Engine engine, Library library, Context context, BundleStore store) {
        super(engine);
        this.library = library;
        this.context = context;
        this.store = store;
        asset = new AssetSource(context.getAssets(), BUILT_IN);
    }

    /** What is under way: IMPORTING, VERIFYING or less. */
    public String doing() {
        return doing;
    }

    /** Of an import: the file that is being copied, {@link Progress#CHECKING} behind the last, null before the first. */
    public String copying() {
        return copying;
    }

    /** Of an import: what is copied so far. */
    public long bytes() {
        return bytes;
    }

    /** The bundle that was verified last, or null. */
    public String verified() {
        return verified;
    }

    /** What came of it. */
    public Verification verification() {
        return verification;
    }

    /** Installs what came with the app, and lists what is there. Once. */
    public void open() {
        if (!opened && !busy()) {
            opened = true;
            begin(new Listing(OPENING) {
                @Override
                void change(Engine engine) {
                    store.sweep();
                    try {
                        installed(store, asset, progress, cancel);
                    } catch (IOException error) {
                        throw SatchelException.storage("the app's own model cannot be read: " + error.getMessage(), error);
                    }
                }
            });
        }
    }

    public void importZip(Uri document) {
        bringIn(new DocumentZip(context.getContentResolver(), document), document);
    }

    public void importFolder(Uri tree) {
        bringIn(new DocumentFolder(context.getContentResolver(), tree), tree);
    }

    private void bringIn(final BundleSource source, final Uri from) {
        if (busy() && OPENING.equals(doing)) { // the app was ended while the picker was open, and has just begun anew
            next = new Runnable() {
                @Override
                public void run() {
                    bringIn(source, from);
                }
            };
            return;
        }
        if (busy()) {
            refuse("wait until the other import has ended, then choose again");
            return;
        }
        copying = null;
        bytes = 0;
        begin(new Listing(IMPORTING) {
            @Override
            void change(Engine engine) {
                String title = Documents.name(context.getContentResolver(), from);
                store.install(source, title, progress, cancel);
            }
        });
    }

    public void delete(final String bundle) {
        if (busy()) {
            return;
        }
        if (bundle.equals(verified)) {
            verified = null;
        }
        begin(new Listing(DELETING) {
            @Override
            void change(Engine engine) {
                engine.close(); // its files may be mapped into memory
                store.delete(bundle);
            }
        });
    }

    /** Asks a bundle what its export asked it, on this very phone. */
    public void verify(final String bundle) {
        if (busy()) {
            return;
        }
        verified = null;
        doing = VERIFYING;
        begin(new Job<Verification>() {
            @Override
            Verification work(Engine engine) {
                return Verification.of(engine.model(bundle));
            }

            @Override
            void done(Verification now) {
                verified = bundle;
                verification = now;
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

    /** The name of the app's own bundle, which is copied to where a model can open it unless it is there. */
    static String installed(BundleStore store, AssetSource asset, Progress progress, Cancel cancel) throws IOException {
        String name = asset.name();
        return store.has(name) ? name : store.install(asset, BUILT_IN_TITLE, progress, cancel);
    }

    private final Progress progress = new Progress() {
        @Override
        public void at(String file, long copied) {
            copying = file;
            bytes = file.equals(CHECKING) ? bytes : copied;
        }
    };

    /** Changes what is installed, then lists it, also where the change failed. */
    private abstract class Listing extends Job<List<Summary>> {
        private SatchelException problem;

        Listing(String what) {
            doing = what;
        }

        abstract void change(Engine engine);

        @Override
        List<Summary> work(Engine engine) throws IOException {
            try {
                change(engine);
            } catch (SatchelException error) {
                problem = error;
            }
            List<Summary> found = new ArrayList<Summary>();
            String own = asset.name();
            for (String name : store.names()) {
                try {
                    found.add(Summary.of(store, name, name.equals(own)));
                } catch (SatchelException error) { // damaged since: it can still be brought in again
                    problem = problem == null ? error : problem;
                }
            }
            return found;
        }

        @Override
        void done(List<Summary> found) {
            ended(problem);
            library.set(found);
            goOn();
        }

        @Override
        void failed(SatchelException error) {
            ended(error);
            opened &= !OPENING.equals(doing); // to be tried again
            goOn();
        }

        private void goOn() {
            Runnable waiting = next;
            next = null;
            if (waiting != null) {
                waiting.run();
            }
            changed();
        }
    }
}
