// The core in use, how it was built, random permutations, and how the interpreter's end is met.
#include "bindings.h"
#include "core/base/random.h"
#include "python_calls.h"

namespace fastmlp {

namespace {

std::atomic<const Core*> in_use{nullptr};

py::dict build_config() {
    using namespace py::literals;
    const BuildConfig& build = core_in_use().build;
    return py::dict("isa"_a = build.isa, "compiler"_a = build.compiler, "flags"_a = build.flags,
                    "eigen"_a = build.eigen, "simd"_a = build.simd, "openmp"_a = build.openmp,
                    "bfloat16"_a = build.bfloat16,
                    "tile"_a = py::make_tuple(build.tile_rows, build.tile_columns));
}

template <class T>
Index first_nonfinite(const Array<T>& x, int threads) {
    const T* const data = x.data();
    const Index size = x.size();
    return core_in_use().of<T>().first_nonfinite(data, size, threads);
}

// Copies an array into another one of the same size.
template <class T>
void copy(const Array<T>& from, Array<T> to, int threads) {
    if (from.size() != to.size()) throw py::value_error("arrays must have the same size");
    core_in_use().of<T>().copy(from.data(), from.size(), to.mutable_data(), threads);
}

Array<std::int64_t> random_order(std::uint64_t seed, std::uint32_t stream, std::uint32_t substream, Index n) {
    Array<std::int64_t> order(n);
    std::int64_t* const out = order.mutable_data();
    interruptible([&](Monitor& monitor) {
        permutation(seed, Stream(stream), substream, out, n, [&monitor] {
            monitor.poll();
            return monitor.interrupted();
        });
    });
    return order;
}

}  // namespace

const Core& core_in_use() {
    const Core* const core = in_use;
    if (!core) throw std::runtime_error("no instruction set has been chosen");
    return *core;
}

void bind_core(py::module_& m) {
    m.def(
        "use_core",
        [](const py::capsule& core) {
            void* const table = PyCapsule_GetPointer(core.ptr(), kCoreCapsule);
            if (!table) throw py::error_already_set();
            in_use = static_cast<const Core*>(table);
        },
        py::arg("core"));
    m.def("build_config", build_config);
    m.def("openmp_threads", [] { return core_in_use().openmp_threads(); });
    m.def("openmp_processors", [] { return core_in_use().openmp_processors(); });
    m.def("set_exact_threads", [](bool exact) { core_in_use().set_exact_threads(exact); }, py::arg("exact"));
    const auto x = py::arg("x").noconvert(), from = py::arg("source").noconvert(),
               to = py::arg("into").noconvert();
    m.def("first_nonfinite", first_nonfinite<float>, x, py::arg("threads") = 1);
    m.def("first_nonfinite", first_nonfinite<double>, x, py::arg("threads") = 1);
    m.def("copy", copy<float>, from, to, py::arg("threads") = 1);
    m.def("copy", copy<double>, from, to, py::arg("threads") = 1);
    forget_computations_in_forks();
    py::module_::import("atexit").attr("register")(py::cpp_function(end_computations));
}

void bind_random(py::module_& m) {
    m.attr("SPLIT_STREAM") = std::uint32_t(Stream::split);
    m.attr("BLOCK_STREAM") = std::uint32_t(Stream::blocks);
    m.def("permutation", random_order, py::arg("seed"), py::arg("stream"), py::arg("substream"),
          py::arg("n"));
}

}  // namespace fastmlp
