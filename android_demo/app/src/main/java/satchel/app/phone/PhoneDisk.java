package satchel.app.phone;

import android.system.ErrnoException;
import android.system.Os;
import android.system.OsConstants;
import java.io.File;
import java.io.FileDescriptor;
import java.io.IOException;
import satchel.app.files.BundleStore;

/** The phone's storage. */
public final class PhoneDisk implements BundleStore.Disk {
    @Override
    public long free(File folder) {
        return folder.getUsableSpace();
    }

    @Override
    public void syncFolder(File folder) throws IOException {
        try {
            FileDescriptor open = Os.open(folder.getPath(), OsConstants.O_RDONLY, 0);
            try {
                Os.fsync(open);
            } finally {
                Os.close(open);
            }
        } catch (ErrnoException error) {
            throw new IOException(error.getMessage(), error);
        }
    }
}
