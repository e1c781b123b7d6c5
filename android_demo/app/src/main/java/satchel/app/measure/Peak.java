package satchel.app.measure;

/**
 * The most memory that was resident while it watched. The system's own mark (VmHWM) is of the whole life of the process,
 * in which other models may have been loaded.
 */
final class Peak {
    private static final int MILLISECONDS = 5;

    private final Memory memory;
    private final Thread thread;
    private volatile boolean ended;
    private volatile long most;

    Peak(Memory memory) {
        this.memory = memory;
        thread = new Thread("peak of memory") {
            @Override
            public void run() {
                watch();
            }
        };
        thread.setDaemon(true);
        thread.start();
    }

    private void watch() {
        while (!ended) {
            look();
            try {
                Thread.sleep(MILLISECONDS);
            } catch (InterruptedException error) {
                return;
            }
        }
    }

    private synchronized void look() {
        most = Math.max(most, memory.resident());
    }

    /** Ends the watch and gives the bytes. */
    long bytes() {
        look();
        ended = true;
        thread.interrupt();
        return most;
    }
}
