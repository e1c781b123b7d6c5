package satchel;

import java.util.List;
import satchel.bundle.Task;

/** A method that does not fit the bundle's task: WRONG_TASK. */
public final class TaskException extends SatchelException {
    private static final long serialVersionUID = 1L;

    /** What the bundle was made for. */
    public final String task;

    TaskException(String method, String task) {
        super(method + " does not fit a bundle made for " + shown(task) + "; use " + fitting(task), "WRONG_TASK", 2,
                null);
        this.task = task;
    }

    private static String fitting(String task) {
        List<String> methods = Task.of(task).methods;
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < methods.size(); ++i) {
            out.append(i == 0 ? "" : i < methods.size() - 1 ? ", " : " or ").append(methods.get(i));
        }
        return out.toString();
    }
}
