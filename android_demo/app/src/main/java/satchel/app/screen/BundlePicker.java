package satchel.app.screen;

import android.app.Activity;
import android.view.View;
import android.widget.AdapterView;
import android.widget.ArrayAdapter;
import android.widget.Spinner;
import java.util.ArrayList;
import java.util.List;
import satchel.app.R;
import satchel.app.files.Summary;

/** Chooses among bundles. */
final class BundlePicker {
    final Spinner view;
    private final Activity activity;
    private List<Summary> shown = new ArrayList<Summary>();

    /** Is told what a person chose. */
    interface Listener {
        void picked(Summary bundle);
    }

    BundlePicker(Activity activity, final Listener listener) {
        this.activity = activity;
        view = new Spinner(activity);
        view.setContentDescription(activity.getString(R.string.choose_bundle));
        view.setMinimumHeight(new Ui(activity).dp(48));
        view.setOnItemSelectedListener(new AdapterView.OnItemSelectedListener() {
            @Override
            public void onItemSelected(AdapterView<?> parent, View item, int position, long id) {
                if (position < shown.size()) {
                    listener.picked(shown.get(position));
                }
            }

            @Override
            public void onNothingSelected(AdapterView<?> parent) {}
        });
    }

    /** Shows these, one of them chosen; hidden where there is nothing to choose. */
    void update(List<Summary> bundles, Summary chosen, boolean enabled) {
        if (!bundles.equals(shown)) {
            shown = new ArrayList<Summary>(bundles);
            ArrayAdapter<Summary> names =
                    new ArrayAdapter<Summary>(activity, android.R.layout.simple_spinner_item, shown);
            names.setDropDownViewResource(android.R.layout.simple_spinner_dropdown_item);
            view.setAdapter(names);
        }
        int place = shown.indexOf(chosen);
        if (place >= 0 && view.getSelectedItemPosition() != place) {
            view.setSelection(place);
        }
        view.setEnabled(enabled);
        Ui.show(view, !shown.isEmpty());
    }

    /** What is chosen, or null. */
    Summary chosen() {
        int place = view.getSelectedItemPosition();
        return place >= 0 && place < shown.size() ? shown.get(place) : null;
    }
}
