// How this module was built, random permutations, and small services to the Python layer.
#include "bindings.h"
#include "core/parallel.h"
#include "core/random.h"
#include "core/simd.h"

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
                    "tile"_a = py::make_tuple(kTileRows, kTileVectors * kLanes<float>));
}

// Position of the first NaN or infinity in an array, -1 if all is finite.
template <class T>
Index first_nonfinite(const Array<T>& x) {
    const T* p = x.data();
    const Index n = x.size();
    constexpr Index kBlock = 1024;
    for (Index first = 0; first < n; first += kBlock) {
        const Index last = std::min(first + kBlock, n);
        T sum = 0;
        for (Index i = first; i < last; ++i) sum += p[i] * T(0);
        if (sum == 0) continue;
        for (Index i = first; i < last; ++i)
            if (!std::isfinite(p[i])) return i;
    }
    return -1;
}

}  // namespace

void bind_config(py::module_& m) {
    m.def("build_config", build_config);
    m.def("set_exact_threads", set_exact_threads, py::arg("exact"));
    m.def("first_nonfinite", first_nonfinite<float>, py::arg("x").noconvert());
    m.def("first_nonfinite", first_nonfinite<double>, py::arg("x").noconvert());
}

void bind_random(py::module_& m) {
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
