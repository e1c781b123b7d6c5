package satchel.app.phone;

import android.content.ContentResolver;
import android.database.Cursor;
import android.net.Uri;
import android.provider.DocumentsContract;
import android.provider.DocumentsContract.Document;
import java.io.IOException;
import java.io.InputStream;
import satchel.SatchelException;
import satchel.app.files.BundleSource;

/** A folder that was chosen in the document picker. */
public final class DocumentFolder implements BundleSource {
    private static final String[] COLUMNS = {
        Document.COLUMN_DOCUMENT_ID, Document.COLUMN_DISPLAY_NAME, Document.COLUMN_MIME_TYPE,
    };

    private final ContentResolver resolver;
    private final Uri tree;

    public DocumentFolder(ContentResolver resolver, Uri tree) {
        this.resolver = resolver;
        this.tree = tree;
    }

    @Override
    public void copyTo(Receiver receiver) throws IOException {
        Uri children = DocumentsContract.buildChildDocumentsUriUsingTree(tree, DocumentsContract.getTreeDocumentId(tree));
        Cursor cursor;
        try {
            cursor = resolver.query(children, COLUMNS, null, null, null);
        } catch (RuntimeException error) { // a provider's exceptions come through as they are
            throw new IOException("the folder cannot be listed: " + error.getMessage(), error);
        }
        if (cursor == null) {
            throw new IOException("the folder cannot be listed");
        }
        try {
            while (cursor.moveToNext()) {
                copy(cursor.getString(0), cursor.getString(1), cursor.getString(2), receiver);
            }
        } finally {
            cursor.close();
        }
    }

    private void copy(String id, String name, String type, Receiver receiver) throws IOException {
        if (Document.MIME_TYPE_DIR.equals(type)) {
            throw SatchelException.bundle(
                    "the folder holds the folder " + SatchelException.shown(name)
                            + ": choose the one that manifest.json lies in");
        }
        InputStream stream = Documents.open(resolver, DocumentsContract.buildDocumentUriUsingTree(tree, id));
        try {
            receiver.file(String.valueOf(name), stream);
        } finally {
            stream.close();
        }
    }
}
