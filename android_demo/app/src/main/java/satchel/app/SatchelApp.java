package satchel.app;

import android.app.Application;
import android.content.ComponentCallbacks2;
import android.system.ErrnoException;
import android.system.Os;
import java.io.File;
import satchel.app.files.BundleStore;
import satchel.app.phone.PhoneDisk;
import satchel.app.work.Works;

/** What lives as long as the process: the bundles, the models' thread, and what each screen is at. */
public final class SatchelApp extends Application {
    // Here and not in onCreate: ONNX Runtime reads both when its library is loaded, and nothing of this process runs
    // before its Application class.
    static {
        try {
            Os.setenv("ORT_DISABLE_TELEMETRY", "1", true);
            Os.setenv("ORT_GQA_DISABLE_FLASH_ATTENTION", "1", true);
        } catch (ErrnoException error) {
            throw new IllegalStateException(error);
        }
    }

    private Works works;

    @Override
    public void onCreate() {
        super.onCreate();
        works = new Works(this, new BundleStore(new File(getNoBackupFilesDir(), "bundles"), new PhoneDisk()));
    }

    /** What the screens work on. */
    public Works works() {
        return works;
    }

    @Override
    public void onTrimMemory(int level) {
        super.onTrimMemory(level);
        if (level >= ComponentCallbacks2.TRIM_MEMORY_UI_HIDDEN) { // the levels below come while the app is seen
            works.engine.closeModel();
        }
    }
}
