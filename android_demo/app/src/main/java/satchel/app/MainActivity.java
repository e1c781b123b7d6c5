package satchel.app;

import android.app.Activity;
import android.content.Intent;
import android.graphics.Insets;
import android.os.Build;
import android.os.Bundle;
import android.util.TypedValue;
import android.view.Gravity;
import android.view.View;
import android.view.ViewGroup.LayoutParams;
import android.view.WindowInsets;
import android.widget.FrameLayout;
import android.widget.LinearLayout;
import android.widget.TextView;
import satchel.app.screen.BenchmarkScreen;
import satchel.app.screen.BundlesScreen;
import satchel.app.screen.ChatScreen;
import satchel.app.screen.Screen;
import satchel.app.screen.SearchScreen;
import satchel.app.screen.WordsScreen;
import satchel.app.work.Works;

/** The one window: five pages and a row of tabs. */
public final class MainActivity extends Activity {
    private static final String PAGE = "page";
    private static final int[] TABS = {
        R.string.tab_words, R.string.tab_chat, R.string.tab_search, R.string.tab_bundles, R.string.tab_benchmark,
    };
    private static final int BUNDLES = 3;
    private static final int REQUESTS = 100; // a page's requests begin at its place times this

    private Works works;
    private Screen[] pages;
    private TextView[] tabs;
    private FrameLayout frame;
    private int page;
    private boolean seen;

    @Override
    protected void onCreate(Bundle state) {
        super.onCreate(state);
        works = ((SatchelApp) getApplication()).works();
        Runnable toBundles = new Runnable() {
            @Override
            public void run() {
                turnTo(BUNDLES);
            }
        };
        pages = new Screen[] {
            new WordsScreen(this, works),
            new ChatScreen(this, works, toBundles),
            new SearchScreen(this, works, toBundles),
            new BundlesScreen(this, works),
            new BenchmarkScreen(this, works),
        };
        setContentView(window());
        for (Screen each : pages) {
            frame.addView(each.view()); // all of them, so that each keeps what was typed
        }
        if (state != null) {
            works.chat.restore(state);
            page = Math.max(0, Math.min(pages.length - 1, state.getInt(PAGE)));
        }
    }

    private View window() {
        frame = new FrameLayout(this);
        LinearLayout row = new LinearLayout(this);
        tabs = new TextView[TABS.length];
        for (int i = 0; i < TABS.length; ++i) {
            tabs[i] = tab(i);
            row.addView(tabs[i], new LinearLayout.LayoutParams(0, dp(56), 1));
        }
        LinearLayout window = new LinearLayout(this);
        window.setOrientation(LinearLayout.VERTICAL);
        window.addView(frame, new LinearLayout.LayoutParams(LayoutParams.MATCH_PARENT, 0, 1));
        window.addView(row, new LinearLayout.LayoutParams(LayoutParams.MATCH_PARENT, LayoutParams.WRAP_CONTENT));
        window.setOnApplyWindowInsetsListener(new View.OnApplyWindowInsetsListener() {
            @Override
            public WindowInsets onApplyWindowInsets(View view, WindowInsets insets) {
                return inset(view, insets);
            }
        });
        return window;
    }

    private TextView tab(final int place) {
        TextView tab = new TextView(this);
        tab.setText(TABS[place]);
        tab.setTextColor(getColorStateList(R.color.tab_text));
        tab.setGravity(Gravity.CENTER);
        tab.setMaxLines(1);
        tab.setAutoSizeTextTypeUniformWithConfiguration(9, 14, 1, TypedValue.COMPLEX_UNIT_SP);
        tab.setBackgroundResource(R.drawable.tab);
        tab.setFocusable(true);
        tab.setOnClickListener(new View.OnClickListener() {
            @Override
            public void onClick(View view) {
                turnTo(place);
            }
        });
        return tab;
    }

    /** The window reaches under the bars of the system, from Android 15 on always; what is in it does not. */
    @SuppressWarnings("deprecation")
    private static WindowInsets inset(View view, WindowInsets insets) {
        if (Build.VERSION.SDK_INT >= 30) {
            int bars = WindowInsets.Type.systemBars() | WindowInsets.Type.displayCutout() | WindowInsets.Type.ime();
            Insets sides = insets.getInsets(bars);
            view.setPadding(sides.left, sides.top, sides.right, sides.bottom);
            return WindowInsets.CONSUMED;
        }
        view.setPadding(
                insets.getSystemWindowInsetLeft(),
                insets.getSystemWindowInsetTop(),
                insets.getSystemWindowInsetRight(),
                insets.getSystemWindowInsetBottom());
        return insets.consumeSystemWindowInsets();
    }

    private void turnTo(int place) {
        if (seen && place != page) {
            pages[page].hide();
            page = place;
            pages[page].show();
        }
        page = place;
        for (int i = 0; i < pages.length; ++i) {
            pages[i].view().setVisibility(i == page ? View.VISIBLE : View.GONE);
            tabs[i].setSelected(i == page);
        }
    }

    @Override
    protected void onStart() {
        super.onStart();
        seen = true;
        works.bundles.open();
        turnTo(page);
        pages[page].show();
    }

    @Override
    protected void onStop() {
        if (!isChangingConfigurations()) {
            works.engine.cancel(); // what runs on unseen would heat the phone for nobody
        }
        pages[page].hide();
        seen = false;
        super.onStop();
    }

    @Override
    protected void onSaveInstanceState(Bundle state) {
        super.onSaveInstanceState(state);
        state.putInt(PAGE, page);
        works.chat.save(state);
    }

    @Override
    protected void onActivityResult(int request, int result, Intent answer) {
        super.onActivityResult(request, result, answer);
        int place = request / REQUESTS;
        if (result == RESULT_OK && answer != null && place >= 0 && place < pages.length) {
            pages[place].chosen(request % REQUESTS, answer);
        }
    }

    private int dp(int size) {
        return Math.round(size * getResources().getDisplayMetrics().density);
    }
}
