package satchel.app.screen;

import android.content.Context;
import android.graphics.Typeface;
import android.view.Gravity;
import android.view.View;
import android.view.ViewGroup.LayoutParams;
import android.widget.Button;
import android.widget.EditText;
import android.widget.LinearLayout;
import android.widget.ScrollView;
import android.widget.TextView;
import satchel.app.R;

/** Views as all screens have them. Sizes of text follow the phone's setting. */
final class Ui {
    private static final int TITLE = 22;
    private static final int BODY = 16;
    private static final int SMALL = 14;

    private final Context context;

    Ui(Context context) {
        this.context = context;
    }

    /** Pixels of so many density-independent ones. */
    int dp(int size) {
        return Math.round(size * context.getResources().getDisplayMetrics().density);
    }

    int color(int resource) {
        return context.getColor(resource);
    }

    TextView title(int text) {
        TextView view = text(text, TITLE, R.color.text);
        view.setTypeface(Typeface.DEFAULT_BOLD);
        if (android.os.Build.VERSION.SDK_INT >= 28) {
            view.setAccessibilityHeading(true);
        }
        return view;
    }

    TextView body(int text) {
        return text(text, BODY, R.color.text);
    }

    TextView soft(int text) {
        return text(text, SMALL, R.color.text_soft);
    }

    /** Tells what is under way or came out, and says it to those who listen. */
    TextView status() {
        TextView view = soft(0);
        view.setAccessibilityLiveRegion(View.ACCESSIBILITY_LIVE_REGION_POLITE);
        return view;
    }

    /** What went wrong. */
    TextView problem() {
        TextView view = text(0, BODY, R.color.bad);
        view.setAccessibilityLiveRegion(View.ACCESSIBILITY_LIVE_REGION_ASSERTIVE);
        view.setTextIsSelectable(true);
        view.setVisibility(View.GONE);
        return view;
    }

    /** Letters of one width. */
    TextView mono(String text) {
        TextView view = text(0, BODY, R.color.text);
        view.setTypeface(Typeface.MONOSPACE);
        view.setText(text);
        view.setTextIsSelectable(true);
        return view;
    }

    private TextView text(int text, int size, int color) {
        TextView view = new TextView(context);
        view.setTextSize(size);
        view.setTextColor(color(color));
        view.setPadding(0, dp(4), 0, dp(4));
        view.setTextDirection(View.TEXT_DIRECTION_FIRST_STRONG);
        if (text != 0) {
            view.setText(text);
        }
        return view;
    }

    Button button(int text, View.OnClickListener click) {
        Button button = new Button(context);
        button.setText(text);
        button.setAllCaps(false);
        button.setTextSize(BODY);
        button.setMinHeight(dp(48));
        button.setOnClickListener(click);
        return button;
    }

    EditText input(int id, int hint, boolean lines) {
        EditText view = new EditText(context);
        view.setId(id);
        view.setHint(hint);
        view.setTextSize(BODY);
        view.setMinHeight(dp(48));
        int type = android.text.InputType.TYPE_CLASS_TEXT;
        view.setInputType(lines ? type | android.text.InputType.TYPE_TEXT_FLAG_MULTI_LINE : type);
        view.setMaxLines(lines ? 6 : 1);
        return view;
    }

    LinearLayout column() {
        LinearLayout layout = new LinearLayout(context);
        layout.setOrientation(LinearLayout.VERTICAL);
        return layout;
    }

    LinearLayout row() {
        LinearLayout layout = new LinearLayout(context);
        layout.setOrientation(LinearLayout.HORIZONTAL);
        layout.setGravity(Gravity.CENTER_VERTICAL);
        return layout;
    }

    /** A column on a ground of its own. */
    LinearLayout card(int ground) {
        LinearLayout layout = column();
        layout.setBackgroundResource(ground);
        layout.setPadding(dp(12), dp(8), dp(12), dp(8));
        LinearLayout.LayoutParams place =
                new LinearLayout.LayoutParams(LayoutParams.MATCH_PARENT, LayoutParams.WRAP_CONTENT);
        place.setMargins(0, dp(6), 0, dp(6));
        layout.setLayoutParams(place);
        return layout;
    }

    /** A page that scrolls. */
    ScrollView page(int id, LinearLayout content) {
        ScrollView scroll = new ScrollView(context);
        scroll.setId(id);
        scroll.setFillViewport(true);
        content.setPadding(dp(16), dp(12), dp(16), dp(16));
        scroll.addView(content);
        return scroll;
    }

    /** As wide as what is left of a row. */
    LinearLayout.LayoutParams wide() {
        return new LinearLayout.LayoutParams(0, LayoutParams.WRAP_CONTENT, 1);
    }

    /** As high as what is left of a column. */
    LinearLayout.LayoutParams high() {
        return new LinearLayout.LayoutParams(LayoutParams.MATCH_PARENT, 0, 1);
    }

    static void show(View view, boolean shown) {
        view.setVisibility(shown ? View.VISIBLE : View.GONE);
    }

    /** Sets a text, unless it is that already: else a screen reader would say it again and again. */
    static void say(TextView view, CharSequence text) {
        String now = text == null ? "" : text.toString();
        if (!now.contentEquals(view.getText())) {
            view.setText(now);
        }
        show(view, !now.isEmpty());
    }
}
