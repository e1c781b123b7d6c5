package satchel.app.screen;

import android.app.Activity;
import android.content.Intent;
import android.view.KeyEvent;
import android.view.View;
import android.view.inputmethod.EditorInfo;
import android.widget.Button;
import android.widget.EditText;
import android.widget.LinearLayout;
import android.widget.TextView;
import java.util.Collections;
import java.util.List;
import satchel.app.R;
import satchel.app.files.Summary;
import satchel.app.text.TextIndex;
import satchel.app.work.SearchWork;
import satchel.app.work.Works;

/** Texts of one's own, searched by meaning. */
public final class SearchScreen extends Screen {
    private static final int TEXTS = 1;

    private final SearchWork work;
    private final Runnable toBundles;
    private BundlePicker picker;
    private TextView note;
    private Button bundles;
    private EditText query;
    private Button button;
    private TextView status;
    private LinearLayout results;
    private EditText texts;
    private Button keep;
    private String shown; // what the field of texts was last given
    private List<TextIndex.Found> drawn = Collections.emptyList();

    /** `toBundles` opens the page where bundles are imported. */
    public SearchScreen(Activity activity, Works works, Runnable toBundles) {
        super(activity, works, works.search);
        work = works.search;
        this.toBundles = toBundles;
    }

    @Override
    View make(TextView problem) {
        picker = new BundlePicker(activity, new BundlePicker.Listener() {
            @Override
            public void picked(Summary bundle) {
                if (work.chosen() == null || !bundle.bundle.equals(work.chosen().bundle)) {
                    work.choose(bundle);
                }
            }
        });
        note = ui.soft(0);
        bundles = ui.button(R.string.go_to_bundles, new View.OnClickListener() {
            @Override
            public void onClick(View view) {
                toBundles.run();
            }
        });
        status = ui.status();
        results = ui.column();
        LinearLayout column = ui.column();
        column.addView(ui.title(R.string.search_title));
        column.addView(picker.view);
        column.addView(note);
        column.addView(bundles);
        column.addView(asking());
        column.addView(problem);
        column.addView(status);
        column.addView(results);
        addTexts(column);
        return ui.page(R.id.search_scroll, column);
    }

    private View asking() {
        query = ui.input(R.id.search_input, R.string.search_hint, false);
        query.setImeOptions(EditorInfo.IME_ACTION_SEARCH);
        query.setOnEditorActionListener(new TextView.OnEditorActionListener() {
            @Override
            public boolean onEditorAction(TextView view, int action, KeyEvent event) {
                work.search(query.getText().toString());
                return false; // the keyboard goes away as always
            }
        });
        button = ui.button(R.string.search_button, new View.OnClickListener() {
            @Override
            public void onClick(View view) {
                if (work.busy()) {
                    work.stop();
                } else {
                    work.search(query.getText().toString());
                }
            }
        });
        LinearLayout row = ui.row();
        row.addView(query, ui.wide());
        row.addView(button);
        return row;
    }

    private void addTexts(LinearLayout column) {
        texts = ui.input(R.id.search_texts, R.string.search_texts, true);
        texts.setMaxLines(12);
        texts.setSaveEnabled(false); // they are kept in a file, and may be more than the system keeps
        keep = ui.button(R.string.search_keep, new View.OnClickListener() {
            @Override
            public void onClick(View view) {
                work.edit(texts.getText().toString());
            }
        });
        column.addView(ui.body(R.string.search_texts));
        column.addView(texts);
        LinearLayout row = ui.row();
        row.addView(keep, ui.wide());
        row.addView(
                ui.button(R.string.search_file, new View.OnClickListener() {
                    @Override
                    public void onClick(View view) {
                        Intents.choose(activity, Intents.document("text/*"), Intents.SEARCH + TEXTS);
                    }
                }),
                ui.wide());
        column.addView(row);
    }

    @Override
    public void chosen(int request, Intent answer) {
        if (answer.getData() != null) {
            work.read(answer.getData());
        }
    }

    @Override
    public void show() {
        super.show();
        work.open();
    }

    @Override
    public void hide() {
        if (shown != null) {
            work.edit(texts.getText().toString());
        }
        super.hide();
    }

    @Override
    void update() {
        List<Summary> able = works.library.of("embed");
        work.offer(able);
        Summary chosen = work.chosen();
        picker.update(able, chosen, !work.busy());
        Ui.say(note, activity.getString(chosen == null ? R.string.search_none : R.string.search_about));
        Ui.show(bundles, chosen == null);
        button.setText(work.busy() ? R.string.stop : R.string.search_button);
        button.setEnabled(work.busy() || (chosen != null && work.texts() != null));
        keep.setEnabled(!work.busy());
        if (work.texts() != null && !work.texts().equals(shown)) {
            shown = work.texts();
            if (!shown.contentEquals(texts.getText())) { // or the cursor would jump
                texts.setText(shown);
            }
        }
        Ui.say(status, told());
        if (work.found() != drawn) {
            drawn = work.found();
            results.removeAllViews();
            for (TextIndex.Found found : drawn) {
                results.addView(card(found));
            }
        }
    }

    private String told() {
        if (work.busy()) {
            return work.ready() > 0
                    ? activity.getString(R.string.search_ready, work.ready())
                    : activity.getString(R.string.waiting);
        }
        return work.found().isEmpty()
                ? ""
                : activity.getString(R.string.search_took, work.query(), work.milliseconds());
    }

    private View card(TextIndex.Found found) {
        LinearLayout card = ui.card(R.drawable.card);
        TextView text = ui.body(0);
        text.setText(found.text);
        text.setTextIsSelectable(true);
        card.addView(text);
        TextView score = ui.soft(0);
        score.setText(activity.getString(R.string.search_score, found.score));
        card.addView(score);
        return card;
    }
}
