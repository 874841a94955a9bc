// Which instruction sets this processor and its operating system support. Like all bindings it is compiled
// for any processor of the platform.
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "bindings.h"

#if defined(__x86_64__) || (defined(_M_X64) && !defined(_M_ARM64EC))
#define FASTMLP_PROBE_X86 1
#if defined(_MSC_VER)
#include <intrin.h>
#else
#include <cpuid.h>
#endif
#endif

namespace fastmlp {

namespace {

#ifdef FASTMLP_PROBE_X86

struct Registers {
    std::uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

// CPUID of `leaf`; all zero where the processor does not have that leaf.
Registers cpuid(std::uint32_t leaf, std::uint32_t sub_leaf = 0) {
    Registers r;
#if defined(_MSC_VER)
    int words[4];
    __cpuid(words, static_cast<int>(leaf & 0x80000000u));
    if (static_cast<std::uint32_t>(words[0]) < leaf) return r;
    __cpuidex(words, static_cast<int>(leaf), static_cast<int>(sub_leaf));
    r = {static_cast<std::uint32_t>(words[0]), static_cast<std::uint32_t>(words[1]),
         static_cast<std::uint32_t>(words[2]), static_cast<std::uint32_t>(words[3])};
#else
    __get_cpuid_count(leaf, sub_leaf, &r.eax, &r.ebx, &r.ecx, &r.edx);
#endif
    return r;
}

// XCR0: the register states that the operating system saves. Call only where OSXSAVE is set.
std::uint32_t saved_states() {
#if defined(_MSC_VER)
    return static_cast<std::uint32_t>(_xgetbv(0));
#else
    std::uint32_t low = 0, high = 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
#endif
}

constexpr std::uint32_t bits(std::initializer_list<int> positions) {
    std::uint32_t mask = 0;
    for (int p : positions) mask |= std::uint32_t{1} << p;
    return mask;
}

constexpr bool has(std::uint32_t word, std::uint32_t mask) { return (word & mask) == mask; }

// The feature sets of the x86-64 psABI's micro-architecture levels.
std::vector<std::string> supported_isas() {
    const Registers base = cpuid(1), extended = cpuid(0x80000001u), structured = cpuid(7);

    // SSE3, SSSE3, CMPXCHG16B, SSE4.1, SSE4.2, POPCNT; LAHF/SAHF
    const bool v2 = has(base.ecx, bits({0, 9, 13, 19, 20, 23})) && has(extended.ecx, bits({0}));

    // FMA, MOVBE, OSXSAVE, AVX, F16C; BMI1, AVX2, BMI2; LZCNT; and the OS saves the XMM and YMM registers
    const bool v3 = v2 && has(base.ecx, bits({12, 22, 27, 28, 29})) && has(structured.ebx, bits({3, 5, 8})) &&
                    has(extended.ecx, bits({5})) && has(saved_states(), bits({1, 2}));

    // AVX512 F, DQ, CD, BW, VL; and the OS saves the mask and ZMM registers
    bool v4 = v3 && has(structured.ebx, bits({16, 17, 28, 30, 31}));
#if !defined(__APPLE__)  // macOS sets these bits only once a thread has used a ZMM register
    v4 = v4 && has(saved_states(), bits({5, 6, 7}));
#endif

    std::vector<std::string> isas;
    if (v4) isas.push_back("v4");
    if (v3) isas.push_back("v3");
    if (v2) isas.push_back("v2");
    return isas;
}

// AVX512_BF16, on top of v4; leaf 7 says in eax how many sub-leaves it has.
bool supports_bfloat16() {
    const std::vector<std::string> isas = supported_isas();
    return !isas.empty() && isas.front() == "v4" && cpuid(7).eax >= 1 && has(cpuid(7, 1).eax, bits({5}));
}

#else

std::vector<std::string> supported_isas() { return {"generic"}; }
bool supports_bfloat16() { return false; }

#endif

}  // namespace

void bind_processor(py::module_& m) {
    m.def("supported_isas", supported_isas,
          "The instruction sets that this processor supports, the best one first.");
    m.def("supports_bfloat16", supports_bfloat16, "Whether this processor multiplies numbers in bfloat16.");
}

}  // namespace fastmlp
