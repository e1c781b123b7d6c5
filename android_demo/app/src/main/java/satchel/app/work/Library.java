package satchel.app.work;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import satchel.app.files.Summary;

/** The bundles that are installed, as the screens show them. Of the screen's thread. */
public final class Library {
    private List<Summary> bundles = Collections.emptyList();
    private final List<Runnable> observers = new ArrayList<Runnable>();

    public List<Summary> all() {
        return bundles;
    }

    /** Those made for a task. */
    public List<Summary> of(String task) {
        List<Summary> found = new ArrayList<Summary>();
        for (Summary summary : bundles) {
            if (summary.task.equals(task)) {
                found.add(summary);
            }
        }
        return found;
    }

    /** A bundle, or null where it is not there (any more). */
    public Summary named(String bundle) {
        for (Summary summary : bundles) {
            if (summary.bundle.equals(bundle)) {
                return summary;
            }
        }
        return null;
    }

    public void observe(Runnable who) {
        observers.add(who);
    }

    public void forget(Runnable who) {
        observers.remove(who);
    }

    void set(List<Summary> now) {
        bundles = now;
        for (Runnable observer : new ArrayList<Runnable>(observers)) {
            observer.run();
        }
    }
}
