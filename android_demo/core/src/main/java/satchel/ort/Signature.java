package satchel.ort;

import ai.onnxruntime.NodeInfo;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.TensorInfo;
import ai.onnxruntime.ValueInfo;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import satchel.SatchelException;
import satchel.bundle.Manifest;

/** What a manifest promises of a graph and of ONNX Runtime, beside what is there. */
final class Signature {
    private static final int DYNAMIC = -1;

    private Signature() {}

    /** Throws ORT_TOO_OLD where the library is older than what a bundle needs. */
    static void checkVersion(String actual, String needed) {
        long[] have = numbers(actual);
        long[] want = numbers(needed);
        if (have[0] < want[0] || (have[0] == want[0] && have[1] < want[1])) {
            throw SatchelException.bundle(
                    "the bundle needs onnxruntime " + SatchelException.shown(needed) + ", this is " + actual
                            + ": update it",
                    "ORT_TOO_OLD");
        }
    }

    /** Throws BUNDLE_IO where the inputs and outputs of a session are not those of the manifest. */
    static void check(OrtSession session, Manifest.Graph graph) throws OrtException {
        check("input", graph, graph.inputs, session.getInputInfo());
        check("output", graph, graph.outputs, session.getOutputInfo());
    }

    private static void check(
            String label, Manifest.Graph graph, List<Manifest.Port> promised, Map<String, NodeInfo> ports) {
        Map<String, NodeInfo> actual = new LinkedHashMap<String, NodeInfo>(ports);
        for (Manifest.Port port : promised) {
            NodeInfo other = actual.remove(port.name);
            String name = label + " " + SatchelException.shown(port.name);
            if (other == null) {
                throw SatchelException.bundle(graph.file + " has no " + name, "BUNDLE_IO");
            }
            if (!fits(port, other.getInfo())) {
                throw SatchelException.bundle(
                        graph.file + ": " + name + " is " + words(other.getInfo()) + ", the manifest says "
                                + port.dtype + " " + Arrays.toString(port.axes),
                        "BUNDLE_IO");
            }
        }
        if (!actual.isEmpty()) {
            throw SatchelException.bundle(
                    graph.file + " has an " + label + " "
                            + SatchelException.shown(actual.keySet().iterator().next())
                            + " that the manifest lacks",
                    "BUNDLE_IO");
        }
    }

    private static boolean fits(Manifest.Port port, ValueInfo info) {
        if (!(info instanceof TensorInfo) || !Tensor.dtypeOf((TensorInfo) info).equals(port.dtype)) {
            return false;
        }
        long[] shape = ((TensorInfo) info).getShape();
        if (shape.length != port.axes.length) {
            return false;
        }
        for (int axis = 0; axis < shape.length; ++axis) {
            Object size = port.axes[axis];
            if (shape[axis] != (size instanceof Number ? ((Number) size).longValue() : DYNAMIC)) {
                return false;
            }
        }
        return true;
    }

    private static String words(ValueInfo info) {
        if (!(info instanceof TensorInfo)) {
            return "no tensor";
        }
        TensorInfo tensor = (TensorInfo) info;
        return Tensor.dtypeOf(tensor) + " " + Arrays.toString(tensor.getShape());
    }

    /** Major and minor number of a version. */
    private static long[] numbers(String version) {
        long[] numbers = new long[2];
        String[] parts = version.split("\\.");
        for (int i = 0; i < Math.min(2, parts.length); ++i) {
            for (int at = 0; at < parts[i].length(); ++at) {
                char digit = parts[i].charAt(at);
                if (digit < '0' || digit > '9') {
                    break;
                }
                numbers[i] = numbers[i] * 10 + digit - '0';
            }
        }
        return numbers;
    }

    static String joined(Iterable<String> names) {
        StringBuilder out = new StringBuilder();
        for (String name : names) {
            out.append(out.length() == 0 ? "" : ", ").append(name);
        }
        return out.toString();
    }
}
