package satchel.cli;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import satchel.Cancel;

/**
 * Ctrl-C stops a generation in place of the program, on a JVM that lets it: signals are no part of Java, so that they
 * are looked for by name.
 */
final class Interrupt {
    private Object before;
    private Object signal;

    private Interrupt() {}

    static Interrupt stopping(final Cancel cancel) {
        Interrupt interrupt = new Interrupt();
        InvocationHandler handler = new InvocationHandler() {
            @Override
            public Object invoke(Object proxy, Method method, Object[] arguments) {
                if (method.getName().equals("handle")) {
                    cancel.cancel();
                }
                return null;
            }
        };
        try {
            Class<?> kind = Class.forName("sun.misc.SignalHandler");
            Class<?>[] kinds = {kind};
            Object made = Proxy.newProxyInstance(Interrupt.class.getClassLoader(), kinds, handler);
            interrupt.signal = Class.forName("sun.misc.Signal").getConstructor(String.class).newInstance("INT");
            interrupt.before = interrupt.set(made);
        } catch (ReflectiveOperationException ignored) {
            interrupt.signal = null; // Ctrl-C ends the program, as it does by itself
        } catch (IllegalArgumentException ignored) {
            interrupt.signal = null;
        }
        return interrupt;
    }

    /** Ctrl-C is again what it was. */
    void end() {
        try {
            if (signal != null) {
                set(before);
            }
        } catch (ReflectiveOperationException ignored) {
            // It was possible a moment ago.
        }
    }

    private Object set(Object handler) throws ReflectiveOperationException {
        Class<?> kind = Class.forName("sun.misc.SignalHandler");
        Method handle = Class.forName("sun.misc.Signal").getMethod("handle", signal.getClass(), kind);
        return handle.invoke(null, signal, handler);
    }
}
