package satchel.ort;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OnnxTensorLike;
import ai.onnxruntime.OnnxValue;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.Map;

/**
 * What {@code OrtSession.run} does with the same tensors each time, without making its arrays and maps anew: those
 * of a decoder of 30 layers are 7 KB for every token. It enters the native method below the public one, where a
 * version of the Java API has it in the form that is known; elsewhere there is none, and {@link Call} goes the
 * public way.
 */
final class QuickCall {
    private static final Members MEMBERS = Members.found();
    private static final int OPTIONS = 10; // their place among the arguments

    private final OrtSession session;
    private final Object[] arguments;
    private OrtSession.RunOptions last;

    private QuickCall(OrtSession session, Object[] arguments) {
        this.session = session;
        this.arguments = arguments;
    }

    /** A call that reads and writes these tensors; null where the Java API lacks what it takes. */
    static QuickCall of(OrtSession session, Map<String, OnnxTensor> inputs, Map<String, OnnxTensor> pinned) {
        if (MEMBERS == null || !session.getInputNames().containsAll(inputs.keySet())
                || !session.getOutputNames().containsAll(pinned.keySet())) {
            return null; // the public way says what is wrong with names
        }
        try {
            Object[] arguments = {
                MEMBERS.api.get(null),
                MEMBERS.session.get(session),
                MEMBERS.allocatorHandle.get(MEMBERS.allocator.get(session)),
                inputs.keySet().toArray(new String[0]),
                handles(inputs),
                (long) inputs.size(),
                pinned.keySet().toArray(new String[0]),
                (long) pinned.size(),
                pinned.values().toArray(new OnnxValue[0]),
                handles(pinned),
                0L
            };
            return new QuickCall(session, arguments);
        } catch (IllegalAccessException error) {
            return null;
        }
    }

    void run(OrtSession.RunOptions options) throws OrtException {
        try {
            if (options != last) {
                arguments[OPTIONS] = MEMBERS.options.get(options);
                last = options;
            }
            MEMBERS.run.invoke(session, arguments);
        } catch (InvocationTargetException error) {
            Throwable cause = error.getCause();
            if (cause instanceof OrtException) {
                throw (OrtException) cause;
            }
            if (cause instanceof Error) {
                throw (Error) cause;
            }
            throw new IllegalStateException(cause);
        } catch (IllegalAccessException error) {
            throw new IllegalStateException(error);
        }
    }

    private static long[] handles(Map<String, OnnxTensor> tensors) throws IllegalAccessException {
        long[] handles = new long[tensors.size()];
        int count = 0;
        for (OnnxTensor tensor : tensors.values()) {
            handles[count++] = MEMBERS.tensor.getLong(tensor);
        }
        return handles;
    }

    /** The members that are not public. */
    private static final class Members {
        private static final Class<?>[] ARGUMENTS = {
            long.class, long.class, long.class, String[].class, long[].class, long.class, String[].class,
            long.class, OnnxValue[].class, long[].class, long.class
        };

        final Method run;
        final Field api;
        final Field session;
        final Field allocator;
        final Field allocatorHandle;
        final Field options;
        final Field tensor;

        private Members() throws ReflectiveOperationException {
            run = OrtSession.class.getDeclaredMethod("run", ARGUMENTS);
            run.setAccessible(true);
            if (run.getReturnType() != boolean[].class) {
                throw new NoSuchMethodException();
            }
            ClassLoader loader = OrtEnvironment.class.getClassLoader();
            api = handle(Class.forName("ai.onnxruntime.OnnxRuntime", true, loader), "ortApiHandle");
            session = handle(OrtSession.class, "nativeHandle");
            allocator = OrtSession.class.getDeclaredField("allocator");
            allocator.setAccessible(true);
            allocatorHandle = handle(allocator.getType(), "handle");
            options = handle(OrtSession.RunOptions.class, "nativeHandle");
            tensor = handle(OnnxTensorLike.class, "nativeHandle");
        }

        static Members found() {
            try {
                return new Members();
            } catch (ReflectiveOperationException error) {
                return null;
            } catch (RuntimeException error) { // of a module that is closed
                return null;
            }
        }

        private static Field handle(Class<?> owner, String name) throws NoSuchFieldException {
            Field field = owner.getDeclaredField(name);
            field.setAccessible(true);
            if (field.getType() != long.class) {
                throw new NoSuchFieldException(name);
            }
            return field;
        }
    }
}
