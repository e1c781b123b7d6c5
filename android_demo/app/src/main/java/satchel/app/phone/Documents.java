package satchel.app.phone;

import android.content.ContentResolver;
import android.database.Cursor;
import android.net.Uri;
import android.provider.DocumentsContract;
import android.provider.OpenableColumns;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.Charset;
import satchel.SatchelException;

/** Documents that other apps hold and a person chose. */
public final class Documents {
    private static final Charset UTF_8 = Charset.forName("UTF-8");

    private Documents() {}

    /** What a chosen document or folder is called, for a person; "" where nobody says. */
    public static String name(ContentResolver resolver, Uri chosen) {
        Uri document = chosen;
        try {
            if (DocumentsContract.isTreeUri(chosen)) {
                document = DocumentsContract.buildDocumentUriUsingTree(chosen, DocumentsContract.getTreeDocumentId(chosen));
            }
            Cursor cursor = resolver.query(document, new String[] {OpenableColumns.DISPLAY_NAME}, null, null, null);
            if (cursor == null) {
                return "";
            }
            try {
                return cursor.moveToFirst() && cursor.getString(0) != null ? cursor.getString(0) : "";
            } finally {
                cursor.close();
            }
        } catch (RuntimeException error) { // a name is not worth failing for
            return "";
        }
    }

    static InputStream open(ContentResolver resolver, Uri document) throws IOException {
        InputStream stream;
        try {
            stream = resolver.openInputStream(document);
        } catch (RuntimeException error) { // a provider's exceptions come through as they are
            throw new IOException("the document cannot be opened: " + error.getMessage(), error);
        }
        if (stream == null) {
            throw new IOException("the document cannot be opened");
        }
        return stream;
    }

    /** A text of at most so many bytes. */
    public static String text(ContentResolver resolver, Uri document, int most) throws IOException {
        InputStream stream = open(resolver, document);
        try {
            return text(stream, most);
        } finally {
            stream.close();
        }
    }

    /** What a stream holds, which has to be UTF-8. */
    public static String text(InputStream stream, int most) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        byte[] buffer = new byte[8192];
        for (int read = stream.read(buffer); read >= 0; read = stream.read(buffer)) {
            bytes.write(buffer, 0, read);
            if (bytes.size() > most) {
                throw SatchelException.limit("the text has more than " + most + " bytes", "TOO_LARGE");
            }
        }
        try {
            return UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes.toByteArray())).toString();
        } catch (CharacterCodingException error) {
            throw SatchelException.usage("the file is no text in UTF-8");
        }
    }
}
