package satchel.app.files;

import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;

/** A bundle in a folder on disk. */
public final class FolderSource implements BundleSource {
    private final File folder;

    public FolderSource(File folder) {
        this.folder = folder;
    }

    @Override
    public void copyTo(Receiver receiver) throws IOException {
        File[] files = folder.listFiles();
        if (files == null) {
            throw new IOException(folder + " is not a folder");
        }
        for (File file : files) {
            InputStream content = new FileInputStream(file);
            try {
                receiver.file(FileName.checked(file.getName()), content);
            } finally {
                content.close();
            }
        }
    }
}
