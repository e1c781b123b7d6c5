package satchel.app.work;

import java.io.IOException;
import satchel.Cancel;
import satchel.SatchelException;

/** Something the models' thread does; what comes of it is told on the thread of the screen. */
abstract class Job<T> {
    /** Stops the work from any thread. */
    final Cancel cancel = new Cancel();

    /** On the models' thread. */
    abstract T work(Engine engine) throws IOException;

    /** On the screen's thread. */
    abstract void done(T result);

    /** On the screen's thread; {@link #cancelled} tells whether that was asked for. */
    abstract void failed(SatchelException error);

    static boolean cancelled(SatchelException error) {
        return "CANCELLED".equals(error.code);
    }
}
