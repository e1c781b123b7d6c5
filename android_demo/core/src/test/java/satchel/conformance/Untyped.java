package satchel.conformance;

/** A request that cannot be written in Java, such as an id that is half a number: its compiler refuses it. */
final class Untyped extends RuntimeException {
    private static final long serialVersionUID = 1L;

    Untyped(Object value) {
        super("of no type that is taken: " + value);
    }
}
