package satchel.app.measure;

/** What this process takes of the memory, in bytes; 0 where the system does not tell. */
public interface Memory {
    /** Pages in memory, those shared with others included. Cheap enough to ask often. */
    long resident();

    /** The same with shared pages divided among those that share them. Takes a while. */
    long proportional();
}
