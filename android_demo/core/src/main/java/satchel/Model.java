package satchel;

import java.util.Locale;
import satchel.bundle.Bundle;
import satchel.bundle.Manifest;
import satchel.bundle.Task;

/**
 * A loaded bundle: what every one of them is. A method of another task raises WRONG_TASK, which names those that fit.
 * Close it to give back its native memory.
 */
public abstract class Model implements AutoCloseable {
    public final Bundle bundle;
    public final Manifest manifest;

    protected Model(Bundle bundle) {
        this.bundle = bundle;
        this.manifest = bundle.manifest;
    }

    /** What the bundle was made for, for example "generate". */
    public final String task() {
        return manifest.task;
    }

    /** Raises WRONG_TASK unless a method, such as "embed" or "fill_mask", fits the bundle's task. */
    public final void require(String method) {
        String name = plain(method);
        if (!Task.of(manifest.task).methods.contains(name)) {
            throw new TaskException(name, manifest.task);
        }
    }

    /** The table of tasks has the names of methods with underscores. */
    private static String plain(String method) {
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < method.length(); ++i) {
            char c = method.charAt(i);
            if (c >= 'A' && c <= 'Z') {
                out.append('_');
            }
            out.append(c);
        }
        return out.toString().toLowerCase(Locale.ROOT);
    }

    @Override
    public abstract void close();

    @Override
    public String toString() {
        Object profile = manifest.quantization.get("name");
        return "<" + getClass().getSimpleName() + " " + manifest.architecture + ", " + manifest.task + ", "
                + (profile == null ? "unknown profile" : profile) + ", " + bundle.folder + ">";
    }
}
