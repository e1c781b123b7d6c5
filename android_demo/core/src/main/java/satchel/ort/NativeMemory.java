package satchel.ort;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.io.ByteArrayOutputStream;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.Charset;
import java.util.Collections;
import satchel.SatchelException;

/**
 * Bytes outside the Java heap.
 *
 * <p>Android counts a direct buffer as Java heap, of which an app has little, and a JVM gives one back only when
 * it happens to collect it. So large memory is ONNX Runtime's own: the output of a graph of one node, which is
 * there until it is closed. A view of its bytes has no public name in the Java API; where a version lacks the
 * private one, direct buffers serve.
 */
final class NativeMemory {
    private static final long LARGE = 1 << 16;
    private static final long LARGEST = Integer.MAX_VALUE - 64; // bytes that a buffer can show
    private static final Method VIEW = view();
    private static OrtSession maker;

    /** The zeros, in native order. */
    final ByteBuffer buffer;

    private final OnnxTensor owner; // null: the buffer's

    private NativeMemory(ByteBuffer buffer, OnnxTensor owner) {
        this.buffer = buffer.order(ByteOrder.nativeOrder());
        this.owner = owner;
    }

    /** So many bytes, all zero. Throws OUT_OF_MEMORY. */
    static NativeMemory zeros(long size) {
        if (size > LARGEST) {
            throw SatchelException.limit("no memory for a tensor of " + (size >> 20) + " MB", "OUT_OF_MEMORY");
        }
        try {
            if (VIEW == null || size < LARGE) {
                return new NativeMemory(ByteBuffer.allocateDirect((int) size), null);
            }
            return made(size);
        } catch (OrtException error) {
            throw Environment.converted(error, "making room for a tensor of " + (size >> 20) + " MB");
        } catch (OutOfMemoryError error) {
            throw SatchelException.limit("no memory for a tensor of " + (size >> 20) + " MB", "OUT_OF_MEMORY");
        }
    }

    /** The bytes of a tensor that ONNX Runtime allocated: a view where that can be had, else a copy. */
    static ByteBuffer bytesOf(OnnxTensor tensor) {
        ByteBuffer bytes = viewed(tensor);
        return (bytes == null ? tensor.getByteBuffer() : bytes).order(ByteOrder.nativeOrder());
    }

    void close() {
        if (owner != null) {
            owner.close();
        }
    }

    private static NativeMemory made(long size) throws OrtException {
        OrtEnvironment environment = Environment.get();
        ByteBuffer shape = ByteBuffer.allocateDirect(8).order(ByteOrder.nativeOrder());
        shape.asLongBuffer().put(0, size);
        OnnxTensor input = OnnxTensor.createTensor(environment, shape.asLongBuffer(), new long[] {1});
        try {
            OrtSession.Result made = maker(environment).run(Collections.singletonMap("size", input));
            OnnxTensor owner = (OnnxTensor) made.get(0);
            ByteBuffer bytes = viewed(owner);
            if (bytes != null && bytes.capacity() == size) {
                return new NativeMemory(bytes, owner);
            }
            owner.close();
            return new NativeMemory(ByteBuffer.allocateDirect((int) size), null);
        } finally {
            input.close();
        }
    }

    private static synchronized OrtSession maker(OrtEnvironment environment) throws OrtException {
        if (maker == null) {
            OrtSession.SessionOptions options = new OrtSession.SessionOptions();
            try {
                options.setIntraOpNumThreads(1);
                options.setCPUArenaAllocator(false); // what is closed goes back to the system
                options.setMemoryPatternOptimization(false);
                maker = environment.createSession(graph(), options);
            } finally {
                options.close();
            }
        }
        return maker;
    }

    private static Method view() {
        try {
            Method method = OnnxTensor.class.getDeclaredMethod("getBuffer");
            method.setAccessible(true);
            return ByteBuffer.class.equals(method.getReturnType()) ? method : null;
        } catch (NoSuchMethodException error) {
            return null;
        } catch (RuntimeException error) { // of a module that is closed
            return null;
        }
    }

    private static ByteBuffer viewed(OnnxTensor tensor) {
        if (VIEW == null) {
            return null;
        }
        try {
            ByteBuffer bytes = (ByteBuffer) VIEW.invoke(tensor);
            return bytes != null && bytes.isDirect() ? bytes : null;
        } catch (ReflectiveOperationException error) {
            return null;
        }
    }

    /** A model of one node, ConstantOfShape: "size" int64 [1] in, as many int8 zeros out. */
    private static byte[] graph() {
        byte[] zero = message(number(1, 1), number(2, 3), field(9, new byte[1])); // int8 [1]
        byte[] attribute = message(field(1, utf8("value")), field(5, zero), number(20, 4));
        byte[] node = message(
                field(1, utf8("size")),
                field(2, utf8("zeros")),
                field(4, utf8("ConstantOfShape")),
                field(5, attribute));
        byte[] one = message(field(1, number(1, 1)));
        byte[] any = message(field(1, field(2, utf8("n"))));
        byte[] graph = message(
                field(1, node),
                field(2, utf8("zeros")),
                field(11, port("size", 7, one)),
                field(12, port("zeros", 3, any)));
        return message(number(1, 8), field(7, graph), field(8, number(2, 13))); // opset 13
    }

    private static byte[] port(String name, int type, byte[] shape) {
        byte[] tensor = message(number(1, type), field(2, shape));
        return message(field(1, utf8(name)), field(2, field(1, tensor)));
    }

    /** A field of a message of protocol buffers: a number. */
    private static byte[] number(int tag, int value) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        varint(out, tag << 3);
        varint(out, value);
        return out.toByteArray();
    }

    /** A field of a message of protocol buffers: bytes, a text or another message. */
    private static byte[] field(int tag, byte[] content) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        varint(out, tag << 3 | 2);
        varint(out, content.length);
        out.write(content, 0, content.length);
        return out.toByteArray();
    }

    private static byte[] message(byte[]... fields) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (byte[] field : fields) {
            out.write(field, 0, field.length);
        }
        return out.toByteArray();
    }

    private static void varint(ByteArrayOutputStream out, int value) {
        while (value >= 128) {
            out.write(value & 127 | 128);
            value >>>= 7;
        }
        out.write(value);
    }

    private static byte[] utf8(String text) {
        return text.getBytes(Charset.forName("UTF-8"));
    }
}
