package satchel.app.phone;

import android.content.res.AssetManager;
import java.io.IOException;
import java.io.InputStream;
import satchel.app.files.BundleSource;
import satchel.app.files.Digest;

/** A bundle that came with the app. Assets have no path, and a model is opened by one: so they are copied once. */
public final class AssetSource implements BundleSource {
    private final AssetManager assets;
    private final String folder;

    public AssetSource(AssetManager assets, String folder) {
        this.assets = assets;
        this.folder = folder;
    }

    /** The name that the bundle has once it is installed. */
    public String name() throws IOException {
        InputStream manifest = assets.open(folder + "/manifest.json");
        try {
            return Digest.of(manifest);
        } finally {
            manifest.close();
        }
    }

    @Override
    public void copyTo(Receiver receiver) throws IOException {
        String[] names = assets.list(folder);
        if (names == null || names.length == 0) {
            throw new IOException("the app has no " + folder);
        }
        for (String name : names) {
            InputStream content = assets.open(folder + "/" + name);
            try {
                receiver.file(name, content);
            } finally {
                content.close();
            }
        }
    }
}
