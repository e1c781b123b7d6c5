package satchel.app.work;

import android.os.Handler;
import android.os.Looper;
import android.view.Choreographer;

/** Text from the models' thread to the screen, once a frame however many pieces there are. */
final class FrameText {
    private final Handler screen = new Handler(Looper.getMainLooper());
    private final StringBuilder waiting = new StringBuilder();
    private final Receiver receiver;
    private boolean asked;

    /** Takes text on the screen's thread. */
    interface Receiver {
        void more(String text);
    }

    private final Choreographer.FrameCallback frame = new Choreographer.FrameCallback() {
        @Override
        public void doFrame(long time) {
            flush();
        }
    };
    private final Runnable ask = new Runnable() { // a Choreographer belongs to its thread
        @Override
        public void run() {
            Choreographer.getInstance().postFrameCallback(frame);
        }
    };

    FrameText(Receiver receiver) {
        this.receiver = receiver;
    }

    /** From any thread. */
    void add(String piece) {
        synchronized (waiting) {
            waiting.append(piece);
            if (asked) {
                return;
            }
            asked = true;
        }
        screen.post(ask);
    }

    /** On the screen's thread: hands over what waits, if anything does. */
    void flush() {
        String text;
        synchronized (waiting) {
            text = waiting.toString();
            waiting.setLength(0);
            asked = false;
        }
        if (!text.isEmpty()) {
            receiver.more(text);
        }
    }
}
