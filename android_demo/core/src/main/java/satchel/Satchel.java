package satchel;

import java.io.File;
import java.nio.file.Path;
import satchel.bundle.Bundle;
import satchel.ort.Sessions;

/** Bundle on disk to a model that an app holds. Opens no socket, writes nothing. */
public final class Satchel {
    private Satchel() {}

    /** As {@link #load(File, int)}, with as many threads as there are big cores. */
    public static Model load(File bundle) {
        return load(bundle, 0);
    }

    public static Model load(Path bundle) {
        return load(bundle.toFile());
    }

    /**
     * Opens a bundle, checks every file against its manifest, and makes it ready to run: DecoderModel, Seq2seqModel,
     * EncoderModel or SpeechModel. Threads 0 means as many as there are big cores. Raises BUNDLE and its like with the
     * file and what is wrong with it.
     */
    public static Model load(File folder, int threads) {
        Bundle bundle = Bundle.open(folder);
        Sessions sessions = new Sessions(bundle, threads);
        Model model;
        try {
            model = made(bundle, sessions);
        } catch (RuntimeException error) {
            bundle.awaitChecks(); // a damaged file is why, where there is one
            throw error;
        } catch (Error error) {
            bundle.awaitChecks();
            throw error;
        } finally {
            sessions.close();
        }
        try {
            bundle.awaitChecks();
        } catch (RuntimeException error) {
            model.close();
            throw error;
        }
        return model;
    }

    private static Model made(Bundle bundle, Sessions sessions) {
        if (bundle.manifest.speech != null) {
            return new SpeechModel(bundle, sessions);
        }
        if (bundle.manifest.family.equals("decoder")) {
            return new DecoderModel(bundle, sessions);
        }
        if (bundle.manifest.family.equals("encoder")) {
            return new EncoderModel(bundle, sessions);
        }
        return new Seq2seqModel(bundle, sessions); // rules know no other family
    }
}
