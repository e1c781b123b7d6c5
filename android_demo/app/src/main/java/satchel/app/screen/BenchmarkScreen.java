package satchel.app.screen;

import android.app.Activity;
import android.content.ActivityNotFoundException;
import android.view.View;
import android.widget.ArrayAdapter;
import android.widget.Button;
import android.widget.LinearLayout;
import android.widget.Spinner;
import android.widget.TextView;
import java.util.List;
import java.util.Map;
import satchel.Tables;
import satchel.app.R;
import satchel.app.files.Summary;
import satchel.app.measure.Figures;
import satchel.app.work.BenchmarkWork;
import satchel.app.work.Works;

/** How fast a bundle is on this phone. */
public final class BenchmarkScreen extends Screen {
    private static final Integer[] REPEATS = {1, 3, 5, 10};
    private static final int USUAL = 2; // five, as `satchel bench` does

    private final BenchmarkWork work;
    private BundlePicker picker;
    private Spinner repeats;
    private Button button;
    private Button share;
    private TextView status;
    private LinearLayout table;
    private Map<String, Object> drawn;

    public BenchmarkScreen(Activity activity, Works works) {
        super(activity, works, works.benchmark);
        work = works.benchmark;
    }

    @Override
    View make(TextView problem) {
        picker = new BundlePicker(activity, new BundlePicker.Listener() {
            @Override
            public void picked(Summary bundle) {}
        });
        repeats = new Spinner(activity);
        repeats.setId(R.id.benchmark_repeats);
        repeats.setContentDescription(activity.getString(R.string.benchmark_repeats));
        repeats.setMinimumHeight(ui.dp(48));
        ArrayAdapter<Integer> counts =
                new ArrayAdapter<Integer>(activity, android.R.layout.simple_spinner_item, REPEATS);
        counts.setDropDownViewResource(android.R.layout.simple_spinner_dropdown_item);
        repeats.setAdapter(counts);
        repeats.setSelection(USUAL);
        button = ui.button(R.string.benchmark_run, new View.OnClickListener() {
            @Override
            public void onClick(View view) {
                run();
            }
        });
        share = ui.button(R.string.benchmark_share, new View.OnClickListener() {
            @Override
            public void onClick(View view) {
                share();
            }
        });
        status = ui.status();
        table = ui.column();
        LinearLayout row = ui.row();
        row.addView(ui.body(R.string.benchmark_repeats));
        row.addView(repeats);
        row.addView(button, ui.wide());
        LinearLayout column = ui.column();
        column.addView(ui.title(R.string.benchmark_title));
        column.addView(ui.soft(R.string.benchmark_about));
        column.addView(picker.view);
        column.addView(row);
        column.addView(problem);
        column.addView(status);
        column.addView(table);
        column.addView(share);
        return ui.page(R.id.benchmark_scroll, column);
    }

    private void run() {
        if (work.busy()) {
            work.stop();
        } else if (picker.chosen() != null) {
            work.measure(picker.chosen().bundle, REPEATS[repeats.getSelectedItemPosition()]);
        }
    }

    private void share() {
        try {
            String subject = activity.getString(R.string.benchmark_shared);
            activity.startActivity(Intents.sharing(subject, work.json()));
        } catch (ActivityNotFoundException error) {
            Ui.say(status, error.getMessage());
        }
    }

    @Override
    void update() {
        List<Summary> all = works.library.all();
        picker.update(all, picker.chosen(), !work.busy());
        repeats.setEnabled(!work.busy());
        button.setText(work.busy() ? R.string.stop : R.string.benchmark_run);
        button.setEnabled(work.busy() || !all.isEmpty());
        Map<String, Object> report = work.report();
        Ui.show(share, report != null);
        Ui.say(status, told(report, all.isEmpty()));
        if (report != drawn) {
            drawn = report;
            table.removeAllViews();
            if (report != null) {
                addRows((Map<?, ?>) report.get("figures"));
            }
        }
    }

    private String told(Map<String, Object> report, boolean nothing) {
        if (work.busy()) {
            return work.workload().isEmpty()
                    ? activity.getString(R.string.waiting)
                    : activity.getString(R.string.benchmark_at, work.repeat(), work.workload());
        }
        if (report == null) {
            return nothing ? activity.getString(R.string.benchmark_none) : "";
        }
        return activity.getString(
                R.string.benchmark_with,
                String.valueOf(report.get("onnxruntime")),
                String.valueOf(report.get("threads")),
                String.valueOf(report.get("processor")));
    }

    private void addRows(Map<?, ?> figures) {
        for (Map.Entry<?, ?> figure : figures.entrySet()) {
            Map<?, ?> spread = (Map<?, ?>) figure.getValue();
            TextView row = ui.body(0);
            row.setText(activity.getString(
                    R.string.benchmark_row,
                    Figures.title((String) figure.getKey()),
                    brief(spread.get("median")),
                    brief(spread.get("min")),
                    brief(spread.get("max"))));
            table.addView(row);
        }
    }

    private static String brief(Object value) {
        return Tables.figure((Double) value, 4);
    }
}
