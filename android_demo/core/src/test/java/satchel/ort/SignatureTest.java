package satchel.ort;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.fail;

import org.junit.Test;
import satchel.SatchelException;

public class SignatureTest {
    @Test
    public void versionsThatAreNewEnough() {
        Signature.checkVersion("1.30.0", "1.30");
        Signature.checkVersion("1.31.1", "1.30.2");
        Signature.checkVersion("2.0", "1.30");
        Signature.checkVersion("1.100.0", "1.30");
    }

    @Test
    public void versionsThatAreTooOld() {
        refused("1.29.0", "1.30");
        refused("1.9.1", "1.30");
        refused("0.40", "1.0");
    }

    private static void refused(String actual, String needed) {
        try {
            Signature.checkVersion(actual, needed);
        } catch (SatchelException error) {
            assertEquals("ORT_TOO_OLD", error.code);
            assertEquals(
                    "the bundle needs onnxruntime '" + needed + "', this is " + actual + ": update it",
                    error.getMessage());
            return;
        }
        fail("not refused");
    }
}
