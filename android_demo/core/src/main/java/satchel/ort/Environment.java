package satchel.ort;

import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtEpDevice;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtLoggingLevel;
import satchel.SatchelException;

/**
 * ONNX Runtime as this process has it, and its errors as ours.
 *
 * <p>Two of its switches are read from the environment, which a JVM cannot change: whoever starts it sets them.
 * On Android an Application class does so with Os.setenv, before anything else loads ONNX Runtime.
 */
final class Environment {
    private static final String TELEMETRY = "ORT_DISABLE_TELEMETRY";
    private static final String FLASH = "ORT_GQA_DISABLE_FLASH_ATTENTION";
    private static final int MESSAGE = 360;

    private Environment() {}

    /** The one environment. Refuses to load a library that would send telemetry. */
    static OrtEnvironment get() {
        if (!"1".equals(System.getenv(TELEMETRY))) {
            throw SatchelException.usage(
                    "ONNX Runtime may send telemetry: set " + TELEMETRY
                            + "=1 in the environment before this program starts",
                    "TELEMETRY");
        }
        try {
            return OrtEnvironment.getEnvironment(OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL, "satchel");
        } catch (LinkageError error) { // also what a static initialiser throws
            Throwable cause = error.getCause() == null ? error : error.getCause();
            throw SatchelException.error(
                    "ONNX Runtime cannot be loaded: " + SatchelException.shown(text(cause), MESSAGE), "ORT");
        }
    }

    /**
     * The version of the native library, as its own provider tells it; where none does, that of the Java layer,
     * which may have been made for another.
     */
    static String version() {
        OrtEnvironment environment = get();
        try {
            for (OrtEpDevice device : environment.getEpDevices()) {
                String version = device.getEpMetadata().get("version");
                if (device.getEpName().equals("CPUExecutionProvider") && version != null) {
                    return version;
                }
            }
        } catch (OrtException error) {
            return environment.getVersion();
        } catch (LinkageError error) { // an older Java layer
            return environment.getVersion();
        }
        return environment.getVersion();
    }

    /**
     * Refuses where flash attention is not off. With more threads than heads it adds up the parts of a long text
     * in another order for a step than for a prefill, and a step would not be what a prefill is.
     */
    static void checkAttention() {
        if (!"1".equals(System.getenv(FLASH))) {
            throw SatchelException.usage(
                    "a step would differ from a prefill: set " + FLASH
                            + "=1 in the environment before this program starts");
        }
    }

    static boolean onAndroid() {
        return "The Android Project".equals(System.getProperty("java.vendor"));
    }

    /** What ONNX Runtime throws, as one line of ours. */
    static SatchelException converted(Throwable error, String doing) {
        if (error instanceof SatchelException) {
            return (SatchelException) error;
        }
        String text = text(error);
        if (error instanceof OutOfMemoryError
                || text.contains("bad_alloc")
                || text.contains("Failed to allocate memory")) {
            return SatchelException.limit("out of memory while " + doing, "OUT_OF_MEMORY");
        }
        return SatchelException.bundle(
                "ONNX Runtime failed while " + doing + ": " + SatchelException.shown(text, MESSAGE), "ORT", error);
    }

    private static String text(Throwable error) {
        String message = error.getMessage();
        if (message == null) {
            return error.getClass().getSimpleName();
        }
        // Its Java layer says the number of an error before the error.
        String mark = " - message: ";
        int start = error instanceof OrtException ? message.indexOf(mark) : -1;
        return start < 0 ? message : message.substring(start + mark.length());
    }
}
