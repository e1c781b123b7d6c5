package satchel.generate;

/** Looks at the ids of texts. */
final class Texts {
    private Texts() {}

    /** Whether the first `length` ids of a text end with others. */
    static boolean endsWith(int[] text, int length, int[] end) {
        if (length < end.length) {
            return false;
        }
        for (int i = 0; i < end.length; ++i) {
            if (text[length - end.length + i] != end[i]) {
                return false;
            }
        }
        return true;
    }

    static boolean contains(int[] ids, int id) {
        for (int each : ids) {
            if (each == id) {
                return true;
            }
        }
        return false;
    }
}
