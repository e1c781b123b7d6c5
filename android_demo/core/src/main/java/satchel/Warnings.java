package satchel;

/** Hears what an app should know of a call that went on all the same, such as that a text was cut. */
public interface Warnings {
    /** One line; it may come from any thread, and holds nothing of a text. */
    void warn(String message);

    /** Writes them to the standard error. */
    Warnings PRINTED = new Warnings() {
        @Override
        public void warn(String message) {
            System.err.println("warning: " + message);
        }
    };
}
