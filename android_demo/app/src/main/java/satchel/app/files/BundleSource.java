package satchel.app.files;

import java.io.IOException;
import java.io.InputStream;

/** Where the files of a bundle come from: a folder, an archive, the app itself. Read once, from front to back. */
public interface BundleSource {
    /** Hands over every file, one after the other. */
    void copyTo(Receiver receiver) throws IOException;

    /** Takes files; the stream stays the source's to close. */
    interface Receiver {
        void file(String name, InputStream content) throws IOException;
    }
}
