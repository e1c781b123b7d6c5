package satchel.app.screen;

import android.app.Activity;
import android.content.Intent;
import android.os.Handler;
import android.os.Looper;
import android.view.View;
import android.widget.TextView;
import satchel.app.work.Work;
import satchel.app.work.Works;

/** A page of the app: views over a {@link Work}, which outlives them. */
public abstract class Screen {
    private static final int MILLISECONDS = 200; // between two looks at how far a job has come

    final Activity activity;
    final Works works;
    final Ui ui;
    private final Work work;
    private final Handler handler = new Handler(Looper.getMainLooper());
    private final TextView problem;
    private View view;

    private final Runnable changed = new Runnable() {
        @Override
        public void run() {
            draw();
        }
    };
    private final Runnable tick = new Runnable() {
        @Override
        public void run() {
            draw();
        }
    };

    Screen(Activity activity, Works works, Work work) {
        this.activity = activity;
        this.works = works;
        this.work = work;
        ui = new Ui(activity);
        problem = ui.problem();
    }

    /** Its views, made once. */
    public final View view() {
        if (view == null) {
            view = make(problem);
        }
        return view;
    }

    /** The page is there to be seen: from now on it follows its work. */
    public void show() {
        view();
        work.observe(changed);
        works.library.observe(changed);
        draw();
    }

    /** It is not, any more. */
    public void hide() {
        work.observe(null);
        works.library.forget(changed);
        handler.removeCallbacks(tick);
    }

    /** A document that this page asked for; `request` is the page's own. */
    public void chosen(int request, Intent answer) {}

    /** Makes the views; `problem` is where errors stand. */
    abstract View make(TextView problem);

    /** Shows what the work is at. */
    abstract void update();

    private void draw() {
        handler.removeCallbacks(tick);
        Ui.say(problem, work.problem());
        update();
        view.setKeepScreenOn(work.busy());
        if (work.busy()) {
            handler.postDelayed(tick, MILLISECONDS);
        }
    }
}
