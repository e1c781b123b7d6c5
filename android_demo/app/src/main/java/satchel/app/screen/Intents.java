package satchel.app.screen;

import android.app.Activity;
import android.content.ActivityNotFoundException;
import android.content.Intent;
import android.widget.Toast;

/** What is asked of other apps: documents, and to pass a text on. */
final class Intents {
    /** A page's requests begin here; the page's place among them is that of {@link satchel.app.MainActivity}. */
    static final int SEARCH = 200;

    static final int BUNDLES = 300;

    private Intents() {}

    /** A document of a type. */
    static Intent document(String type, String... others) {
        Intent intent = new Intent(Intent.ACTION_OPEN_DOCUMENT);
        intent.addCategory(Intent.CATEGORY_OPENABLE);
        intent.setType(type);
        if (others.length > 0) {
            intent.putExtra(Intent.EXTRA_MIME_TYPES, others);
        }
        return intent;
    }

    /** A text for another app. */
    static Intent sharing(String subject, String text) {
        Intent intent = new Intent(Intent.ACTION_SEND);
        intent.setType("text/plain");
        intent.putExtra(Intent.EXTRA_SUBJECT, subject);
        intent.putExtra(Intent.EXTRA_TEXT, text);
        return Intent.createChooser(intent, subject);
    }

    /** Asks, if anybody is there to answer. */
    static void choose(Activity activity, Intent intent, int request) {
        try {
            activity.startActivityForResult(intent, request);
        } catch (ActivityNotFoundException error) {
            Toast.makeText(activity, String.valueOf(error.getMessage()), Toast.LENGTH_LONG).show();
        }
    }
}
