// Computations without the GIL: how they call Python, and how they end when the interpreter does.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "bindings.h"
#ifndef _WIN32
#include <pthread.h>
#endif

namespace fastmlp {

inline std::atomic<bool> interpreter_ends{false};
inline std::atomic<int> computations{0};
inline std::atomic<unsigned> forked{0};            // how many times this process was made by a fork
inline std::atomic<unsigned long> main_thread{0};  // its identifier; 0: to be asked for

// Releases the GIL and counts the computation until it holds the GIL again.
class WithoutGil {
public:
    WithoutGil() = default;

private:
    struct Counted {
        Counted() {
            if (interpreter_ends) throw std::runtime_error("the interpreter is shutting down");
            ++computations;
        }
        ~Counted() { --computations; }
    };
    Counted counted_;
    py::gil_scoped_release release_;
};

// A forked child has none of the threads whose computations were under way, and another main thread. Called
// once.
inline void forget_computations_in_forks() {
#ifndef _WIN32
    pthread_atfork(nullptr, nullptr, [] {
        computations = 0;
        main_thread = 0;
        ++forked;
    });
#endif
}

// Registered with atexit: a daemon thread that asked for the GIL later would take the process down.
inline void end_computations() {
    constexpr std::chrono::milliseconds kPause{2};
    interpreter_ends = true;
    const py::gil_scoped_release release;
    for (int pauses = 0; computations > 0 && pauses < 1000; ++pauses) std::this_thread::sleep_for(kPause);
}

// Runs Python from inside a computation; an exception is kept and stops the computation.
class PythonCalls {
public:
    // Calls work(); true if it says so or raises.
    template <class Work>
    bool stops(Work work) {
        if (interpreter_ends) return true;
        const py::gil_scoped_acquire gil;
        const unsigned before = forked;
        try {
            const bool stop = work();
            // A child has the thread alone that forked it. Where that is a thread of the core's, which has
            // nothing of Python's to return to, it ends, and with it the child, as other threads' do.
            if (forked != before && std::this_thread::get_id() != caller_) std::_Exit(0);
            return stop;
        } catch (py::error_already_set& error) {
            exception_ = error.value();
        } catch (const py::builtin_exception& error) {
            error.set_error();
            exception_ = py::error_already_set().value();
        } catch (const std::exception& error) {
            PyErr_SetString(PyExc_RuntimeError, error.what());
            exception_ = py::error_already_set().value();
        }
        return raised_ = true;
    }

    // What a monitor asks; call it with the GIL. Only the main thread hears signals, so only there the GIL is
    // taken for them.
    std::function<bool()> interrupted() {
        if (!on_main_thread()) return [] { return interpreter_ends.load(); };
        return [this] {
            return stops([] {
                if (PyErr_CheckSignals() != 0) throw py::error_already_set();
                return false;
            });
        };
    }

    py::object exception() const { return exception_; }
    bool raised() const { return raised_; }
    void rethrow() const {
        if (raised_) {
            PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exception_.ptr())), exception_.ptr());
            throw py::error_already_set();
        }
        if (interpreter_ends) throw std::runtime_error("the interpreter is shutting down");
    }

private:
    static bool on_main_thread() {
        if (main_thread == 0)
            main_thread =
                py::module_::import("threading").attr("main_thread")().attr("ident").cast<unsigned long>();
        return PyThread_get_thread_ident() == main_thread;
    }

    const std::thread::id caller_ = std::this_thread::get_id();
    py::object exception_ = py::none();
    bool raised_ = false;
};

// Calls work(monitor) without the GIL; work polls the monitor now and then and ends after an interrupt. Then
// what a signal raised is thrown.
template <class Work>
void interruptible(Work work) {
    PythonCalls python;
    Monitor monitor(python.interrupted());
    {
        const WithoutGil released;
        work(monitor);
    }
    python.rethrow();
}

}  // namespace fastmlp
