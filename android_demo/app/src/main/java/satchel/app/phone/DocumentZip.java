package satchel.app.phone;

import android.content.ContentResolver;
import android.net.Uri;
import java.io.IOException;
import java.io.InputStream;
import satchel.app.files.BundleSource;
import satchel.app.files.ZipSource;

/** A zip archive that was chosen in the document picker. */
public final class DocumentZip implements BundleSource {
    private final ContentResolver resolver;
    private final Uri document;

    public DocumentZip(ContentResolver resolver, Uri document) {
        this.resolver = resolver;
        this.document = document;
    }

    @Override
    public void copyTo(Receiver receiver) throws IOException {
        InputStream stream = Documents.open(resolver, document);
        try {
            new ZipSource(stream).copyTo(receiver);
        } finally {
            stream.close();
        }
    }
}
