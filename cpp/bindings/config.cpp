// How this module was built, random permutations, and small services to the Python layer.
#include "bindings.h"
#include "core/parallel.h"
#include "core/random.h"
#include "core/simd.h"
#include "python_calls.h"

#define FASTMLP_TEXT(x) #x
#define FASTMLP_TEXT_OF(x) FASTMLP_TEXT(x)

namespace fastmlp {

namespace {

#if defined(__clang__)
constexpr const char* kCompiler = "Clang " __clang_version__;
#elif defined(__GNUC__)
constexpr const char* kCompiler = "GCC " __VERSION__;
#elif defined(_MSC_VER)
constexpr const char* kCompiler = "MSVC " FASTMLP_TEXT_OF(_MSC_VER);
#else
constexpr const char* kCompiler = "unknown";
#endif

#ifdef _OPENMP
constexpr bool kOpenMp = true;
#else
constexpr bool kOpenMp = false;
#endif

py::dict build_config() {
    using namespace py::literals;
    return py::dict("isa"_a = FASTMLP_ISA_NAME, "compiler"_a = kCompiler, "flags"_a = FASTMLP_CXX_FLAGS,
                    "eigen"_a = FASTMLP_TEXT_OF(EIGEN_WORLD_VERSION) "." FASTMLP_TEXT_OF(
                        EIGEN_MAJOR_VERSION) "." FASTMLP_TEXT_OF(EIGEN_MINOR_VERSION),
                    "simd"_a = Eigen::SimdInstructionSetsInUse(), "openmp"_a = kOpenMp,
                    "tile"_a = py::make_tuple(tile_rows(kTileVectors), kTileVectors * kLanes<float>));
}

}  // namespace

void bind_config(py::module_& m) {
    m.def("build_config", build_config);
    m.def("openmp_threads", openmp_threads);
    m.def("set_exact_threads", set_exact_threads, py::arg("exact"));
    forget_computations_in_forks();
    py::module_::import("atexit").attr("register")(py::cpp_function(end_computations));
    m.def(
        "first_nonfinite", [](const Array<float>& x) { return first_nonfinite(x.data(), x.size()); },
        py::arg("x").noconvert());
    m.def(
        "first_nonfinite", [](const Array<double>& x) { return first_nonfinite(x.data(), x.size()); },
        py::arg("x").noconvert());
}

void bind_random(py::module_& m) {
    m.attr("SPLIT_STREAM") = std::uint32_t(Stream::split);
    m.attr("BLOCK_STREAM") = std::uint32_t(Stream::blocks);
    m.def(
        "permutation",
        [](std::uint64_t seed, std::uint32_t stream, std::uint32_t substream, Index n) {
            Array<std::int64_t> order(n);
            permutation(seed, Stream(stream), substream, order.mutable_data(), n);
            return order;
        },
        py::arg("seed"), py::arg("stream"), py::arg("substream"), py::arg("n"));
}

}  // namespace fastmlp
