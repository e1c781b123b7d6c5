package satchel.app.files;

import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import satchel.Cancel;
import satchel.SatchelException;
import satchel.bundle.Bundle;

/**
 * The bundles that this app has: folders named by the SHA-256 of their manifest, which names the SHA-256 of every other
 * file. A bundle is copied into a folder that ends in ".tmp", checked there as a whole, and then renamed, so that one
 * that can be seen is complete whatever stopped the app. Beside it lies what it is called.
 */
public final class BundleStore {
    private static final String UNFINISHED = ".tmp";
    private static final String TITLE = ".title";
    private static final long SPARE = 64L << 20; // bytes that a copy leaves free: a full disk breaks other apps too

    private final File root;
    private final Disk disk;

    /** What differs between a phone and a desktop. */
    public interface Disk {
        /** Bytes that may still be written below a folder. */
        long free(File folder);

        /** Makes the names in a folder survive a loss of power. */
        void syncFolder(File folder) throws IOException;
    }

    public BundleStore(File root, Disk disk) {
        this.root = root;
        this.disk = disk;
    }

    /** Removes what an import that was stopped left behind. Call it before the first install. */
    public void sweep() {
        for (String name : names(root)) {
            String bundle = name.endsWith(TITLE) ? name.substring(0, name.length() - TITLE.length()) : null;
            if (name.endsWith(UNFINISHED) || (bundle != null && !(isName(bundle) && has(bundle)))) {
                remove(new File(root, name));
            }
        }
    }

    /** Names of the bundles that are there, in the same order every time. */
    public List<String> names() {
        List<String> names = new ArrayList<String>();
        String[] found = names(root);
        Arrays.sort(found);
        for (String name : found) {
            if (isName(name) && has(name)) {
                names.add(name);
            }
        }
        return names;
    }

    /** Where a bundle lies. */
    public File folder(String name) {
        if (!isName(name)) {
            throw SatchelException.usage(SatchelException.shown(name) + " is not the name of an installed bundle");
        }
        return new File(root, name);
    }

    public boolean has(String name) {
        return new File(folder(name), Bundle.MANIFEST).isFile();
    }

    /** What the person who brought a bundle calls it; null where nobody said. */
    public String title(String name) {
        return Title.read(new File(root, folder(name).getName() + TITLE));
    }

    /**
     * Copies a bundle, checks it, and gives its name. Files that its manifest does not list are refused. What fails or
     * is cancelled leaves nothing behind.
     */
    public String install(BundleSource source, String title, Progress progress, Cancel cancel) {
        File unfinished = new File(root, Long.toHexString(System.nanoTime()) + UNFINISHED);
        try {
            if ((!root.isDirectory() && !root.mkdirs()) || !unfinished.mkdir()) {
                throw new IOException("cannot make a folder in " + root);
            }
            source.copyTo(new Copy(unfinished, progress, cancel));
            check(unfinished, progress, cancel);
            return publish(unfinished, title);
        } catch (IOException error) {
            throw SatchelException.storage("the bundle could not be copied: " + error.getMessage(), error);
        } finally {
            remove(unfinished);
        }
    }

    private static void check(File unfinished, Progress progress, Cancel cancel) {
        progress.at(Progress.CHECKING, 0);
        Bundle bundle = Bundle.open(unfinished);
        for (String name : names(unfinished)) {
            if (!name.equals(Bundle.MANIFEST) && !bundle.manifest.files.containsKey(name)) {
                throw SatchelException.bundle(name + " is not listed in " + Bundle.MANIFEST + ": leave it out");
            }
        }
        bundle.awaitChecks(); // the hashes of weights
        cancel.check();
    }

    private String publish(File unfinished, String title) throws IOException {
        disk.syncFolder(unfinished);
        String name = Digest.of(new File(unfinished, Bundle.MANIFEST));
        File installed = folder(name);
        if (installed.exists()) { // the same bundle, perhaps damaged: this copy is known to be whole
            delete(name);
        }
        Title.write(new File(root, name + TITLE), title);
        if (!unfinished.renameTo(installed)) {
            throw new IOException("cannot rename " + unfinished.getName());
        }
        disk.syncFolder(root);
        return name;
    }

    /** Deletes a bundle: at once as far as anybody can see. Close its model before. */
    public void delete(String name) {
        File installed = folder(name);
        File doomed = new File(root, Long.toHexString(System.nanoTime()) + "-deleted" + UNFINISHED);
        if (installed.exists() && !installed.renameTo(doomed)) {
            throw SatchelException.storage("the bundle could not be deleted", null);
        }
        remove(doomed);
        remove(new File(root, name + TITLE));
    }

    private static boolean isName(String name) {
        if (name.length() != 64) {
            return false;
        }
        for (int i = 0; i < name.length(); ++i) {
            char c = name.charAt(i);
            if ((c < '0' || c > '9') && (c < 'a' || c > 'f')) {
                return false;
            }
        }
        return true;
    }

    private static String[] names(File folder) {
        String[] names = folder.list();
        return names == null ? new String[0] : names;
    }

    private static void remove(File file) {
        if (!file.delete()) { // a folder that holds something, or nothing at all
            for (String name : names(file)) {
                remove(new File(file, name));
            }
            file.delete(); // what stays is swept at the next start
        }
    }

    /** Writes files into the folder that will be the bundle. */
    private final class Copy implements BundleSource.Receiver {
        private final File folder;
        private final Progress progress;
        private final Cancel cancel;
        private final byte[] buffer = new byte[1 << 18];
        private long bytes;

        Copy(File folder, Progress progress, Cancel cancel) {
            this.folder = folder;
            this.progress = progress;
            this.cancel = cancel;
        }

        @Override
        public void file(String name, InputStream content) throws IOException {
            File file = new File(folder, FileName.checked(name));
            if (!file.createNewFile()) {
                throw SatchelException.bundle(name + " occurs twice", "BUNDLE_PATH");
            }
            FileOutputStream out = new FileOutputStream(file);
            try {
                for (int read = content.read(buffer); read >= 0; read = content.read(buffer)) {
                    cancel.check();
                    if (disk.free(folder) < SPARE + read) {
                        throw SatchelException.limit(
                                "the disk is full: the bundle has more than " + bytes / 1000000 + " MB", "DISK_FULL");
                    }
                    out.write(buffer, 0, read);
                    bytes += read;
                    progress.at(name, bytes);
                }
                out.getFD().sync();
            } finally {
                out.close();
            }
        }
    }
}
