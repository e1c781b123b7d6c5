package satchel.ort;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.TensorInfo;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import satchel.SatchelException;

/**
 * Numbers for a graph or of one, in memory outside the Java heap. Whoever has made one, or was given it by
 * {@link Session#run}, closes it.
 */
public final class Tensor implements AutoCloseable {
    final OnnxTensor value;
    private final String dtype;
    private final long[] shape;
    private final NativeMemory memory; // null where another tensor or ONNX Runtime has it
    private ByteBuffer buffer;
    private boolean closed;

    private Tensor(OnnxTensor value, String dtype, long[] shape, ByteBuffer buffer, NativeMemory memory) {
        this.value = value;
        this.dtype = dtype;
        this.shape = shape;
        this.buffer = buffer;
        this.memory = memory;
    }

    /** What a graph has given. */
    Tensor(OnnxTensor value) {
        this(value, dtypeOf(value.getInfo()), value.getInfo().getShape(), null, null);
    }

    /** A copy of the data, int64. */
    public static Tensor longs(long[] data, long... shape) {
        Tensor made = zeros("int64", checked(data.length, shape));
        made.buffer.asLongBuffer().put(data);
        return made;
    }

    /** A copy of the data, int32. */
    public static Tensor ints(int[] data, long... shape) {
        Tensor made = zeros("int32", checked(data.length, shape));
        made.buffer.asIntBuffer().put(data);
        return made;
    }

    /** A copy of the data, float32. */
    public static Tensor floats(float[] data, long... shape) {
        Tensor made = zeros("float32", checked(data.length, shape));
        made.buffer.asFloatBuffer().put(data);
        return made;
    }

    /** Zeros of float32, int8, int32 or int64, to be written through {@link #buffer}. Throws OUT_OF_MEMORY. */
    public static Tensor zeros(String dtype, long... shape) {
        NativeMemory memory = NativeMemory.zeros(count(shape) * width(dtype));
        try {
            return new Tensor(over(memory.buffer, dtype, shape), dtype, shape.clone(), memory.buffer, memory);
        } catch (RuntimeException error) {
            memory.close();
            throw error;
        }
    }

    /** A tensor over bytes of this one's memory, from `offset` on; good until this one is closed. */
    public Tensor view(String dtype, long offset, long... shape) {
        long size = count(shape) * width(dtype);
        if (offset < 0 || offset + size > buffer().capacity()) {
            throw new IndexOutOfBoundsException("a view of " + size + " bytes at " + offset);
        }
        ByteBuffer part = buffer.duplicate();
        part.position((int) offset);
        part.limit((int) (offset + size));
        part = part.slice().order(ByteOrder.nativeOrder());
        return new Tensor(over(part, dtype, shape), dtype, shape.clone(), part, null);
    }

    public long[] shape() {
        return shape.clone();
    }

    /** float32, int8, int32 or int64. */
    public String dtype() {
        return dtype;
    }

    /** The bytes, in native order: what is written here a graph reads, and the other way round. */
    public ByteBuffer buffer() {
        if (buffer == null) {
            buffer = NativeMemory.bytesOf(value);
        }
        return buffer;
    }

    /** A copy of the numbers, which are float32. */
    public float[] toFloats() {
        float[] numbers = new float[(int) count(shape)];
        ByteBuffer bytes = buffer().duplicate().order(ByteOrder.nativeOrder());
        bytes.rewind();
        bytes.asFloatBuffer().get(numbers);
        return numbers;
    }

    /** Gives back the tensor and, unless it is a view, its memory. */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        value.close();
        if (memory != null) {
            memory.close();
        }
    }

    /** Bytes of a number. */
    public static int width(String dtype) {
        if (dtype.equals("float32") || dtype.equals("int32")) {
            return 4;
        }
        if (dtype.equals("int64")) {
            return 8;
        }
        if (dtype.equals("int8")) {
            return 1;
        }
        throw new IllegalArgumentException("no tensor of " + dtype);
    }

    /** The name of a type as manifests have it; that of ONNX Runtime where they have none. */
    static String dtypeOf(TensorInfo info) {
        switch (info.type) {
            case FLOAT:
                return "float32";
            case INT64:
                return "int64";
            case INT32:
                return "int32";
            case INT8:
                return "int8";
            default:
                return info.type.toString();
        }
    }

    private static OnnxTensor over(ByteBuffer bytes, String dtype, long[] shape) {
        OrtEnvironment environment = Environment.get();
        try {
            if (dtype.equals("float32")) {
                return OnnxTensor.createTensor(environment, bytes.asFloatBuffer(), shape);
            }
            if (dtype.equals("int64")) {
                return OnnxTensor.createTensor(environment, bytes.asLongBuffer(), shape);
            }
            if (dtype.equals("int32")) {
                return OnnxTensor.createTensor(environment, bytes.asIntBuffer(), shape);
            }
            return OnnxTensor.createTensor(environment, bytes, shape); // int8
        } catch (OrtException error) {
            throw Environment.converted(error, "making a tensor");
        }
    }

    private static long[] checked(int count, long[] shape) {
        if (count(shape) != count) {
            throw new IllegalArgumentException(count + " numbers for a tensor of " + Arrays.toString(shape));
        }
        return shape;
    }

    private static long count(long[] shape) {
        long count = 1;
        for (long axis : shape) {
            if (axis < 0 || (axis > 0 && count > (1L << 40) / axis)) {
                throw SatchelException.limit("no memory for a tensor of " + Arrays.toString(shape), "OUT_OF_MEMORY");
            }
            count *= axis;
        }
        return count;
    }
}
