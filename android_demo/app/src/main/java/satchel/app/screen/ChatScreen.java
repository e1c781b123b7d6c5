package satchel.app.screen;

import android.app.Activity;
import android.view.Gravity;
import android.view.View;
import android.view.ViewGroup.LayoutParams;
import android.widget.Button;
import android.widget.EditText;
import android.widget.LinearLayout;
import android.widget.ScrollView;
import android.widget.TextView;
import java.util.ArrayList;
import java.util.List;
import satchel.app.R;
import satchel.app.files.Summary;
import satchel.app.work.ChatWork;
import satchel.app.work.Turn;
import satchel.app.work.Works;

/** A conversation. */
public final class ChatScreen extends Screen {
    private final ChatWork work;
    private final Runnable toBundles;
    private final List<Turn> drawn = new ArrayList<Turn>();
    private final List<TextView> bubbles = new ArrayList<TextView>();
    private BundlePicker picker;
    private TextView note;
    private Button bundles;
    private LinearLayout turns;
    private ScrollView scroll;
    private TextView status;
    private EditText input;
    private Button send;
    private Button restart;

    /** `toBundles` opens the page where bundles are imported. */
    public ChatScreen(Activity activity, Works works, Runnable toBundles) {
        super(activity, works, works.chat);
        work = works.chat;
        this.toBundles = toBundles;
    }

    @Override
    View make(TextView problem) {
        picker = new BundlePicker(activity, new BundlePicker.Listener() {
            @Override
            public void picked(Summary bundle) {
                work.choose(bundle);
            }
        });
        note = ui.soft(0);
        bundles = ui.button(R.string.go_to_bundles, new View.OnClickListener() {
            @Override
            public void onClick(View view) {
                toBundles.run();
            }
        });
        turns = ui.column();
        scroll = ui.page(R.id.chat_scroll, turns);
        status = ui.status();
        restart = ui.button(R.string.chat_new, new View.OnClickListener() {
            @Override
            public void onClick(View view) {
                work.restart();
            }
        });
        LinearLayout head = ui.row();
        head.addView(picker.view, ui.wide());
        head.addView(restart);
        LinearLayout top = ui.column();
        top.setPadding(ui.dp(16), ui.dp(12), ui.dp(16), 0);
        top.addView(ui.title(R.string.chat_title));
        top.addView(head);
        top.addView(note);
        top.addView(bundles);
        top.addView(problem);
        LinearLayout column = ui.column();
        column.addView(top);
        column.addView(scroll, ui.high());
        column.addView(foot());
        return column;
    }

    private View foot() {
        input = ui.input(R.id.chat_input, R.string.chat_hint, true);
        send = ui.button(R.string.chat_send, new View.OnClickListener() {
            @Override
            public void onClick(View view) {
                if (work.busy()) {
                    work.stop();
                } else if (work.chosen() != null) {
                    String text = input.getText().toString();
                    input.setText("");
                    work.send(text);
                }
            }
        });
        LinearLayout row = ui.row();
        row.addView(input, ui.wide());
        row.addView(send);
        LinearLayout foot = ui.column();
        foot.setPadding(ui.dp(16), 0, ui.dp(16), ui.dp(4));
        foot.addView(status);
        foot.addView(row);
        return foot;
    }

    @Override
    void update() {
        List<Summary> able = works.library.of("generate");
        work.offer(able);
        Summary chosen = work.chosen();
        picker.update(able, chosen, !work.busy());
        boolean jinja = chosen != null && "jinja".equals(chosen.chat);
        Ui.say(note, activity.getString(
                chosen == null ? R.string.chat_none
                        : jinja ? R.string.chat_jinja
                        : chosen.chat == null ? R.string.chat_continues : R.string.chat_about));
        Ui.show(bundles, chosen == null);
        send.setText(work.busy() ? R.string.stop : R.string.chat_send);
        send.setEnabled(work.busy() || (chosen != null && !jinja));
        restart.setEnabled(!work.busy());
        Ui.show(restart, !work.turns().isEmpty());
        String unsent = work.takeUnsent();
        if (unsent != null && input.getText().length() == 0) {
            input.setText(unsent);
        }
        drawTurns();
        Ui.say(status, speed());
    }

    private String speed() {
        if (work.busy()) {
            return activity.getString(R.string.waiting);
        }
        if (work.tokens() == 0) {
            return "";
        }
        String speed = work.tokensPerSecond() > 0
                ? activity.getString(
                        R.string.chat_speed, work.tokens(), work.tokensPerSecond(), work.secondsToFirst())
                : activity.getString(R.string.chat_tokens, work.tokens(), work.secondsToFirst());
        return work.cutOff() ? speed + "\n" + activity.getString(R.string.chat_cut) : speed;
    }

    /** New turns get a view; of the others only the last may have grown. */
    private void drawTurns() {
        boolean atEnd = !scroll.canScrollVertically(1);
        List<Turn> now = work.turns();
        boolean goesOn = drawn.size() <= now.size() && drawn.equals(now.subList(0, drawn.size()));
        if (!goesOn) {
            drawn.clear();
            bubbles.clear();
            turns.removeAllViews();
        }
        boolean more = false;
        for (Turn turn : now.subList(drawn.size(), now.size())) {
            drawn.add(turn);
            bubbles.add(bubble(turn));
            more = true;
        }
        if (!drawn.isEmpty()) {
            TextView last = bubbles.get(drawn.size() - 1);
            String text = drawn.get(drawn.size() - 1).text();
            if (!text.contentEquals(last.getText())) {
                last.setText(text);
                more = true;
            }
        }
        if (more && atEnd) { // unless somebody reads further up
            scroll.post(new Runnable() {
                @Override
                public void run() {
                    scroll.scrollTo(0, turns.getHeight());
                }
            });
        }
    }

    private TextView bubble(Turn turn) {
        LinearLayout card = ui.card(turn.ofUser() ? R.drawable.own : R.drawable.card);
        LinearLayout.LayoutParams place =
                new LinearLayout.LayoutParams(LayoutParams.WRAP_CONTENT, LayoutParams.WRAP_CONTENT);
        place.gravity = turn.ofUser() ? Gravity.END : Gravity.START;
        place.setMargins(turn.ofUser() ? ui.dp(32) : 0, ui.dp(6), turn.ofUser() ? 0 : ui.dp(32), ui.dp(6));
        card.addView(ui.soft(turn.ofUser() ? R.string.chat_you : R.string.chat_model));
        TextView text = ui.body(0);
        text.setText(turn.text());
        text.setTextIsSelectable(true);
        card.addView(text);
        turns.addView(card, place);
        return text;
    }
}
