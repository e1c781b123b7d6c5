package satchel.decoder;

import static org.junit.Assume.assumeTrue;

import java.io.File;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import satchel.SatchelException;
import satchel.bundle.Bundle;
import satchel.ort.Session;

/** The good bundles with a decoder in the folder that the property satchel.bundles names. */
final class Bundles {
    private Bundles() {}

    /** Those of a family, at least one; else the test is skipped and says why. */
    static List<Bundle> of(String family) {
        for (String name : new String[] {"ORT_DISABLE_TELEMETRY", "ORT_GQA_DISABLE_FLASH_ATTENTION"}) {
            assumeTrue(name + "=1 is not in the environment", "1".equals(System.getenv(name)));
        }
        String place = System.getProperty("satchel.bundles", "");
        assumeTrue("satchel.bundles names no folder", !place.isEmpty());
        File[] folders = new File(place).listFiles();
        assumeTrue(place + " is no folder", folders != null);
        Arrays.sort(folders);
        List<Bundle> bundles = new ArrayList<Bundle>();
        for (File folder : folders) {
            try {
                Bundle bundle = Bundle.open(folder);
                bundle.awaitChecks();
                if (bundle.manifest.family.equals(family) && bundle.manifest.speech == null) {
                    bundles.add(bundle);
                }
            } catch (SatchelException error) {
                continue; // other tests are about those
            }
        }
        assumeTrue("no bundle of the family " + family + " in " + place, !bundles.isEmpty());
        return bundles;
    }

    /** A session, unless the native library is too old for it. */
    static Session open(Bundle bundle, String role) {
        try {
            return Session.open(bundle, role, 2);
        } catch (SatchelException error) {
            assumeTrue(error.getMessage(), !error.code.equals("ORT_TOO_OLD"));
            throw error;
        }
    }
}
