package satchel.app.files;

/** Is told how far an import has come. */
public interface Progress {
    /** In place of a file's name: everything is copied. */
    String CHECKING = "";

    /** So many bytes are copied; the file that is being copied. */
    void at(String file, long bytes);
}
