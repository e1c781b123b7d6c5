package satchel.app.screen;

import android.app.Activity;
import android.app.AlertDialog;
import android.content.DialogInterface;
import android.content.Intent;
import android.net.Uri;
import android.view.View;
import android.widget.Button;
import android.widget.LinearLayout;
import android.widget.TextView;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import satchel.Tables;
import satchel.Verification;
import satchel.app.R;
import satchel.app.files.Progress;
import satchel.app.files.Summary;
import satchel.app.work.BundlesWork;
import satchel.app.work.Works;

/** The bundles of this phone. */
public final class BundlesScreen extends Screen {
    private static final int ZIP = 1;
    private static final int FOLDER = 2;

    private final BundlesWork work;
    private TextView status;
    private Button zip;
    private Button folder;
    private Button stop;
    private LinearLayout cards;
    private List<Summary> drawn = Collections.emptyList();
    private Verification drawnVerdict;
    private boolean drawnBusy;

    public BundlesScreen(Activity activity, Works works) {
        super(activity, works, works.bundles);
        work = works.bundles;
    }

    @Override
    View make(TextView problem) {
        zip = ui.button(R.string.bundles_zip, new View.OnClickListener() {
            @Override
            public void onClick(View view) {
                Intent any = Intents.document("*/*", "application/zip", "application/octet-stream");
                Intents.choose(activity, any, Intents.BUNDLES + ZIP);
            }
        });
        folder = ui.button(R.string.bundles_folder, new View.OnClickListener() {
            @Override
            public void onClick(View view) {
                Intents.choose(activity, new Intent(Intent.ACTION_OPEN_DOCUMENT_TREE), Intents.BUNDLES + FOLDER);
            }
        });
        stop = ui.button(R.string.stop, new View.OnClickListener() {
            @Override
            public void onClick(View view) {
                work.stop();
            }
        });
        status = ui.status();
        cards = ui.column();
        LinearLayout row = ui.row();
        row.addView(zip, ui.wide());
        row.addView(folder, ui.wide());
        LinearLayout column = ui.column();
        column.addView(ui.title(R.string.bundles_title));
        column.addView(ui.soft(R.string.bundles_about));
        column.addView(row);
        column.addView(problem);
        column.addView(status);
        column.addView(stop);
        column.addView(cards);
        return ui.page(R.id.bundles_scroll, column);
    }

    @Override
    public void chosen(int request, Intent answer) {
        Uri uri = answer.getData();
        if (uri != null && request == ZIP) {
            work.importZip(uri);
        } else if (uri != null) {
            work.importFolder(uri);
        }
    }

    @Override
    void update() {
        zip.setEnabled(!work.busy());
        folder.setEnabled(!work.busy());
        Ui.show(stop, work.busy());
        Ui.say(status, work.busy() ? underWay() : "");
        List<Summary> all = works.library.all();
        if (all != drawn || work.verification() != drawnVerdict || work.busy() != drawnBusy) {
            drawn = all;
            drawnVerdict = work.verification();
            drawnBusy = work.busy();
            cards.removeAllViews();
            for (Summary bundle : all) {
                cards.addView(card(bundle));
            }
        }
    }

    private String underWay() {
        String file = work.copying();
        String doing = work.doing();
        if (doing == BundlesWork.VERIFYING) {
            return activity.getString(R.string.bundles_verifying);
        }
        if (doing != BundlesWork.IMPORTING || file == null) {
            return activity.getString(R.string.waiting);
        }
        String what = file.equals(Progress.CHECKING)
                ? activity.getString(R.string.bundles_checking)
                : activity.getString(R.string.bundles_copied, file, work.bytes() / 1000000);
        return what + "\n" + activity.getString(R.string.bundles_stays);
    }

    private View card(Summary bundle) {
        LinearLayout card = ui.card(R.drawable.card);
        line(card, ui.body(0), bundle.title);
        String what = bundle.architecture + ", " + bundle.task + ", " + bundle.profile + ", " + bundle.megabytes();
        line(card, ui.soft(0), bundle.builtIn ? what + ", " + activity.getString(R.string.bundles_built_in) : what);
        line(card, ui.soft(0), activity.getString(
                bundle.licence == null ? R.string.bundles_no_licence : R.string.bundles_licence, bundle.licence));
        line(card, ui.soft(0), activity.getString(R.string.bundles_made, bundle.checkpoint, bundle.onnxruntime));
        measured(card, bundle);
        if (bundle.bundle.equals(work.verified())) {
            verdict(card);
        }
        card.addView(buttons(bundle));
        return card;
    }

    private void measured(LinearLayout card, Summary bundle) {
        StringBuilder lines = new StringBuilder(activity.getString(R.string.bundles_measured));
        for (Map.Entry<String, Object> entry : bundle.quality.entrySet()) {
            Object value = entry.getValue();
            lines.append("\n• ").append(entry.getKey().replace('_', ' ').replace('.', ' ')).append(": ");
            lines.append(value instanceof Number ? Tables.figure(((Number) value).doubleValue(), 4) : value);
        }
        if (!bundle.quality.isEmpty()) {
            line(card, ui.soft(0), lines.toString());
        }
        if (!bundle.verified) {
            TextView warning = ui.body(R.string.bundles_unverified);
            warning.setTextColor(ui.color(R.color.bad));
            card.addView(warning);
        }
    }

    private void verdict(LinearLayout card) {
        boolean passed = work.verification().passed();
        TextView verdict = ui.body(passed ? R.string.bundles_verified : R.string.bundles_failed);
        verdict.setTextColor(ui.color(passed ? R.color.good : R.color.bad));
        card.addView(verdict);
        for (Verification.Verdict check : work.verification().verdicts) {
            line(card, ui.soft(0), "• " + check.words() + (check.passed() ? "" : ": FAILED"));
        }
    }

    private View buttons(final Summary bundle) {
        LinearLayout row = ui.row();
        Button verify = ui.button(R.string.bundles_verify, new View.OnClickListener() {
            @Override
            public void onClick(View view) {
                work.verify(bundle.bundle);
            }
        });
        verify.setContentDescription(
                activity.getString(R.string.bundles_verify) + ": " + bundle.title + ". "
                        + activity.getString(R.string.bundles_verify_about));
        verify.setEnabled(!work.busy());
        row.addView(verify, ui.wide());
        if (!bundle.builtIn) {
            Button delete = ui.button(R.string.bundles_delete, new View.OnClickListener() {
                @Override
                public void onClick(View view) {
                    ask(bundle);
                }
            });
            delete.setContentDescription(activity.getString(R.string.bundles_delete) + ": " + bundle.title);
            delete.setEnabled(!work.busy());
            row.addView(delete, ui.wide());
        }
        return row;
    }

    private void ask(final Summary bundle) {
        new AlertDialog.Builder(activity)
                .setMessage(activity.getString(R.string.bundles_delete_question, bundle.toString()))
                .setNegativeButton(R.string.bundles_delete_no, null)
                .setPositiveButton(R.string.bundles_delete, new DialogInterface.OnClickListener() {
                    @Override
                    public void onClick(DialogInterface dialog, int which) {
                        work.delete(bundle.bundle);
                    }
                })
                .show();
    }

    private void line(LinearLayout card, TextView view, String text) {
        view.setText(text);
        card.addView(view);
    }
}
