package satchel.app.files;

import satchel.SatchelException;

/** Which names a file of a bundle may have: those that the bundle format allows, and nothing like a path. */
final class FileName {
    private static final int LONGEST = 64;

    private FileName() {}

    /** The name, or an error: a plain name cannot lead out of the folder that it is written to. */
    static String checked(String name) {
        boolean plain = name.length() > 0 && name.length() <= LONGEST && letterOrDigit(name.charAt(0));
        for (int i = 0; plain && i < name.length(); ++i) {
            char c = name.charAt(i);
            plain = letterOrDigit(c) || c == '.' || c == '_' || c == '-';
        }
        if (!plain) {
            throw SatchelException.bundle(
                    SatchelException.shown(name) + " is not the name of a bundle's file", "BUNDLE_PATH");
        }
        return name;
    }

    /** What a Mac adds to an archive on its own: no part of what was packed. */
    static boolean ofFinder(String path) {
        return path.startsWith("__MACOSX/") || path.equals(".DS_Store") || path.endsWith("/.DS_Store");
    }

    private static boolean letterOrDigit(char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    }
}
