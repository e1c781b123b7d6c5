package satchel.app.files;

import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

/** What a bundle is called on this phone: the name of what it was imported from. */
public final class Title {
    private static final int LONGEST = 80;

    private Title() {}

    /** A document's name without its ending, and without what a screen would obey. */
    public static String of(String document) {
        String name = document;
        if (name.length() > 4 && name.regionMatches(true, name.length() - 4, ".zip", 0, 4)) {
            name = name.substring(0, name.length() - 4);
        }
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < name.length() && out.length() < LONGEST; ++i) {
            char c = name.charAt(i);
            int type = Character.getType(c);
            boolean obeyed = type == Character.CONTROL || type == Character.FORMAT
                    || type == Character.LINE_SEPARATOR || type == Character.PARAGRAPH_SEPARATOR;
            if (!obeyed && !Character.isSurrogate(c)) {
                out.append(c);
            }
        }
        return out.toString().trim();
    }

    static String read(File file) {
        byte[] bytes = new byte[4 * LONGEST];
        try {
            InputStream stream = new FileInputStream(file);
            try {
                int read = stream.read(bytes);
                String title = read > 0 ? of(new String(bytes, 0, read, "UTF-8")) : "";
                return title.isEmpty() ? null : title;
            } finally {
                stream.close();
            }
        } catch (IOException error) {
            return null; // nobody said
        }
    }

    static void write(File file, String title) throws IOException {
        OutputStream stream = new FileOutputStream(file);
        try {
            stream.write(of(title).getBytes("UTF-8"));
        } finally {
            stream.close();
        }
    }
}
