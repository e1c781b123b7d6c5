package satchel.app.screen;

import android.app.Activity;
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
import satchel.app.text.Phonemes;
import satchel.app.work.WordsWork;
import satchel.app.work.WordsWork.Spoken;
import satchel.app.work.Works;

/** Words and how they are spoken. */
public final class WordsScreen extends Screen {
    private final WordsWork work;
    private EditText input;
    private Button button;
    private TextView status;
    private LinearLayout results;
    private List<Spoken> drawn = Collections.emptyList();

    public WordsScreen(Activity activity, Works works) {
        super(activity, works, works.words);
        work = works.words;
    }

    @Override
    View make(TextView problem) {
        input = ui.input(R.id.words_input, R.string.words_hint, false);
        input.setImeOptions(EditorInfo.IME_ACTION_DONE);
        input.setOnEditorActionListener(new TextView.OnEditorActionListener() {
            @Override
            public boolean onEditorAction(TextView view, int action, KeyEvent event) {
                work.pronounce(input.getText().toString());
                return false; // the keyboard goes away as always
            }
        });
        button = ui.button(R.string.words_button, new View.OnClickListener() {
            @Override
            public void onClick(View view) {
                if (work.busy()) {
                    work.stop();
                } else {
                    work.pronounce(input.getText().toString());
                }
            }
        });
        status = ui.status();
        results = ui.column();
        LinearLayout row = ui.row();
        row.addView(input, ui.wide());
        row.addView(button);
        LinearLayout column = ui.column();
        column.addView(ui.title(R.string.words_title));
        column.addView(ui.soft(R.string.words_about));
        column.addView(row);
        column.addView(problem);
        column.addView(status);
        column.addView(results);
        return ui.page(R.id.words_scroll, column);
    }

    @Override
    void update() {
        button.setText(work.busy() ? R.string.stop : R.string.words_button);
        List<Spoken> spoken = work.spoken();
        String took = spoken.isEmpty()
                ? ""
                : activity.getString(R.string.words_took, spoken.size(), work.milliseconds());
        Ui.say(status, work.busy() ? activity.getString(R.string.waiting) : took);
        if (spoken != drawn) {
            drawn = spoken;
            results.removeAllViews();
            for (Spoken word : spoken) {
                results.addView(card(word));
            }
        }
    }

    private View card(Spoken word) {
        LinearLayout card = ui.card(R.drawable.card);
        TextView name = ui.body(0);
        name.setText(word.word);
        card.addView(name);
        card.addView(ui.mono(word.phonemes));
        TextView hints = ui.soft(0);
        hints.setText(Phonemes.explained(word.phonemes));
        card.addView(hints);
        return card;
    }
}
