package satchel;

import static org.junit.Assert.fail;

import java.io.File;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.AfterClass;
import org.junit.Assume;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.junit.runners.Parameterized;
import satchel.conformance.CaseFile;
import satchel.conformance.Repeated;

/**
 * What Java answers beside what Python answers: a test for every bundle and kind of case in the folder of the system
 * property satchel.conformance, which `make test-jvm` fills. Without that there is nothing to compare.
 */
@RunWith(Parameterized.class)
public final class ConformanceTest {
    private static final String FOLDER = "satchel.conformance";
    private static File opened;
    private static Repeated repeated;

    private final File folder;
    private final String kind;

    public ConformanceTest(String name, String kind, File folder) {
        this.folder = folder;
        this.kind = kind;
    }

    @Parameterized.Parameters(name = "{0} {1}")
    public static List<Object[]> parts() throws IOException {
        List<Object[]> parts = new ArrayList<Object[]>();
        String place = System.getProperty(FOLDER, "");
        if (place.isEmpty()) {
            parts.add(new Object[] {"none", "none", null});
            return parts;
        }
        File[] folders = new File(place).listFiles();
        if (folders == null || folders.length == 0) {
            throw new IOException(place + " holds no bundles");
        }
        Arrays.sort(folders);
        for (File folder : folders) {
            for (String kind : CaseFile.read(new File(folder, "cases.json")).kinds()) {
                parts.add(new Object[] {folder.getName(), kind, folder});
            }
        }
        return parts;
    }

    @Test
    public void answersAsPython() throws IOException {
        Assume.assumeTrue("-D" + FOLDER + " names no folder", folder != null);
        if (!folder.equals(opened)) {
            close();
            repeated = new Repeated(folder);
            opened = folder;
        }
        String failures = repeated.failures(kind);
        if (failures != null) {
            fail(failures);
        }
    }

    @AfterClass
    public static void close() {
        if (repeated != null) {
            repeated.close();
        }
        repeated = null;
        opened = null;
    }
}
